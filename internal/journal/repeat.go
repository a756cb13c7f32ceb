package journal

import (
	"strings"

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
	if err != nil {
		return false, err
	}
	if prior == nil {
		if c := in.call; c != nil && !c.cmd.First && b.l.store.Meta().Forgot(c.key) {
			s.refused = errForgotten
		}
		return s.refused != nil, nil
	}
	if in.waiting != nil && prior.Outcome == ledgerv1.Outcome_OUTCOME_WAITING {
		return false, nil // The prior answer is its own, from when it began to wait.
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
	id := answerID{s.in.record.ShipmentID, s.in.record.Key}
	if i, ok := b.answers[id]; ok {
		if i < 0 {
			return nil, nil // Its earlier decision in this batch does not answer the key for good.
		}
		earlier := &b.steps[i]
		s.sameAs = i
		return &lanestore.Answer{
			Outcome: earlier.d.Outcome, Hash: earlier.in.record.Hash, First: earlier.first, Last: earlier.last,
			Reason: earlier.d.Reason, Message: earlier.d.Message,
		}, nil
	}
	if strings.HasPrefix(id.key, lanestore.GeneratedKey) {
		return nil, nil // The journal has just generated it, so no earlier command can have it.
	}
	return b.probe.Answered(b.l.store, id.shipmentID, id.key)
}
