package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// Evolve returns the state after an event; s is nil before the first.
//
// The result follows from the state before and from the event's body and transition, except for two things that are
// taken from the event's `after`: the contents of a ShipmentCreated, and updated_at. So a verifier can check that
// Evolve(before, e) equals e.After. Neither argument is changed; the result shares with both of them the parts that did
// not change.
func Evolve(s *State, e *Event) *State {
	if e == nil {
		return s
	}
	if s == nil {
		if _, ok := e.Body.(*ledgerv1.Event_ShipmentCreated); ok {
			return e.After
		}
		s = &State{}
	}
	d := newDraft(s)
	d.noteUpdate(e.GetAfter().GetUpdatedAt())
	d.apply(e)
	return d.State
}

// apply folds the event into the draft and derives the rest.
func (d *draft) apply(e *Event) {
	d.late = e.GetTransition().GetLate()
	d.Irregular = d.Irregular || e.GetTransition().GetIrregular()
	switch b := e.GetBody().(type) {
	case *ledgerv1.Event_ShipmentHeld:
		d.held(b.ShipmentHeld)
	case *ledgerv1.Event_ShipmentReleased:
		d.released(b.ShipmentReleased)
	case *ledgerv1.Event_DispatchDatesChanged:
		d.datesChanged(b.DispatchDatesChanged)
	case *ledgerv1.Event_LabelsRequested:
		d.labelsRequested(b.LabelsRequested)
	case *ledgerv1.Event_FormFailed:
		d.formFailed(b.FormFailed)
	case *ledgerv1.Event_FormAcknowledged:
		d.formAcknowledged(b.FormAcknowledged)
	case *ledgerv1.Event_ShipmentPacked:
		d.packed(b.ShipmentPacked)
	case *ledgerv1.Event_ReadyToDispatch:
		d.climb(rowReportedReady, b.ReadyToDispatch.GetAt(), b.ReadyToDispatch.GetOrderItemIds())
	case *ledgerv1.Event_PickupCompleted:
		d.climb(rowReportedPickedUp, b.PickupCompleted.GetAt(), b.PickupCompleted.GetOrderItemIds())
	case *ledgerv1.Event_ShipmentShipped:
		d.shipped(b.ShipmentShipped)
	case *ledgerv1.Event_DeliveryAttempted:
		d.deliveryAttempted(b.DeliveryAttempted)
	case *ledgerv1.Event_ShipmentDelivered:
		d.climb(rowReportedDelivered, b.ShipmentDelivered.GetAt(), b.ShipmentDelivered.GetOrderItemIds())
	case *ledgerv1.Event_ShipmentCompleted:
		d.climb(rowReportedCompleted, b.ShipmentCompleted.GetAt(), b.ShipmentCompleted.GetOrderItemIds())
	case *ledgerv1.Event_ItemsCancelled:
		d.itemsCancelled(b.ItemsCancelled)
	case *ledgerv1.Event_TrackingUpdated:
		d.trackingUpdated(b.TrackingUpdated)
	case *ledgerv1.Event_PropertiesUpdated:
		d.propertiesUpdated(b.PropertiesUpdated)
	default:
		d.applyAftermath(e)
	}
	d.finish()
}

// applyAftermath folds events of services and returns.
func (d *draft) applyAftermath(e *Event) {
	switch b := e.GetBody().(type) {
	case *ledgerv1.Event_ServiceActivated:
		d.serviceActivated(b.ServiceActivated)
	case *ledgerv1.Event_ServiceStarted:
		d.serviceStarted(b.ServiceStarted)
	case *ledgerv1.Event_ServiceAttempted:
		e := b.ServiceAttempted
		d.attempted(e.GetServiceId(), clockService, e.GetAt(), e.GetNewDue())
	case *ledgerv1.Event_ServiceCompleted:
		d.serviceCompleted(b.ServiceCompleted.GetServiceId(), b.ServiceCompleted.GetAt())
	case *ledgerv1.Event_ServiceCancelled:
		d.servicesCancelled(b.ServiceCancelled.GetServiceIds(), b.ServiceCancelled.GetAt())
	case *ledgerv1.Event_TechVisitRequested:
		d.techVisitRequested(b.TechVisitRequested)
	case *ledgerv1.Event_TechVisitAttempted:
		e := b.TechVisitAttempted
		d.attempted(e.GetServiceId(), clockVisit, e.GetAt(), e.GetNewDue())
	case *ledgerv1.Event_TechVisitCompleted:
		d.serviceCompleted(b.TechVisitCompleted.GetServiceId(), b.TechVisitCompleted.GetAt())
	case *ledgerv1.Event_TechVisitCancelled:
		d.techVisitCancelled(b.TechVisitCancelled)
	case *ledgerv1.Event_ReturnCreated:
		d.returnCreated(b.ReturnCreated)
	case *ledgerv1.Event_ReturnTrackingUpdated:
		d.returnTracked(b.ReturnTrackingUpdated)
	case *ledgerv1.Event_ReturnExpectedDateChanged:
		d.returnExpected(b.ReturnExpectedDateChanged)
	case *ledgerv1.Event_ReturnApproved:
		d.returnApproved(b.ReturnApproved)
	case *ledgerv1.Event_ReturnRejected:
		e := b.ReturnRejected
		d.returnReached(rowReturnRejected, e.GetReturnId(), e.GetOrderItemIds(), e.GetAt(), e.GetComments())
	case *ledgerv1.Event_PickupAttempted:
		d.pickupAttempted(b.PickupAttempted)
	case *ledgerv1.Event_ReturnPickedUp:
		e := b.ReturnPickedUp
		d.returnReached(rowReturnPickedUp, e.GetReturnId(), e.GetOrderItemIds(), e.GetAt(), "")
	case *ledgerv1.Event_ReturnCompleted:
		e := b.ReturnCompleted
		d.returnReached(rowReturnCompleted, e.GetReturnId(), e.GetOrderItemIds(), e.GetAt(), "")
	case *ledgerv1.Event_ReturnCancelled:
		d.returnCancelled(b.ReturnCancelled)
	case *ledgerv1.Event_ReturnUpdated:
		d.returnUpdated(b.ReturnUpdated)
	default:
		// A second ShipmentCreated is never written, and an event without a body changes nothing. Neither must panic:
		// events are read from Kafka.
	}
}
