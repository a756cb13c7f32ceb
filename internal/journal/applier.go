package journal

import (
	"encoding/base64"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// applier applies the records of one topic of a lane to its store, in large batches. One topic is read at a time: a
// batch starts from the position that the one before has left.
type applier struct {
	store   *lanestore.Store
	sb      *lanestore.Batch
	v       verifier
	pos     lanestore.TopicPosition // Where the store was.
	checked bool                    // Whether the record there was compared.
}

const readBatchBytes = 4 << 20

// newApplier continues from the store's position. seen is how far this process has already read the topic, 0 if it has
// not: a position that it wrote itself need not be compared with the lane again.
func newApplier(
	s *lanestore.Store, topic string, lane int32, lanes int, pos lanestore.TopicPosition, seen int64,
) *applier {
	return &applier{
		store: s, sb: s.BeginReplay(), pos: pos, checked: pos.Last < 0 || seen > pos.Last,
		v: verifier{Verifier: events.Verifier{Topic: topic, Lane: lane, Lanes: lanes, Chain: pos.Chain()}},
	}
}

// known reports whether a record is the last one the store has, and checks that it is the same.
func (r *applier) known(rec *kgo.Record) (bool, error) {
	if r.checked {
		return false, nil
	}
	r.checked = true
	return true, agrees(&r.pos, rec)
}

// agrees checks that the record at the store's last position is the one that the store has.
func agrees(p *lanestore.TopicPosition, rec *kgo.Record) error {
	for i := range rec.Headers {
		if rec.Headers[i].Key == events.HeaderChainHash {
			if string(rec.Headers[i].Value) == base64.StdEncoding.EncodeToString(p.Head[:]) && rec.Offset == p.Last {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: offset %d of %s has another chain hash", errStale, p.Last, rec.Topic)
}

func (r *applier) flush(atLeast int) error {
	if r.sb.Size() < atLeast {
		return nil
	}
	if err := r.sb.Commit(); err != nil {
		return &lostError{err: err, store: true}
	}
	r.sb = r.store.BeginReplay()
	return nil
}

// decision applies a record of the decisions. The decision is nil if the store needs nothing of the record.
func (r *applier) decision(rec *kgo.Record, voids []span) (env events.Envelope, d *ledgerv1.Decision, err error) {
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
		r.sb.Skip(&env, rec.Offset, r.v.Chain)
		return env, nil, r.flush(readBatchBytes)
	}
	d = new(ledgerv1.Decision)
	if err := d.UnmarshalVT(rec.Value); err != nil {
		return env, nil, r.v.damaged(rec, err)
	}
	env.ReadDecision(d)
	if err := r.sb.Decision(&env, d, rec.Offset, r.v.Chain); err != nil {
		return env, nil, &lostError{err: err, store: true}
	}
	return env, d, r.flush(readBatchBytes)
}

// event applies a record of the events. fresh is false if the store already had it.
func (r *applier) event(rec *kgo.Record) (env events.Envelope, fresh bool, err error) {
	if known, err := r.known(rec); known || err != nil {
		return env, false, err
	}
	if env, err = r.v.next(rec); err != nil {
		return env, false, err
	}
	after, err := events.RawAfter(rec.Value)
	if err != nil {
		return env, false, r.v.damaged(rec, err)
	}
	if err := r.sb.Event(&env, after, rec.Offset, r.v.Chain); err != nil {
		return env, false, &lostError{err: err, store: true}
	}
	return env, true, r.flush(readBatchBytes)
}

// verifier checks the records of one topic of a lane.
type verifier struct {
	events.Verifier

	record events.Record
}

// next checks that a record is the one after the last, unaltered, and returns its envelope.
func (v *verifier) next(rec *kgo.Record) (events.Envelope, error) {
	kafka.ReadEventRecord(&v.record, rec)
	env, err := v.Next(&v.record)
	if err != nil {
		return env, v.damaged(rec, err)
	}
	return env, nil
}

func (v *verifier) damaged(rec *kgo.Record, err error) error {
	return fmt.Errorf("%w: %s lane %d offset %d: %w", ErrDamaged, v.Topic, v.Lane, rec.Offset, err)
}
