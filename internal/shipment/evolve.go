package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// Evolve gives the state after an event; s is nil before the first.
//
// All of it follows from the event's body and transition and the state before, but for two things which are taken from
// the event's `after`: what a ShipmentCreated tells, and the time of recording, which is the envelope's.
// So a verifier can check that Evolve(before, e) equals e.After. Neither argument is changed; the result shares with
// both what did not change.
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

// apply plays the event into the draft and derives the rest.
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

// applyAftermath plays events of services and returns.
func (d *draft) applyAftermath(e *Event) {
	switch b := e.GetBody().(type) {
	case *ledgerv1.Event_ServiceActivated:
		d.serviceActivated(b.ServiceActivated)
	case *ledgerv1.Event_ServiceStarted:
		d.serviceStarted(b.ServiceStarted)
	case *ledgerv1.Event_ServiceAttempted:
		d.attempted(b.ServiceAttempted.GetServiceId(), clockService, b.ServiceAttempted.GetAt(), b.ServiceAttempted.GetNewDue())
	case *ledgerv1.Event_ServiceCompleted:
		d.serviceCompleted(b.ServiceCompleted.GetServiceId(), b.ServiceCompleted.GetAt())
	case *ledgerv1.Event_ServiceCancelled:
		d.servicesCancelled(b.ServiceCancelled.GetServiceIds(), b.ServiceCancelled.GetAt())
	case *ledgerv1.Event_TechVisitRequested:
		d.techVisitRequested(b.TechVisitRequested)
	case *ledgerv1.Event_TechVisitAttempted:
		d.attempted(b.TechVisitAttempted.GetServiceId(), clockVisit, b.TechVisitAttempted.GetAt(), b.TechVisitAttempted.GetNewDue())
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
		d.returnReached(rowReturnRejected, b.ReturnRejected.GetReturnId(), b.ReturnRejected.GetOrderItemIds(), b.ReturnRejected.GetAt(), b.ReturnRejected.GetComments())
	case *ledgerv1.Event_PickupAttempted:
		d.pickupAttempted(b.PickupAttempted)
	case *ledgerv1.Event_ReturnPickedUp:
		d.returnReached(rowReturnPickedUp, b.ReturnPickedUp.GetReturnId(), b.ReturnPickedUp.GetOrderItemIds(), b.ReturnPickedUp.GetAt(), "")
	case *ledgerv1.Event_ReturnCompleted:
		d.returnReached(rowReturnCompleted, b.ReturnCompleted.GetReturnId(), b.ReturnCompleted.GetOrderItemIds(), b.ReturnCompleted.GetAt(), "")
	case *ledgerv1.Event_ReturnCancelled:
		d.returnCancelled(b.ReturnCancelled)
	case *ledgerv1.Event_ReturnUpdated:
		d.returnUpdated(b.ReturnUpdated)
	default:
		// ShipmentCreated cannot come twice, and an event without a body says nothing.
	}
}
