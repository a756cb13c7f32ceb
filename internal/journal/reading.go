package journal

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// reading applies the records of one topic of a lane to its store, in large batches. One topic is read at a time: a
// batch starts from the position that the one before has left.
type reading struct {
	store   *store
	sb      *storeBatch
	v       verifier
	pos     topicPos // Where the store was.
	checked bool     // Whether the record there was compared.
}

const readBatchBytes = 4 << 20

// newReading reads on from the store's position. Seen says how far this process has read the topic already, 0 for not:
// what it has seen itself need not be compared with the store again.
func newReading(s *store, topic string, lane int32, pos topicPos, seen int64) *reading {
	return &reading{
		store: s, sb: s.begin(), pos: pos, checked: pos.Last < 0 || seen > pos.Last,
		v: verifier{topic: topic, lane: lane, chain: pos.chain()},
	}
}

// known tells whether a record is the last one the store has, and checks that it is the same.
func (r *reading) known(rec *kgo.Record) (bool, error) {
	if r.checked {
		return false, nil
	}
	r.checked = true
	return true, agrees(&r.pos, rec)
}

func (r *reading) flush(atLeast int) error {
	if r.sb.size < atLeast {
		return nil
	}
	if err := r.sb.commit(); err != nil {
		return &lostError{err: err, store: true}
	}
	r.sb = r.store.begin()
	return nil
}

// decision applies a record of the decisions. The decision is nil where the record says nothing to the store.
func (r *reading) decision(rec *kgo.Record, voids []span) (env events.Envelope, d *ledgerv1.Decision, err error) {
	if known, err := r.known(rec); known || err != nil {
		return env, nil, err
	}
	if env, err = r.v.next(rec); err != nil {
		return env, nil, err
	}
	if env.Type == events.TypeDecisionsVoided && voids == nil {
		return env, nil, errVoidSeen
	}
	if env.Type != events.TypeDecision || isVoid(voids, rec.Offset) {
		r.sb.skipped(&env, rec.Offset, r.v.chain)
		return env, nil, r.flush(readBatchBytes)
	}
	d = new(ledgerv1.Decision)
	if err := d.UnmarshalVT(rec.Value); err != nil {
		return env, nil, r.v.damaged(rec, err)
	}
	if err := r.sb.decision(&env, d, rec.Offset, r.v.chain); err != nil {
		return env, nil, &lostError{err: err, store: true}
	}
	return env, d, r.flush(readBatchBytes)
}

// event applies a record of the events. It is not fresh where the store had it.
func (r *reading) event(rec *kgo.Record) (env events.Envelope, fresh bool, err error) {
	if known, err := r.known(rec); known || err != nil {
		return env, false, err
	}
	if env, err = r.v.next(rec); err != nil {
		return env, false, err
	}
	after, err := rawAfter(rec.Value)
	if err != nil {
		return env, false, r.v.damaged(rec, err)
	}
	if err := r.sb.event(&env, after, rec.Offset, r.v.chain); err != nil {
		return env, false, &lostError{err: err, store: true}
	}
	return env, true, r.flush(readBatchBytes)
}

// decisionTail is the last group of decisions that were taken on the same state of the events.
type decisionTail struct {
	laneseq     uint64
	first, last int64
	before      uint64 // The laneseq of the group before.
}

func (l *lane) readDecisions(ctx context.Context, end int64, voids []span) (decisionTail, error) {
	tail := decisionTail{laneseq: l.store.meta.DecidedSeq, first: -1, before: l.store.meta.DecidedSeq}
	err := l.readTopic(ctx, events.TopicDecisions, l.store.meta.Decisions, end, func(r *reading, rec *kgo.Record) error {
		env, d, err := r.decision(rec, voids)
		if d == nil || err != nil {
			return err
		}
		if d.GetEventsLaneseq() != tail.laneseq || tail.first < 0 {
			tail = decisionTail{d.GetEventsLaneseq(), rec.Offset, rec.Offset, tail.laneseq}
		}
		tail.last = rec.Offset
		l.note(&env, d, rec.Offset)
		return nil
	})
	return tail, err
}

// readEvents reads the events and returns the envelopes of those that no decision is known for.
func (l *lane) readEvents(ctx context.Context, end int64) ([]events.Envelope, error) {
	decided, head := l.store.meta.DecidedSeq, l.store.meta.DecidedHead
	var orphans []events.Envelope
	err := l.readTopic(ctx, events.TopicEvents, l.store.meta.Events, end, func(r *reading, rec *kgo.Record) error {
		env, fresh, err := r.event(rec)
		if !fresh || err != nil {
			return err
		}
		if env.LaneSeq == decided && env.ChainHash != events.Hash(head) {
			return r.v.damaged(rec, errors.New("the decisions know another event of this laneseq"))
		}
		if env.LaneSeq > decided {
			orphans = append(orphans, env)
		}
		l.noteEvent(&env, rec.Offset)
		return nil
	})
	return orphans, err
}

// readTopic reads a topic of the lane from where the store is to an end.
func (l *lane) readTopic(ctx context.Context, topic string, pos topicPos, end int64, fn func(*reading, *kgo.Record) error) error {
	seen := l.seen[topic]
	r := newReading(l.store, topic, l.id, pos, seen)
	err := l.j.scan(ctx, topic, l.id, max(from(&pos), seen), end, func(rec *kgo.Record) error { return fn(r, rec) })
	if err == nil {
		err = r.flush(0)
	}
	if err == nil {
		if l.seen == nil {
			l.seen = map[string]int64{}
		}
		l.seen[topic] = max(end, seen)
	}
	return err
}
