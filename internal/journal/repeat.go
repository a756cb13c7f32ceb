package journal

import (
	"strings"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// repeat reports whether the input's key was answered before, also in this batch, and decides the step if so. A command
// gets the first answer and no decision of its own, so that a client that retries for hours does not fill the ledger. A
// notification gets a decision, as every record of the inbox does.
func (b *batch) repeat(s *step) (bool, error) {
	in := s.in
	if in.record.Key == "" || in.foreign != nil || in.expired {
		return false, nil //nolint:nilerr // That a record is foreign is no error of this function.
	}
	prior, err := b.answered(s)
	if err == nil && prior == nil {
		prior, err = b.silentRepeat(s)
	}
	if err != nil {
		return false, err
	}
	if prior == nil {
		if c := in.call; c != nil && !c.cmd.First && b.l.store.Meta().Forgot(c.key) {
			s.refused = errForgotten
		}
		return s.refused != nil, nil
	}
	same := prior.Hash == in.record.Hash
	switch {
	case in.call != nil && same:
		s.repeats = prior
	case in.call != nil:
		s.d = in.refuse(shipment.CodeIdempotencyKeyReused, "the key was used for another input")
	case same:
		b.l.decider.name(in)
		s.d = shipment.Decision{
			Outcome: ledgerv1.Outcome_OUTCOME_DUPLICATE, Reason: ReasonRepeated, Message: "the same notification came before",
		}
	default:
		// A natural key contains the hash, so this is not a genuine retry. The input is quarantined, not lost.
		s.d = in.refuse(shipment.CodeIdempotencyKeyReused, "the key was used for another input")
	}
	return true, nil
}

// answered returns the answer to the input's key, nil for none.
func (b *batch) answered(s *step) (*lanestore.Answer, error) {
	in := s.in
	id := answerID{shipmentID: in.record.ShipmentID, key: in.record.Key}
	if i, ok := b.answers[id]; ok {
		return b.earlier(s, i), nil
	}
	if strings.HasPrefix(id.key, lanestore.GeneratedKey) {
		return nil, nil // The journal has just generated it, so no earlier command can have it.
	}
	a, err := b.probe.Answered(b.l.store, id.shipmentID, id.key)
	if a != nil || err != nil || in.call != nil || in.waiting != nil {
		return a, err // No command waits, and the answer to a waiting input is its own.
	}
	// The same fact may wait, but only that of the same sender answers this one: anybody may send a fact of a shipment
	// that nobody knows yet, and the creation quarantines the facts of those who don't speak for its seller.
	id.sender = in.sender()
	if i, ok := b.answers[id]; ok {
		return b.earlier(s, i), nil
	}
	tally, err := b.tally(id.shipmentID)
	if err != nil || tally.Count == 0 {
		return nil, err
	}
	return b.l.store.WaitingAnswer(id.shipmentID, id.sender, id.key)
}

// silentRepeat returns the answer to a command without a key that a client sent again on its own, because the
// connection broke before it had the answer; nil if this is another command. It is the same if it comes from the same
// seller with the same content soon after, and the shipment is as the first one left it.
func (b *batch) silentRepeat(s *step) (*lanestore.Answer, error) {
	in, none := s.in, events.Hash{}
	within := b.l.j.cfg.RepeatWithin
	if in.call == nil || within < 0 || in.record.Hash == none || !lanestore.Keyless(in.record.Key) {
		return nil, nil
	}
	var a *lanestore.Answer
	id := answerID{shipmentID: in.record.ShipmentID, key: lanestore.LastCall}
	i, here := b.answers[id]
	if here {
		a = b.earlier(s, i)
		a.DecidedMs = b.steps[i].in.decidedAt.UnixMilli()
	} else {
		var err error
		if a, err = b.probe.Answered(b.l.store, id.shipmentID, id.key); err != nil || a == nil {
			return nil, err
		}
	}
	state, err := b.state(id.shipmentID)
	if err != nil {
		return nil, err
	}
	since := time.Duration(in.decidedAt.UnixMilli()-a.DecidedMs) * time.Millisecond
	if a.Hash != in.record.Hash || a.Last != state.GetVersion() || state.GetSellerId() != in.record.SellerID ||
		since.Abs() > within {
		s.sameAs = -1
		return nil, nil
	}
	return a, nil
}

// earlier returns the answer that a step of this batch gave; nil for -1.
func (b *batch) earlier(s *step, i int) *lanestore.Answer {
	if i < 0 {
		return nil
	}
	earlier := &b.steps[i]
	s.sameAs = i
	return &lanestore.Answer{
		Outcome: earlier.d.Outcome, Hash: earlier.in.record.Hash, First: earlier.first, Last: earlier.last,
		Reason: earlier.d.Reason, Message: earlier.d.Message,
	}
}
