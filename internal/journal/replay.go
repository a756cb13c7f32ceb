package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
)

var (
	// errStale says that the store does not match the lane.
	errStale = errors.New("the store does not agree with the lane")
	// errVoidSeen says that the decisions must be read again, with the void ones known in advance.
	errVoidSeen = errors.New("a record voids decisions that were read already")
)

// judge checks that a lane is whole, once it has been read to its end after the fence. A nil judge checks nothing:
// before the fence the last owner may be in the middle of a transaction.
type judge func(ctx context.Context, tail decisionTail, orphans []events.Envelope, fresh bool) error

// replay brings the store to the lane's end, and rebuilds a store that disagrees, until there is nothing left to
// repair.
func (t *takeover) replay(
	ctx context.Context, want lanestore.Meta, ends func(context.Context, int32) (map[string]span, error), check judge,
) (map[string]span, error) {
	const most = 5 // A stale store, voided decisions, a repair, and two to spare.
	l := t.l
	for attempt := 1; ; attempt++ {
		spans, err := ends(ctx, l.id)
		if err != nil {
			return nil, err
		}
		fresh := l.store.Meta().Empty()
		err = t.catchUp(ctx, spans, fresh, check)
		switch {
		case err == nil || attempt == most:
			return spans, err
		case errors.Is(err, errRepaired):
			continue
		case errors.Is(err, errVoidSeen):
			t.voidsKnown = true
		case errors.Is(err, errStale), errors.Is(err, ErrDamaged) && !fresh:
		default:
			return nil, err
		}
		l.log.WarnContext(ctx, "lane store rebuilt", slog.Any("err", err))
		l.j.metrics.rebuilds.Inc()
		t.seen = nil
		l.j.warmth.reset(l.id)
		if err := l.store.Rebuild(want); err != nil {
			return nil, err
		}
		l.answers.forget() // The whole lane is read again, and an answer that was found may now be void.
	}
}

// catchUp brings the store to the lane's end, or says why it can't.
func (t *takeover) catchUp(ctx context.Context, spans map[string]span, fresh bool, check judge) error {
	m := t.l.store.Meta()
	for _, topic := range []struct {
		name string
		pos  *lanestore.TopicPosition
	}{{events.TopicEvents, &m.Events}, {events.TopicDecisions, &m.Decisions}} {
		s := spans[topic.name]
		if at := max(topic.pos.Next, t.seen[topic.name]); at > s.end {
			if check == nil {
				return nil // Readers are behind this instance's own writes; the check follows after the fence.
			}
			return fmt.Errorf("%w: %s ends at %d, the store is at %d", errStale, topic.name, s.end, at)
		}
		if topic.pos.Next < s.start {
			return fmt.Errorf("%w: %s lane %d begins at %d, the lane must be read from %d: events may never be deleted",
				ErrOutOfRange, topic.name, t.l.id, s.start, topic.pos.Next)
		}
	}
	voids, err := t.voids(ctx, spans[events.TopicDecisions].end)
	if err != nil {
		return err
	}
	// Decisions first: an event is an orphan only if no decision names its laneseq.
	tail, err := t.readDecisions(ctx, spans[events.TopicDecisions].end, voids)
	if err != nil {
		return err
	}
	orphans, err := t.readEvents(ctx, spans[events.TopicEvents].end)
	if err != nil {
		return err
	}
	if check == nil {
		return nil
	}
	return check(ctx, tail, orphans, fresh)
}

// decisionTail is the last group of decisions that were taken on the same state of the events.
type decisionTail struct {
	laneseq     uint64
	first, last int64
	before      uint64 // The laneseq of the group before.
}

func (t *takeover) readDecisions(ctx context.Context, end int64, voids []span) (decisionTail, error) {
	m := t.l.store.Meta()
	tail := decisionTail{laneseq: m.DecidedSeq, first: -1, before: m.DecidedSeq}
	err := t.readTopic(ctx, events.TopicDecisions, m.Decisions, end, func(r *applier, rec *kgo.Record) error {
		env, d, err := r.decision(rec, voids)
		if d == nil || err != nil {
			return err
		}
		if d.GetEventsLaneseq() != tail.laneseq || tail.first < 0 {
			tail = decisionTail{d.GetEventsLaneseq(), rec.Offset, rec.Offset, tail.laneseq}
		}
		tail.last = rec.Offset
		t.l.answers.note(&env, d, rec.Offset)
		return nil
	})
	return tail, err
}

// readEvents reads the events and returns the envelopes of those that no decision is known for.
func (t *takeover) readEvents(ctx context.Context, end int64) ([]events.Envelope, error) {
	m := t.l.store.Meta()
	decided, head := m.DecidedSeq, m.DecidedHead
	var orphans []events.Envelope
	err := t.readTopic(ctx, events.TopicEvents, m.Events, end, func(r *applier, rec *kgo.Record) error {
		env, fresh, err := r.event(rec)
		if !fresh || err != nil {
			return err
		}
		if env.LaneSeq == decided && env.ChainHash != events.Hash(head) {
			return r.v.damaged(rec, errors.New("the decisions name another event of this laneseq"))
		}
		if env.LaneSeq > decided {
			orphans = append(orphans, env)
		}
		t.l.answers.noteEvent(&env, rec.Offset)
		return nil
	})
	return orphans, err
}

// readTopic reads a topic of the lane from the store's position to an end.
func (t *takeover) readTopic(
	ctx context.Context, topic string, pos lanestore.TopicPosition, end int64, fn func(*applier, *kgo.Record) error,
) error {
	l, seen := t.l, t.seen[topic]
	r := newApplier(l.store, topic, l.id, l.j.topics.lanes, pos, seen)
	err := l.j.topics.scan(ctx, topic, l.id, max(pos.From(), seen), end, func(rec *kgo.Record) error {
		l.j.warmth.read(l.id, topic, rec.Offset+1)
		return fn(r, rec)
	})
	if err == nil {
		err = r.flush(0)
	}
	if err == nil {
		if t.seen == nil {
			t.seen = map[string]int64{}
		}
		t.seen[topic] = max(end, seen)
		l.j.warmth.read(l.id, topic, t.seen[topic])
	}
	return err
}
