package emitter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/events"
)

// Where a new endpoint starts, besides a time.
const (
	// StartNow: with suborders that are created from now on.
	StartNow = "now"
	// StartEarliest: with the oldest message of the topic.
	StartEarliest = "earliest"
	// startOffsets begins a start that names an offset for each partition, as in "offsets 0=120, 1=98".
	startOffsets = "offsets "
)

const (
	// startSlack is how far before the start reading begins. A message is written after its suborder was created, but the
	// time of its record comes from another clock. Programs refuse to start with one that is more than a minute off.
	startSlack = time.Hour
	// startRetry is the wait after a failed attempt to commit the start.
	startRetry = time.Second
	// startPoll is how often a member checks whether the start is decided.
	startPoll = 100 * time.Millisecond
)

var errStart = errors.New(`is not now, earliest, a time as in RFC 3339 after 1970, or "offsets 0=120, 1=98"`)

// startTime returns the time of which suborders must be to be sent to a new endpoint, in Unix milliseconds; 0 means
// all.
func (e *Endpoint) startTime(now time.Time) (int64, error) {
	switch e.Start {
	case StartEarliest:
		return 0, nil
	case "", StartNow:
		return now.UnixMilli(), nil
	}
	if offsets, err := e.startOffsets(); offsets != nil || err != nil {
		return 0, err // Everything from there.
	}
	at, err := time.Parse(time.RFC3339, e.Start)
	if err != nil || at.UnixMilli() <= 0 {
		return 0, fmt.Errorf("start %q %w", e.Start, errStart)
	}
	return at.UnixMilli(), nil
}

// startOffsets returns the offset of each partition at which a new endpoint starts, or nil if the start is a time.
func (e *Endpoint) startOffsets() (map[int32]int64, error) {
	list, found := strings.CutPrefix(e.Start, startOffsets)
	if !found {
		return nil, nil
	}
	offsets := map[int32]int64{}
	for pair := range strings.SplitSeq(list, ",") {
		number, offset, _ := strings.Cut(strings.TrimSpace(pair), "=")
		n, err := strconv.ParseInt(number, 10, 32)
		at, err2 := strconv.ParseInt(offset, 10, 64)
		if _, twice := offsets[int32(n)]; err != nil || err2 != nil || n < 0 || at < 0 || twice {
			return nil, fmt.Errorf("start %q %w", e.Start, errStart)
		}
		offsets[int32(n)] = at
	}
	return offsets, nil
}

// startOffset returns the offset at which a partition starts: the one that the configuration names, or the listed one.
func (w *endpointWorker) startOffset(ctx context.Context, adm *kadm.Client, listed kadm.ListedOffset) (int64, error) {
	named, err := w.endpoint.startOffsets()
	if named == nil || err != nil {
		return listed.Offset, err
	}
	at, found := named[listed.Partition]
	if !found {
		return 0, fmt.Errorf("start %q names no offset of partition %d", w.endpoint.Start, listed.Partition)
	}
	ends, err := adm.ListEndOffsets(ctx, events.TopicSuborders)
	if err = cmp.Or(err, ends.Error()); err != nil {
		return 0, err
	}
	// The client would go back to the oldest message.
	if end, _ := ends.Lookup(events.TopicSuborders, listed.Partition); at > end.Offset {
		return 0, fmt.Errorf("start %q: partition %d ends at %d", w.endpoint.Start, listed.Partition, end.Offset)
	}
	return max(at, listed.Offset), nil
}

// startState says why the endpoint cannot start; its zero value says that it can.
type startState struct {
	problem atomic.Pointer[error] // Nil unless partitions wait for their start.
	log     rate.Sometimes
}

// settleStart gives the assigned partitions that have no position their start, and commits it. It runs before the
// client fetches any of their records: from then on a crash loses nothing, although "now" would be another time after
// it. It tries until everything is committed, or until ctx ends, because the session does.
//
// It commits as a member, so the broker refuses the commit of a member that another one has replaced meanwhile: nobody
// overwrites the progress of others. All partitions get one start. The owner of partition 0 decides it, and the others
// wait for that; after a crash the start is found in whichever partition has it.
func (w *endpointWorker) settleStart(ctx context.Context, client *kgo.Client, fetched *kmsg.OffsetFetchResponse) error {
	clear(w.adjusted)
	var zero *kmsg.OffsetFetchResponseGroupTopicPartition // Partition 0, if this member owns it.
	missing := map[int32]*kmsg.OffsetFetchResponseGroupTopicPartition{}
	for _, group := range fetched.Groups {
		for _, topic := range group.Topics { // There is only one; newer protocol versions name it by its id.
			for i := range topic.Partitions {
				p := &topic.Partitions[i]
				if p.ErrorCode == 0 && p.Offset < 0 {
					missing[p.Partition] = p
				}
				if p.ErrorCode == 0 && p.Partition == 0 {
					zero = p
				}
			}
		}
	}
	defer w.startState.problem.Store(nil)
	for wait := time.Duration(0); len(missing) > 0; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
		err := w.commitStart(ctx, client, missing)
		if wait = startRetry; errors.Is(err, errUndecided) {
			wait = startPoll
		}
		if err != nil && ctx.Err() == nil {
			w.startPending(ctx, err)
		}
	}
	if zero != nil && !w.startRecorded {
		start := int64(0)
		if zero.Metadata != nil {
			committed, _ := decodeCompleted(zero.Offset, *zero.Metadata)
			start = committed.start
		}
		w.recordStart(ctx, start)
	}
	return nil
}

