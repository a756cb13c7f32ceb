package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
)

// topics describes the ledger's topics and reads them.
type topics struct {
	options     []kgo.Opt
	lanes       int
	layout      events.Hash
	stepTimeout time.Duration // How long a read may go without progress.
	client      *kgo.Client   // For metadata and offsets; nil until Run.
}

// laneIdentity returns the position of an empty store of a lane; see identity.
func (t *topics) laneIdentity(ctx context.Context, lane int32) (lanestore.Meta, error) {
	m, err := t.identity(ctx)
	return m.OfLane(lane), err
}

// identity returns the ids that a lane store must match, and checks that the topics have a partition for each lane.
// More partitions do no harm: nothing counts them.
func (t *topics) identity(ctx context.Context) (lanestore.Meta, error) {
	names := []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox}
	md, err := kadm.NewClient(t.client).Metadata(ctx, names...)
	if err != nil {
		return lanestore.Meta{}, fmt.Errorf("describe the ledger's topics: %w", err)
	}
	ids := make([]string, 0, len(names))
	for _, name := range names {
		topic, ok := md.Topics[name]
		switch {
		case !ok:
			return lanestore.Meta{}, fmt.Errorf("topic %s: %w: it does not exist", name, ErrLanes)
		case topic.Err != nil:
			return lanestore.Meta{}, fmt.Errorf("topic %s: %w", name, topic.Err)
		case len(topic.Partitions) < t.lanes:
			return lanestore.Meta{}, fmt.Errorf("topic %s: %w: %d partitions, %d lanes",
				name, ErrLanes, len(topic.Partitions), t.lanes)
		}
		ids = append(ids, topic.ID.String())
	}
	return lanestore.NewMeta(md.Cluster, t.layout, ids), nil
}

// span is the range of offsets a partition has.
type span struct{ start, end int64 }

// spans returns the ranges of a lane's events, decisions and inbox. The ends are those that read_uncommitted sees: the
// last stable offset may still be before the predecessor's last transaction (KAFKA-10167).
func (t *topics) spans(ctx context.Context, lane int32) (map[string]span, error) {
	return t.ranges(ctx, lane, kadm.NewClient(t.client).ListEndOffsets)
}

// stableSpans returns the ranges with the ends that read_committed sees: all that can be read without a fence.
func (t *topics) stableSpans(ctx context.Context, lane int32) (map[string]span, error) {
	return t.ranges(ctx, lane, kadm.NewClient(t.client).ListCommittedOffsets)
}

func (t *topics) ranges(
	ctx context.Context, lane int32, listEnds func(context.Context, ...string) (kadm.ListedOffsets, error),
) (map[string]span, error) {
	names := []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox}
	starts, err := kadm.NewClient(t.client).ListStartOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("start offsets: %w", err)
	}
	ends, err := listEnds(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("end offsets: %w", err)
	}
	spans := map[string]span{}
	for _, name := range names {
		start, ok1 := starts.Lookup(name, lane)
		end, ok2 := ends.Lookup(name, lane)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("topic %s has no partition %d: %w", name, lane, ErrLanes)
		}
		if err := errors.Join(start.Err, end.Err); err != nil {
			return nil, fmt.Errorf("offsets of %s: %w", name, err)
		}
		spans[name] = span{start.Offset, end.Offset}
	}
	return spans, nil
}

// scan reads a partition read_committed from one offset until its position reaches another, and calls fn for every
// record below. It never resets its position: an offset that the topic does not hold is an error, since skipping
// records of the ledger would lose them.
func (t *topics) scan(ctx context.Context, topic string, lane int32, from, to int64, fn func(*kgo.Record) error) error {
	return t.scanWith(ctx, topic, lane, from, to, fn)
}

// scanWith is scan with more options of the client.
func (t *topics) scanWith(
	ctx context.Context, topic string, lane int32, from, to int64, fn func(*kgo.Record) error, more ...kgo.Opt,
) error {
	if from >= to {
		return nil
	}
	client, err := kgo.NewClient(append(append(append([]kgo.Opt{}, t.options...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {lane: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The end may lie behind a marker, or behind aborted records: the position must move over them.
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(250*time.Millisecond),
	), more...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for position := from; position < to; {
		fetches, err := poll(ctx, client, t.stepTimeout)
		if err != nil {
			return fmt.Errorf("read %s lane %d at %d of %d: %w", topic, lane, position, to, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			rec := it.Next()
			if rec.Offset >= to {
				return nil
			}
			position = rec.Offset + 1
			if rec.Attrs.IsControl() {
				continue
			}
			if err := fn(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// errStuck says that readers stop before the end that they have to reach.
var errStuck = errors.New("no progress: a transaction is open below the end. If nobody ends it, a broker may have " +
	"lost its marker (KAFKA-20734): allow ingest DESCRIBE on its transactional ids and CLUSTER_ACTION, or end it with " +
	"kafka-transactions.sh")

// poll is PollFetches with a limit. It returns the errors that the client does not retry.
func poll(ctx context.Context, client *kgo.Client, limit time.Duration) (kgo.Fetches, error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	fetches := client.PollFetches(bounded)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, e := range fetches.Errors() {
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded):
			return nil, errStuck
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			return nil, fmt.Errorf("%w: %w", ErrOutOfRange, e.Err)
		default:
			return nil, e.Err
		}
	}
	return fetches, nil
}
