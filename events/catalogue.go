package events

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// The types of events, as ce_type names them.
const (
	TypeShipmentCreated           = "orders.ShipmentCreated.v1"
	TypeShipmentHeld              = "orders.ShipmentHeld.v1"
	TypeShipmentReleased          = "orders.ShipmentReleased.v1"
	TypeDispatchDatesChanged      = "orders.DispatchDatesChanged.v1"
	TypeLabelsRequested           = "orders.LabelsRequested.v1"
	TypeFormFailed                = "orders.FormFailed.v1"
	TypeFormAcknowledged          = "orders.FormAcknowledged.v1"
	TypeShipmentPacked            = "orders.ShipmentPacked.v1"
	TypeReadyToDispatch           = "orders.ReadyToDispatch.v1"
	TypePickupCompleted           = "orders.PickupCompleted.v1"
	TypeShipmentShipped           = "orders.ShipmentShipped.v1"
	TypeDeliveryAttempted         = "orders.DeliveryAttempted.v1"
	TypeShipmentDelivered         = "orders.ShipmentDelivered.v1"
	TypeShipmentCompleted         = "orders.ShipmentCompleted.v1"
	TypeItemsCancelled            = "orders.ItemsCancelled.v1"
	TypeTrackingUpdated           = "orders.TrackingUpdated.v1"
	TypePropertiesUpdated         = "orders.PropertiesUpdated.v1"
	TypeServiceActivated          = "orders.ServiceActivated.v1"
	TypeServiceStarted            = "orders.ServiceStarted.v1"
	TypeServiceAttempted          = "orders.ServiceAttempted.v1"
	TypeServiceCompleted          = "orders.ServiceCompleted.v1"
	TypeServiceCancelled          = "orders.ServiceCancelled.v1"
	TypeReturnCreated             = "orders.ReturnCreated.v1"
	TypeReturnTrackingUpdated     = "orders.ReturnTrackingUpdated.v1"
	TypeReturnExpectedDateChanged = "orders.ReturnExpectedDateChanged.v1"
	TypeTechVisitRequested        = "orders.TechVisitRequested.v1"
	TypeTechVisitAttempted        = "orders.TechVisitAttempted.v1"
	TypeTechVisitCompleted        = "orders.TechVisitCompleted.v1"
	TypeTechVisitCancelled        = "orders.TechVisitCancelled.v1"
	TypeReturnApproved            = "orders.ReturnApproved.v1"
	TypeReturnRejected            = "orders.ReturnRejected.v1"
	TypePickupAttempted           = "orders.PickupAttempted.v1"
	TypeReturnPickedUp            = "orders.ReturnPickedUp.v1"
	TypeReturnCompleted           = "orders.ReturnCompleted.v1"
	TypeReturnCancelled           = "orders.ReturnCancelled.v1"
	TypeReturnUpdated             = "orders.ReturnUpdated.v1"
)

// The types of records in the decisions topic.
const (
	TypeDecision        = "orders.Decision.v1"
	TypeDecisionsVoided = "orders.DecisionsVoided.v1"
)

// Types lists every event type of the catalogue, in its order.
func Types() []string {
	return []string{
		TypeShipmentCreated,
		TypeShipmentHeld,
		TypeShipmentReleased,
		TypeDispatchDatesChanged,
		TypeLabelsRequested,
		TypeFormFailed,
		TypeFormAcknowledged,
		TypeShipmentPacked,
		TypeReadyToDispatch,
		TypePickupCompleted,
		TypeShipmentShipped,
		TypeDeliveryAttempted,
		TypeShipmentDelivered,
		TypeShipmentCompleted,
		TypeItemsCancelled,
		TypeTrackingUpdated,
		TypePropertiesUpdated,
		TypeServiceActivated,
		TypeServiceStarted,
		TypeServiceAttempted,
		TypeServiceCompleted,
		TypeServiceCancelled,
		TypeReturnCreated,
		TypeReturnTrackingUpdated,
		TypeReturnExpectedDateChanged,
		TypeTechVisitRequested,
		TypeTechVisitAttempted,
		TypeTechVisitCompleted,
		TypeTechVisitCancelled,
		TypeReturnApproved,
		TypeReturnRejected,
		TypePickupAttempted,
		TypeReturnPickedUp,
		TypeReturnCompleted,
		TypeReturnCancelled,
		TypeReturnUpdated,
	}
}

