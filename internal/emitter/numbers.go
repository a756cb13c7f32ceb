package emitter

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

// headerSeq is the number of the message in its partition and profile: dense, from 1.
const headerSeq = "ol_seq"

// lastMessage is the newest message of a partition and profile.
type lastMessage struct {
	seq    int64 // Its number; 0 if there is none.
	id     int64
	offset int64 // Its offset in suborders.v1.
}

// metadata is what is committed with a position. Every message up to the last one is written by then.
func (l lastMessage) metadata(profile string) string {
	return fmt.Sprintf("%s=%d,%d,%d", profile, l.seq, l.id, l.offset)
}

// parseLastMessage returns no message for any other text.
func parseLastMessage(profile, text string) (l lastMessage) {
	_, err := fmt.Sscanf(text, profile+"=%d,%d,%d", &l.seq, &l.id, &l.offset)
	if err != nil || l.seq <= 0 || l.id <= 0 || l.offset < 0 {
		return lastMessage{}
	}
	return l
}

// numbers gives the messages of each partition their dense numbers.
//
// Writing a message and committing the position of its event are two steps, so a crash between them must not give a
// message a second number, nor leave a number out. Each commit holds the newest message that was written. A new owner
// reads suborders.v1 from there to its end, and so knows the newest message whoever wrote it: messages up to that one
// are not written again, and the numbers continue after it.
//
// A predecessor that still runs, or a write that the network has delayed, may repeat messages. They have the same
// number in both records, because both processes count from the same message and write all that follow in order.
type numbers struct {
	profile string
	client  func(...kgo.Opt) (*kgo.Client, error)
	log     *slog.Logger
	// patience is readPatience; tests shorten it.
	patience time.Duration

	mu    sync.Mutex
	lanes map[int32]*laneNumbers // Guarded by mu.
}

func newNumbers(profile string, log *slog.Logger, client func(...kgo.Opt) (*kgo.Client, error)) *numbers {
	return &numbers{profile: profile, client: client, log: log, patience: readPatience, lanes: map[int32]*laneNumbers{}}
}

// laneNumbers are the numbers of one partition, from assignment to release. A later assignment has another value, so
// that a late write of the earlier one does not change it.
type laneNumbers struct {
	mu   sync.Mutex
	last lastMessage // Guarded by mu.
}

// next returns the number of a message, or 0 if the message was written already.
func (l *laneNumbers) next(id int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id <= l.last.id {
		return 0
	}
	return l.last.seq + 1
}

// written records that a message was written. Until then a repeated attempt gets the same number.
func (l *laneNumbers) written(m lastMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.id > l.last.id {
		l.last = m
	}
}

func (n *numbers) lane(partition int32) *laneNumbers {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lanes[partition]
}

// metadata returns the text that is committed with a position of a lane.
func (n *numbers) metadata(partition int32) string {
	lane := n.lane(partition)
	if lane == nil {
		return ""
	}
	lane.mu.Lock()
	defer lane.mu.Unlock()
	if lane.last.seq == 0 {
		return ""
	}
	return lane.last.metadata(n.profile)
}

