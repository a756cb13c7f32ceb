package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/events"
)

// span is the range of offsets a partition has.
type span struct{ start, end int64 }

// spans returns the ranges of a lane's events, decisions and inbox. The ends are those that read_uncommitted sees: the
// last stable offset may still be before the predecessor's last transaction (KAFKA-10167).
func (j *Journal) spans(ctx context.Context, lane int32) (map[string]span, error) {
	return j.ranges(ctx, lane, kadm.NewClient(j.client).ListEndOffsets)
}

// stableSpans are the ranges with the ends that read_committed sees: what can be read without fencing anybody.
func (j *Journal) stableSpans(ctx context.Context, lane int32) (map[string]span, error) {
	return j.ranges(ctx, lane, kadm.NewClient(j.client).ListCommittedOffsets)
}

func (j *Journal) ranges(
	ctx context.Context, lane int32, listEnds func(context.Context, ...string) (kadm.ListedOffsets, error),
) (map[string]span, error) {
	topics := []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox}
	starts, err := kadm.NewClient(j.client).ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("start offsets: %w", err)
	}
	ends, err := listEnds(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("end offsets: %w", err)
	}
	spans := map[string]span{}
	for _, t := range topics {
		start, ok1 := starts.Lookup(t, lane)
		end, ok2 := ends.Lookup(t, lane)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("topic %s has no partition %d: %w", t, lane, ErrLanes)
		}
		if err := errors.Join(start.Err, end.Err); err != nil {
			return nil, fmt.Errorf("offsets of %s: %w", t, err)
		}
		spans[t] = span{start.Offset, end.Offset}
	}
	return spans, nil
}

// scan reads a partition read_committed from one offset until its position reaches another, and calls fn for every
// record below. It never resets: what is not there is an error.
func (j *Journal) scan(ctx context.Context, topic string, lane int32, from, to int64, fn func(*kgo.Record) error) error {
	if from >= to {
		return nil
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, j.deps.Options...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {lane: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The end may lie behind a marker, or behind what was aborted before one: the position must move over them.
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(250*time.Millisecond),
	)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for position := from; position < to; {
		fetches, err := poll(ctx, client, j.cfg.TakeoverTimeout)
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

var errStuck = errors.New("no progress: a transaction is open below the end. If nobody ends it, a broker may have lost its marker (KAFKA-20734): " +
	"allow ingest DESCRIBE on its transactional ids and CLUSTER_ACTION, or end it with kafka-transactions.sh")

// poll is PollFetches with a limit, and with errors that can't heal by themselves.
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

// verifier follows the chain of one topic of a lane.
type verifier struct {
	topic   string
	lane    int32
	chain   events.Chain
	scratch []events.Header
}

// next checks that a record is the one after the last, unaltered, and returns its envelope.
func (v *verifier) next(rec *kgo.Record) (events.Envelope, error) {
	v.scratch = v.scratch[:0]
	for i := range rec.Headers {
		v.scratch = append(v.scratch, events.Header(rec.Headers[i]))
	}
	env, err := events.DecodeEnvelope(v.scratch)
	if err != nil {
		return env, v.damaged(rec, err)
	}
	next := v.chain.Next(v.topic, v.lane, v.scratch, rec.Value)
	if env.LaneSeq != next.Seq {
		return env, v.damaged(rec, fmt.Errorf("laneseq %d after %d", env.LaneSeq, v.chain.Seq))
	}
	if env.ChainHash != next.Head {
		return env, v.damaged(rec, errors.New("its chain hash is not that of its content"))
	}
	v.chain = next
	return env, nil
}

func (v *verifier) damaged(rec *kgo.Record, err error) error {
	return fmt.Errorf("%w: %s lane %d offset %d: %w", ErrDamaged, v.topic, v.lane, rec.Offset, err)
}

// fieldAfter is the number of Event.after.
const fieldAfter = 2

// rawAfter returns the bytes of an event's `after` without decoding it: opening a lane only moves them.
func rawAfter(value []byte) ([]byte, error) {
	for b := value; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		if num == fieldAfter && typ == protowire.BytesType {
			after, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return nil, protowire.ParseError(n)
			}
			return after, nil
		}
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
	}
	return nil, errors.New("an event without a state after it")
}