// TypeOf returns the type of an event, or "" when it has no body.
func TypeOf(e *ledgerv1.Event) string {
	switch e.GetBody().(type) {
	case *ledgerv1.Event_ShipmentCreated:
		return TypeShipmentCreated
	case *ledgerv1.Event_ShipmentHeld:
		return TypeShipmentHeld
	case *ledgerv1.Event_ShipmentReleased:
		return TypeShipmentReleased
	case *ledgerv1.Event_DispatchDatesChanged:
		return TypeDispatchDatesChanged
	case *ledgerv1.Event_LabelsRequested:
		return TypeLabelsRequested
	case *ledgerv1.Event_FormFailed:
		return TypeFormFailed
	case *ledgerv1.Event_FormAcknowledged:
		return TypeFormAcknowledged
	case *ledgerv1.Event_ShipmentPacked:
		return TypeShipmentPacked
	case *ledgerv1.Event_ReadyToDispatch:
		return TypeReadyToDispatch
	case *ledgerv1.Event_PickupCompleted:
		return TypePickupCompleted
	case *ledgerv1.Event_ShipmentShipped:
		return TypeShipmentShipped
	case *ledgerv1.Event_DeliveryAttempted:
		return TypeDeliveryAttempted
	case *ledgerv1.Event_ShipmentDelivered:
		return TypeShipmentDelivered
	case *ledgerv1.Event_ShipmentCompleted:
		return TypeShipmentCompleted
	case *ledgerv1.Event_ItemsCancelled:
		return TypeItemsCancelled
	case *ledgerv1.Event_TrackingUpdated:
		return TypeTrackingUpdated
	case *ledgerv1.Event_PropertiesUpdated:
		return TypePropertiesUpdated
	case *ledgerv1.Event_ServiceActivated:
		return TypeServiceActivated
	case *ledgerv1.Event_ServiceStarted:
		return TypeServiceStarted
	case *ledgerv1.Event_ServiceAttempted:
		return TypeServiceAttempted
	case *ledgerv1.Event_ServiceCompleted:
		return TypeServiceCompleted
	case *ledgerv1.Event_ServiceCancelled:
		return TypeServiceCancelled
	case *ledgerv1.Event_ReturnCreated:
		return TypeReturnCreated
	case *ledgerv1.Event_ReturnTrackingUpdated:
		return TypeReturnTrackingUpdated
	case *ledgerv1.Event_ReturnExpectedDateChanged:
		return TypeReturnExpectedDateChanged
	case *ledgerv1.Event_TechVisitRequested:
		return TypeTechVisitRequested
	case *ledgerv1.Event_TechVisitAttempted:
		return TypeTechVisitAttempted
	case *ledgerv1.Event_TechVisitCompleted:
		return TypeTechVisitCompleted
	case *ledgerv1.Event_TechVisitCancelled:
		return TypeTechVisitCancelled
	case *ledgerv1.Event_ReturnApproved:
		return TypeReturnApproved
	case *ledgerv1.Event_ReturnRejected:
		return TypeReturnRejected
	case *ledgerv1.Event_PickupAttempted:
		return TypePickupAttempted
	case *ledgerv1.Event_ReturnPickedUp:
		return TypeReturnPickedUp
	case *ledgerv1.Event_ReturnCompleted:
		return TypeReturnCompleted
	case *ledgerv1.Event_ReturnCancelled:
		return TypeReturnCancelled
	case *ledgerv1.Event_ReturnUpdated:
		return TypeReturnUpdated
	default:
		return ""
	}
}

