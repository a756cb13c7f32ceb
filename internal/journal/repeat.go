package journal

import (
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// repeat finds out whether the input's key was answered before, in this batch too, and if so what the answer is now.
func (b *batch) repeat(s *step) (bool, error) {
	in := s.in
	if in.record.Key == "" || in.foreign != nil || in.expired {
		return false, nil //nolint:nilerr // That a record is foreign is no error of this function.
	}
	prior, err := b.answered(s)
	if err != nil || prior == nil {
		return false, err
	}
	if in.waiting != nil && prior.outcome == ledgerv1.Outcome_OUTCOME_WAITING {
		return false, nil // That is itself.
	}
	same := prior.hash == in.record.Hash
	switch {
	case in.call != nil && same:
		s.repeats = prior
	case in.call != nil:
		s.d = in.refuse(shipment.CodeIdempotencyKeyReused, "the key was used for another input")
	case same:
		b.l.name(in)
		s.d = shipment.Decision{
			Outcome: ledgerv1.Outcome_OUTCOME_DUPLICATE, Reason: ReasonRepeated, Message: "the same notification came before",
		}
	default:
		// A natural key holds the hash, so this is no honest repeat. It is set aside, not lost.
		s.d = in.refuse(shipment.CodeIdempotencyKeyReused, "the key was used for another input")
	}
	return true, nil
}

func (b *batch) answered(s *step) (*answer, error) {
	id := answerID{s.in.record.ShipmentID, s.in.record.Key}
	if i, ok := b.answers[id]; ok {
		if i < 0 {
			return nil, nil
		}
		earlier := &b.steps[i]
		s.sameAs = i
		return &answer{
			outcome: earlier.d.Outcome, hash: earlier.in.record.Hash, first: earlier.first, last: earlier.last,
			reason: earlier.d.Reason, message: earlier.d.Message,
		}, nil
	}
	if isGenerated(id.key) {
		return nil, nil
	}
	there, err := b.probe.has(b.l.store, answerKey(id.shipmentID, id.key))
	if err != nil || !there {
		return nil, err
	}
	return b.l.store.answered(id.shipmentID, id.key)
}
