package journal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// generatedKey starts the keys that the journal gives to commands that came without one. They are in the ledger, so
// that an outcome in doubt can be looked up, but are not kept as answered: nobody can repeat them.
const generatedKey = "auto/"

// storeBatch is a change of the store together with the position for which it is true. Both topics' records go through
// it, whether they were just committed or are read in a takeover: there is one way to build a lane.
type storeBatch struct {
	s    *store
	b    *pebble.Batch
	m    meta
	buf  []byte // Reused for keys and values; Pebble copies them.
	size int
	// added are the waiting inputs of this batch: what it put is not in the database yet.
	added []*waitingInput
}

func (s *store) begin() *storeBatch {
	m := s.meta
	m.Ahead = slices.Clone(m.Ahead)
	return &storeBatch{s: s, b: s.db.NewBatch(), m: m}
}

// event puts a shipment's state after an event. The chain is moved by the caller, who knows or has checked it.
func (b *storeBatch) event(env *events.Envelope, after []byte, offset int64, chain events.Chain) error {
	if err := b.set(stateKey(env.ShipmentID), after); err != nil {
		return err
	}
	if env.InputKey != "" && !strings.HasPrefix(env.InputKey, generatedKey) && !b.forgotten(env.InputKey) {
		b.buf = binary.AppendVarint(b.buf[:0], offset)
		if err := b.set(offsetKey(env.ShipmentID, env.InputKey), b.buf); err != nil {
			return err
		}
	}
	b.m.Events.move(offset, chain)
	b.m.RecordedMs = max(b.m.RecordedMs, env.RecordedAt.UnixMilli())
	return nil
}

func (p *topicPos) move(offset int64, chain events.Chain) {
	p.Next, p.Last, p.Seq, p.Head = offset+1, offset, chain.Seq, head(chain.Head)
}

func (p *topicPos) chain() events.Chain {
	return events.Chain{Seq: p.Seq, Head: events.Hash(p.Head)}
}

// skipped moves over a record that says nothing to the store: a voided decision, or one that voids others.
func (b *storeBatch) skipped(env *events.Envelope, offset int64, chain events.Chain) {
	b.m.Decisions.move(offset, chain)
	b.m.RecordedMs = max(b.m.RecordedMs, env.RecordedAt.UnixMilli())
}

// decision puts what became of an input.
func (b *storeBatch) decision(env *events.Envelope, d *ledgerv1.Decision, offset int64, chain events.Chain) error {
	b.skipped(env, offset, chain)
	if d.GetEventsLaneseq() >= b.m.DecidedSeq {
		b.m.DecidedSeq = d.GetEventsLaneseq()
		b.m.DecidedHead = head{}
		copy(b.m.DecidedHead[:], d.GetEventsHead())
	}
	if d.InboxOffset != nil {
		b.m.decided(d.GetInboxOffset(), shipment.Code(d.GetReason()) == ReasonRecovered)
	}
	if err := b.waiting(env, d); err != nil {
		return err
	}
	return b.answer(env, d, offset)
}

// decided notes that the inbox record at an offset has its decision. Decisions are in the order of the inbox, but for
// those recovered from events, between which some may still be missing.
func (m *meta) decided(offset int64, outOfOrder bool) {
	if outOfOrder {
		if offset >= m.Inbox && !slices.Contains(m.Ahead, offset) {
			m.Ahead = append(m.Ahead, offset)
		}
		return
	}
	m.Inbox = max(m.Inbox, offset+1)
	m.Ahead = slices.DeleteFunc(m.Ahead, func(o int64) bool { return o < m.Inbox })
}

func (b *storeBatch) answer(env *events.Envelope, d *ledgerv1.Decision, offset int64) error {
	key, reason := d.GetInputKey(), shipment.Code(d.GetReason())
	if key == "" || strings.HasPrefix(key, generatedKey) || b.forgotten(key) ||
		reason == ReasonRepeated || reason == shipment.CodeIdempotencyKeyReused {
		return nil // These say nothing new of the key.
	}
	if !isAnswer(d.GetOutcome(), reason) {
		return b.delete(answerKey(env.ShipmentID, key))
	}
	a := answerOf(d, offset)
	b.buf = a.encode(b.buf[:0])
	return b.set(answerKey(env.ShipmentID, key), b.buf)
}