// At returns the moment at which an event happened, or nil when it has no body.
func At(e *ledgerv1.Event) *ledgerv1.Moment {
	switch b := e.GetBody().(type) {
	case *ledgerv1.Event_ShipmentCreated:
		return b.ShipmentCreated.GetAt()
	case *ledgerv1.Event_ShipmentHeld:
		return b.ShipmentHeld.GetAt()
	case *ledgerv1.Event_ShipmentReleased:
		return b.ShipmentReleased.GetAt()
	case *ledgerv1.Event_DispatchDatesChanged:
		return b.DispatchDatesChanged.GetAt()
	case *ledgerv1.Event_LabelsRequested:
		return b.LabelsRequested.GetAt()
	case *ledgerv1.Event_FormFailed:
		return b.FormFailed.GetAt()
	case *ledgerv1.Event_FormAcknowledged:
		return b.FormAcknowledged.GetAt()
	case *ledgerv1.Event_ShipmentPacked:
		return b.ShipmentPacked.GetAt()
	case *ledgerv1.Event_ReadyToDispatch:
		return b.ReadyToDispatch.GetAt()
	case *ledgerv1.Event_PickupCompleted:
		return b.PickupCompleted.GetAt()
	case *ledgerv1.Event_ShipmentShipped:
		return b.ShipmentShipped.GetAt()
	case *ledgerv1.Event_DeliveryAttempted:
		return b.DeliveryAttempted.GetAt()
	case *ledgerv1.Event_ShipmentDelivered:
		return b.ShipmentDelivered.GetAt()
	case *ledgerv1.Event_ShipmentCompleted:
		return b.ShipmentCompleted.GetAt()
	case *ledgerv1.Event_ItemsCancelled:
		return b.ItemsCancelled.GetAt()
	case *ledgerv1.Event_TrackingUpdated:
		return b.TrackingUpdated.GetAt()
	case *ledgerv1.Event_PropertiesUpdated:
		return b.PropertiesUpdated.GetAt()
	case *ledgerv1.Event_ServiceActivated:
		return b.ServiceActivated.GetAt()
	case *ledgerv1.Event_ServiceStarted:
		return b.ServiceStarted.GetAt()
	case *ledgerv1.Event_ServiceAttempted:
		return b.ServiceAttempted.GetAt()
	case *ledgerv1.Event_ServiceCompleted:
		return b.ServiceCompleted.GetAt()
	case *ledgerv1.Event_ServiceCancelled:
		return b.ServiceCancelled.GetAt()
	case *ledgerv1.Event_ReturnCreated:
		return b.ReturnCreated.GetAt()
	case *ledgerv1.Event_ReturnTrackingUpdated:
		return b.ReturnTrackingUpdated.GetAt()
	case *ledgerv1.Event_ReturnExpectedDateChanged:
		return b.ReturnExpectedDateChanged.GetAt()
	case *ledgerv1.Event_TechVisitRequested:
		return b.TechVisitRequested.GetAt()
	case *ledgerv1.Event_TechVisitAttempted:
		return b.TechVisitAttempted.GetAt()
	case *ledgerv1.Event_TechVisitCompleted:
		return b.TechVisitCompleted.GetAt()
	case *ledgerv1.Event_TechVisitCancelled:
		return b.TechVisitCancelled.GetAt()
	case *ledgerv1.Event_ReturnApproved:
		return b.ReturnApproved.GetAt()
	case *ledgerv1.Event_ReturnRejected:
		return b.ReturnRejected.GetAt()
	case *ledgerv1.Event_PickupAttempted:
		return b.PickupAttempted.GetAt()
	case *ledgerv1.Event_ReturnPickedUp:
		return b.ReturnPickedUp.GetAt()
	case *ledgerv1.Event_ReturnCompleted:
		return b.ReturnCompleted.GetAt()
	case *ledgerv1.Event_ReturnCancelled:
		return b.ReturnCancelled.GetAt()
	case *ledgerv1.Event_ReturnUpdated:
		return b.ReturnUpdated.GetAt()
	default:
		return nil
	}
}