// assigned finds the newest message of each assigned partition.
func (n *numbers) assigned(ctx context.Context, positions []pubsub.Position) error {
	last := make(map[int32]lastMessage, len(positions))
	for _, p := range positions {
		// There is no such text if another tool has set the offset, or Kafka has forgotten it.
		last[p.Partition] = parseLastMessage(n.profile, p.Metadata)
	}
	if err := n.readOn(ctx, last); err != nil {
		return fmt.Errorf("read the numbers of %s: %w", events.TopicSuborders, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for partition, l := range last {
		n.lanes[partition] = &laneNumbers{last: l}
	}
	return nil
}

// readPatience bounds a request, and a read that gets no record. After it the member joins its group again, and starts
// anew. There is no bound on the whole: whatever a partition holds, each attempt would end at it.
const readPatience = time.Minute

// firstWindow is how many offsets at the end of a partition are read first. The newest message need not be the last
// one: a process that was replaced may repeat older ones after it. It writes one at a time and stops at its next
// heartbeat, so it repeats far fewer than these.
const firstWindow = 10_000

// readOn replaces each message by the newest one of its partition. Of a partition whose message is known, it reads what
// follows. Of the others it reads the end, and more and more of it until there is a message: the topic may hold months.
func (n *numbers) readOn(ctx context.Context, last map[int32]lastMessage) error {
	unread, err := n.unread(ctx, last)
	for err == nil && len(unread) > 0 {
		var found map[int32]lastMessage
		if found, err = n.readWindows(ctx, unread); err != nil {
			break
		}
		for partition, w := range unread {
			if l, ok := found[partition]; ok && l.id > last[partition].id {
				last[partition] = l
			}
			if _, ok := found[partition]; ok || !w.widen() {
				delete(unread, partition)
			}
		}
	}
	return err
}

// window is what is read of a partition, and from where there is anything to read.
type window struct{ start, from, to, size int64 }

// widen moves the window to what lies before it, twice as much as last time. It returns false if there is nothing.
func (w *window) widen() bool {
	w.to, w.size = w.from, 2*w.size
	w.from = max(w.start, w.to-w.size)
	return w.from < w.to
}

// readWindows returns the newest message in each window that has one.
func (n *numbers) readWindows(ctx context.Context, windows map[int32]*window) (map[int32]lastMessage, error) {
	from, missing := map[int32]kgo.Offset{}, map[int32]int64{}
	for partition, w := range windows {
		from[partition], missing[partition] = kgo.NewOffset().At(w.from), w.to
	}
	client, err := n.client(
		// A marker of a transaction may be the last record of a partition.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{events.TopicSuborders: from}),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found := map[int32]lastMessage{}
	for len(missing) > 0 {
		fetches, err := n.poll(ctx, client)
		if err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if l, ok := n.read(r); ok && l.id > found[r.Partition].id {
				found[r.Partition] = l
			}
			if to, open := missing[r.Partition]; open && r.Offset+1 >= to {
				delete(missing, r.Partition)
				// The rest has been read, or is of no use. Its fetches would only delay those of the others.
				client.PauseFetchPartitions(map[string][]int32{events.TopicSuborders: {r.Partition}})
			}
		})
	}
	return found, nil
}

// poll returns the next records. An error says that none came in time.
func (n *numbers) poll(ctx context.Context, client *kgo.Client) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(ctx, n.patience)
	defer cancel()
	fetches := client.PollFetches(ctx)
	if err := fetches.Err0(); err != nil {
		return nil, err
	}
	for _, failed := range fetches.Errors() {
		return nil, fmt.Errorf("partition %d: %w", failed.Partition, failed.Err)
	}
	return fetches, nil
}

// unread returns what must be read first of the partitions, without those that have nothing to read.
func (n *numbers) unread(ctx context.Context, last map[int32]lastMessage) (map[int32]*window, error) {
	ctx, cancel := context.WithTimeout(ctx, n.patience)
	defer cancel()
	client, err := n.client()
	if err != nil {
		return nil, err
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	starts, err := adm.ListStartOffsets(ctx, events.TopicSuborders)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, err
	}
	listed, err := adm.ListCommittedOffsets(ctx, events.TopicSuborders)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	unread := map[int32]*window{}
	for partition, l := range last {
		start, found := starts.Lookup(events.TopicSuborders, partition)
		end, ended := listed.Lookup(events.TopicSuborders, partition)
		if !found || !ended {
			return nil, fmt.Errorf("partition %d is missing", partition)
		}
		w := &window{start: start.Offset, to: end.Offset, size: firstWindow}
		switch {
		case l.seq > 0 && l.offset < end.Offset:
			w.start = max(w.start, l.offset+1)
			w.size = max(w.size, w.to-w.start) // Whether a message is the newest is known only when all have been read.
		case l.seq > 0:
			// The topic was created anew, or a broker lost its end. The numbers go on, so that readers see what is missing.
			n.log.LogAttrs(ctx, slog.LevelError, "messages missing", slog.Int("partition", int(partition)),
				slog.Int64("offset", l.offset), slog.Int64("end", end.Offset), slog.Int64("ol_seq", l.seq))
		}
		if w.from = max(w.start, w.to-w.size); w.from < w.to {
			unread[partition] = w
		}
	}
	return unread, nil
}

// read returns the message of a record, or false if the record has another profile or no number.
func (n *numbers) read(r *kgo.Record) (l lastMessage, ok bool) {
	if string(kafka.Header(r, headerProfile)) != n.profile {
		return lastMessage{}, false
	}
	id, err := strconv.ParseInt(string(kafka.Header(r, events.HeaderID)), 10, 64)
	if err != nil {
		return lastMessage{}, false
	}
	seq, err := strconv.ParseInt(string(kafka.Header(r, headerSeq)), 10, 64)
	return lastMessage{seq: seq, id: id, offset: r.Offset}, err == nil && seq > 0
}

// numbered is what a message on its way to the publisher belongs to.
type numbered struct {
	lane    *laneNumbers
	seq, id int64
}

type numberedKey struct{}

// withNumber gives a message its number.
func withNumber(ctx context.Context, m *message.Message, as numbered) {
	m.Metadata[headerSeq] = strconv.FormatInt(as.seq, 10)
	m.SetContext(context.WithValue(ctx, numberedKey{}, as))
}

// published records that the publisher has written a message.
func published(m *message.Message, r *kgo.Record) {
	if as, ok := m.Context().Value(numberedKey{}).(numbered); ok {
		as.lane.written(lastMessage{seq: as.seq, id: as.id, offset: r.Offset})
	}
}
