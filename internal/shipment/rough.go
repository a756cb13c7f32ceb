package shipment

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Decide says what becomes of an input; s is nil while the shipment is not known.
func Decide(s *State, in Input, c Context) Decision {
	d := Decision{State: s}
	if s == nil {
		created, ok := in.(Created)
		switch {
		case ok:
			st := &State{
				ShipmentId: created.ShipmentID, OrderId: created.OrderID, SellerId: created.SellerID, LocationId: created.LocationID,
				Status: ledgerv1.Status_STATUS_APPROVED, Fulfilment: c.Policy.Fulfilment, Version: 1,
				UpdatedAt: timestamppb.New(c.Now), Times: &ledgerv1.Times{Created: told(created.At)},
			}
			for _, it := range created.Items {
				st.Items = append(st.Items, &ledgerv1.Item{
					OrderItemId: it.OrderItemID, Ordered: it.Quantity,
					Status: st.Status, Forward: st.Status, Details: it.Details,
				})
			}
			d.add(&Event{
				After: st, Transition: &ledgerv1.Transition{To: st.Status},
				Body: &ledgerv1.Event_ShipmentCreated{ShipmentCreated: &ledgerv1.ShipmentCreated{At: told(created.At)}},
			})
		case in.IsFact():
			d.Outcome, d.Reason, d.Message = ledgerv1.Outcome_OUTCOME_WAITING, ReasonUnknownShipment, "The shipment is not known yet."
		default:
			d.Outcome, d.Reason, d.Message = ledgerv1.Outcome_OUTCOME_REJECTED, CodeInvalidShipments, "There is no such shipment."
		}
		return d
	}
	switch f := in.(type) {
	case Created:
		d.Outcome, d.Reason = ledgerv1.Outcome_OUTCOME_DUPLICATE, ReasonAlreadyKnown
	case StatusReached:
		if s.GetStatus() >= f.Status {
			d.Outcome, d.Reason = ledgerv1.Outcome_OUTCOME_STALE, ReasonOutranked
			return d
		}
		e := &Event{Transition: &ledgerv1.Transition{From: s.GetStatus(), To: f.Status}}
		switch f.Status {
		case ledgerv1.Status_STATUS_DELIVERED:
			e.Body = &ledgerv1.Event_ShipmentDelivered{ShipmentDelivered: &ledgerv1.ShipmentDelivered{At: told(f.At)}}
		default:
			e.Body = &ledgerv1.Event_ShipmentShipped{ShipmentShipped: &ledgerv1.ShipmentShipped{At: told(f.At)}}
		}
		d.evolve(e, c)
	case Cancelled:
		d.evolve(&Event{
			Transition: &ledgerv1.Transition{From: s.GetStatus(), To: ledgerv1.Status_STATUS_CANCELLED},
			Body:       &ledgerv1.Event_ItemsCancelled{ItemsCancelled: &ledgerv1.ItemsCancelled{At: told(f.At)}},
		}, c)
	default:
		if in.IsFact() {
			d.Outcome, d.Reason = ledgerv1.Outcome_OUTCOME_STALE, ReasonOutranked
		} else {
			d.Outcome, d.Reason, d.Message = ledgerv1.Outcome_OUTCOME_REJECTED, CodeInvalidItemState, "This is not possible now."
		}
	}
	return d
}

// Evolve gives the state after an event; s is nil before the first.
func Evolve(s *State, e *Event) *State {
	if s == nil {
		return e.GetAfter()
	}
	after := s.CloneVT()
	after.Version++
	after.Status = e.GetTransition().GetTo()
	after.UpdatedAt = e.GetAfter().GetUpdatedAt()
	for _, it := range after.Items {
		it.Status = after.Status
	}
	return after
}

func (d *Decision) add(e *Event) {
	d.Outcome = ledgerv1.Outcome_OUTCOME_APPLIED
	d.Events = append(d.Events, e)
	d.State = e.After
}

func (d *Decision) evolve(e *Event, c Context) {
	e.After = &State{UpdatedAt: timestamppb.New(c.Now)}
	e.After = Evolve(d.State, e)
	d.add(e)
}