// typeString returns the constant for a known type, which saves the hot path an allocation.
func typeString(v []byte) string {
	switch string(v) {
	case TypeShipmentCreated:
		return TypeShipmentCreated
	case TypeShipmentHeld:
		return TypeShipmentHeld
	case TypeShipmentReleased:
		return TypeShipmentReleased
	case TypeDispatchDatesChanged:
		return TypeDispatchDatesChanged
	case TypeLabelsRequested:
		return TypeLabelsRequested
	case TypeFormFailed:
		return TypeFormFailed
	case TypeFormAcknowledged:
		return TypeFormAcknowledged
	case TypeShipmentPacked:
		return TypeShipmentPacked
	case TypeReadyToDispatch:
		return TypeReadyToDispatch
	case TypePickupCompleted:
		return TypePickupCompleted
	case TypeShipmentShipped:
		return TypeShipmentShipped
	case TypeDeliveryAttempted:
		return TypeDeliveryAttempted
	case TypeShipmentDelivered:
		return TypeShipmentDelivered
	case TypeShipmentCompleted:
		return TypeShipmentCompleted
	case TypeItemsCancelled:
		return TypeItemsCancelled
	case TypeTrackingUpdated:
		return TypeTrackingUpdated
	case TypePropertiesUpdated:
		return TypePropertiesUpdated
	case TypeServiceActivated:
		return TypeServiceActivated
	case TypeServiceStarted:
		return TypeServiceStarted
	case TypeServiceAttempted:
		return TypeServiceAttempted
	case TypeServiceCompleted:
		return TypeServiceCompleted
	case TypeServiceCancelled:
		return TypeServiceCancelled
	case TypeReturnCreated:
		return TypeReturnCreated
	case TypeReturnTrackingUpdated:
		return TypeReturnTrackingUpdated
	case TypeReturnExpectedDateChanged:
		return TypeReturnExpectedDateChanged
	case TypeTechVisitRequested:
		return TypeTechVisitRequested
	case TypeTechVisitAttempted:
		return TypeTechVisitAttempted
	case TypeTechVisitCompleted:
		return TypeTechVisitCompleted
	case TypeTechVisitCancelled:
		return TypeTechVisitCancelled
	case TypeReturnApproved:
		return TypeReturnApproved
	case TypeReturnRejected:
		return TypeReturnRejected
	case TypePickupAttempted:
		return TypePickupAttempted
	case TypeReturnPickedUp:
		return TypeReturnPickedUp
	case TypeReturnCompleted:
		return TypeReturnCompleted
	case TypeReturnCancelled:
		return TypeReturnCancelled
	case TypeReturnUpdated:
		return TypeReturnUpdated
	case TypeDecision:
		return TypeDecision
	}
	return string(v)
}

// known tells whether a ce_type is in the catalogue.
func known(ceType string) bool {
	switch ceType {
	case TypeShipmentCreated,
		TypeShipmentHeld,
		TypeShipmentReleased,
		TypeDispatchDatesChanged,
		TypeLabelsRequested,
		TypeFormFailed,
		TypeFormAcknowledged,
		TypeShipmentPacked,
		TypeReadyToDispatch,
		TypePickupCompleted,
		TypeShipmentShipped,
		TypeDeliveryAttempted,
		TypeShipmentDelivered,
		TypeShipmentCompleted,
		TypeItemsCancelled,
		TypeTrackingUpdated,
		TypePropertiesUpdated,
		TypeServiceActivated,
		TypeServiceStarted,
		TypeServiceAttempted,
		TypeServiceCompleted,
		TypeServiceCancelled,
		TypeReturnCreated,
		TypeReturnTrackingUpdated,
		TypeReturnExpectedDateChanged,
		TypeTechVisitRequested,
		TypeTechVisitAttempted,
		TypeTechVisitCompleted,
		TypeTechVisitCancelled,
		TypeReturnApproved,
		TypeReturnRejected,
		TypePickupAttempted,
		TypeReturnPickedUp,
		TypeReturnCompleted,
		TypeReturnCancelled,
		TypeReturnUpdated:
		return true
	}
	return false
}