// errUndecided says that the owner of partition 0 has not committed the start yet.
var errUndecided = errors.New("partition 0 has no position yet")

// startPending reports an endpoint that cannot start: in the log once a minute, in a gauge and in the readiness.
func (w *endpointWorker) startPending(ctx context.Context, err error) {
	w.startState.problem.Store(&err)
	if errors.Is(err, errUndecided) {
		return // The owner of partition 0 says why.
	}
	w.startState.log.Do(func() {
		w.log.LogAttrs(ctx, slog.LevelError, "start not committed", slog.Any("err", err))
	})
}

// commitStart commits the start of the missing partitions, and removes those that are committed.
func (w *endpointWorker) commitStart(
	ctx context.Context, client *kgo.Client, missing map[int32]*kmsg.OffsetFetchResponseGroupTopicPartition,
) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	adm := kadm.NewClient(client)
	start, err := w.decideStart(ctx, adm, missing[0] != nil)
	if err != nil {
		return err
	}
	listed, err := listStart(ctx, adm, start)
	if err != nil {
		return fmt.Errorf("find the start in %s: %w", events.TopicSuborders, err)
	}
	offsets, metadata := map[int32]int64{}, map[int32]string{}
	for number := range missing {
		o, found := listed.Lookup(events.TopicSuborders, number)
		if !found {
			return fmt.Errorf("find the start in %s: partition %d is missing", events.TopicSuborders, number)
		}
		offset, err := w.startOffset(ctx, adm, o)
		if err != nil {
			return err
		}
		offsets[number], metadata[number] = offset, encodeCompleted(&partition{next: offset, start: start})
	}
	refused := commitOffsets(ctx, client, offsets, metadata)
	var committed []int32
	for number, offset := range offsets {
		if refused[number] == nil {
			text := metadata[number]
			missing[number].Offset, missing[number].Metadata = offset, &text
			w.adjusted[number] = offset
			committed = append(committed, number)
			delete(missing, number)
		}
	}
	slices.Sort(committed)
	if len(committed) > 0 {
		w.log.LogAttrs(ctx, slog.LevelInfo, "start committed", slog.Time("start", time.UnixMilli(start).UTC()),
			slog.Bool("earliest", start == 0), slog.Any("partitions", committed))
	}
	for number, err := range refused {
		return fmt.Errorf("commit the start of %s, partition %d: %w", w.group, number, err)
	}
	return nil
}

// decideStart returns the start of the endpoint: the one that some partition has, or that of the configuration if no
// partition has a position and this member owns partition 0.
func (w *endpointWorker) decideStart(ctx context.Context, adm *kadm.Client, decides bool) (int64, error) {
	known, err := adm.FetchOffsets(ctx, w.group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return 0, fmt.Errorf("read the positions of %s: %w", w.group, err)
	}
	positioned, start := false, int64(math.MaxInt64)
	known.Each(func(o kadm.OffsetResponse) {
		if o.Topic != events.TopicSuborders || o.At < 0 {
			return
		}
		positioned = true
		// A position without a start, or one that another tool has set, takes everything.
		committed, _ := decodeCompleted(o.At, o.Metadata)
		start = min(start, committed.start)
	})
	switch {
	case positioned:
		return start, nil
	case !decides:
		return 0, errUndecided
	}
	return w.firstStart(ctx)
}

// adjustStart makes the client fetch from the starts that were committed after it had fetched the positions.
func (w *endpointWorker) adjustStart(
	_ context.Context, offsets map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	for number, offset := range w.adjusted {
		if _, assigned := offsets[events.TopicSuborders][number]; assigned {
			offsets[events.TopicSuborders][number] = kgo.NewOffset().At(offset)
		}
	}
	return offsets, nil
}

// listStart returns offsets at or below those of all messages of suborders that were created at or after a time.
func listStart(ctx context.Context, adm *kadm.Client, start int64) (kadm.ListedOffsets, error) {
	if start == 0 {
		listed, err := adm.ListStartOffsets(ctx, events.TopicSuborders)
		return listed, cmp.Or(err, listed.Error())
	}
	// The client looks up the end of a partition without such a message in a second request. What is written between the
	// two would be skipped, so the ends of before count.
	ends, err := adm.ListEndOffsets(ctx, events.TopicSuborders)
	if err = cmp.Or(err, ends.Error()); err != nil {
		return nil, err
	}
	from := time.UnixMilli(start).Add(-startSlack)
	listed, err := adm.ListOffsetsAfterMilli(ctx, max(from.UnixMilli(), 0), events.TopicSuborders)
	if err = cmp.Or(err, listed.Error()); err != nil {
		return nil, err
	}
	for _, partitions := range listed {
		for number, o := range partitions {
			end, _ := ends.Lookup(o.Topic, number) // A partition that was created meanwhile starts at 0.
			o.Offset = min(o.Offset, end.Offset)
			partitions[number] = o
		}
	}
	return listed, nil
}