// isAnswer tells whether a decision answers its key for good. What made no sense or waited too long may come again and
// be decided anew, and so may what a later version of the program can decide.
func isAnswer(outcome ledgerv1.Outcome, reason shipment.Code) bool {
	return outcome != ledgerv1.Outcome_OUTCOME_QUARANTINED && reason != shipment.ReasonFailed && reason != shipment.ReasonTooLarge
}

func answerOf(d *ledgerv1.Decision, offset int64) answer {
	a := answer{
		outcome: d.GetOutcome(), first: d.GetFirstVersion(), last: d.GetLastVersion(),
		reason: shipment.Code(d.GetReason()), message: d.GetMessage(), offset: offset,
	}
	copy(a.hash[:], d.GetInputHash())
	return a
}

// waiting keeps the list of what waits: recorded as waiting minus answered since.
func (b *storeBatch) waiting(env *events.Envelope, d *ledgerv1.Decision) error {
	switch {
	case d.GetOutcome() == ledgerv1.Outcome_OUTCOME_WAITING && !d.GetWaited():
		w := waitingOf(env, d)
		at := waitingKey(env.ShipmentID, w.Seq)
		b.m.Waiting++
		b.added = append(b.added, w)
		if err := b.set(queueKey(w.Seq), at); err != nil {
			return err
		}
		return b.set(at, w.encode())
	case !d.GetWaited():
		return nil
	}
	w, at, err := b.find(env.ShipmentID, d.GetInboxOffset())
	if err != nil || w == nil {
		return err
	}
	if err := b.delete(queueKey(w.Seq)); err != nil {
		return err
	}
	if shipment.Code(d.GetReason()) == shipment.ReasonWaitedTooLong {
		w.Quarantined = true
		return b.set(at, w.encode())
	}
	b.m.Waiting--
	return b.delete(at)
}

func waitingOf(env *events.Envelope, d *ledgerv1.Decision) *waitingInput {
	w := &waitingInput{
		Seq: env.LaneSeq, RecordedAt: env.RecordedAt,
		Record: InboxRecord{
			ShipmentID: env.ShipmentID, Key: d.GetInputKey(), SellerID: d.GetSellerId(),
			CorrelationID: env.CorrelationID, AuthType: env.AuthType, AuthID: env.AuthID, TraceParent: env.TraceParent,
			ReceivedAt: env.RecordedAt, Offset: d.GetInboxOffset(), Body: d.GetBody(),
		},
	}
	copy(w.Record.Hash[:], d.GetInputHash())
	return w
}

// find returns the waiting input that came from an offset of the inbox.
func (b *storeBatch) find(shipmentID string, offset int64) (*waitingInput, []byte, error) {
	for _, w := range b.added {
		if w.Record.Offset == offset && w.Record.ShipmentID == shipmentID {
			return w, waitingKey(shipmentID, w.Seq), nil
		}
	}
	var (
		found *waitingInput
		at    []byte
	)
	err := b.s.scan(waitingPrefix(shipmentID), func(key, value []byte) (bool, error) {
		w, err := decodeWaiting(value)
		if err != nil {
			return false, fmt.Errorf("lane store: waiting input of %s: %w", shipmentID, err)
		}
		if w.Record.Offset == offset {
			found, at = w, append([]byte(nil), key...)
		}
		return found == nil, nil
	})
	return found, at, err
}

func (b *storeBatch) set(key, value []byte) error {
	b.size += len(key) + len(value)
	return b.b.Set(key, value, nil)
}

func (b *storeBatch) delete(key []byte) error {
	b.size += len(key)
	return b.b.Delete(key, nil)
}

// commit writes the batch and its position, both or nothing. It is not flushed to the disk: the store may lose its end,
// it is then true for an earlier position.
func (b *storeBatch) commit() error {
	if err := b.forgetOnce(); err != nil {
		return err
	}
	raw, err := json.Marshal(&b.m)
	if err != nil {
		return err
	}
	if err := b.b.Set(keyMeta, raw, nil); err != nil {
		return err
	}
	if err := b.b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write lane store: %w", err)
	}
	b.s.meta = b.m
	return b.b.Close()
}
