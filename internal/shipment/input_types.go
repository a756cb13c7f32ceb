package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// maxTypeText bounds the marketplace's word for an event in the type of an input, which becomes a metric's label and a
// column: a notification can carry any text there.
const maxTypeText = 64

// Type names the input in decisions.
func (RequestLabels) Type() string { return "command.request_labels" }

// IsFact tells that it is a command.
func (RequestLabels) IsFact() bool { return false }

func (RequestLabels) sealed() {}

// Type names the input in decisions.
func (CompletePacking) Type() string { return "command.complete_packing" }

// IsFact tells that it is a command.
func (CompletePacking) IsFact() bool { return false }

func (CompletePacking) sealed() {}

// Type names the input in decisions.
func (FailForms) Type() string { return "command.fail_forms" }

// IsFact tells that it is a command.
func (FailForms) IsFact() bool { return false }

func (FailForms) sealed() {}

// Type names the input in decisions.
func (Dispatch) Type() string { return "command.dispatch" }

// IsFact tells that it is a command.
func (Dispatch) IsFact() bool { return false }

func (Dispatch) sealed() {}

// Type names the input in decisions.
func (Cancel) Type() string { return "command.cancel" }

// IsFact tells that it is a command.
func (Cancel) IsFact() bool { return false }

func (Cancel) sealed() {}

// Type names the input in decisions.
func (AcknowledgeForms) Type() string { return "command.acknowledge_forms" }

// IsFact tells that it is a command.
func (AcknowledgeForms) IsFact() bool { return false }

func (AcknowledgeForms) sealed() {}

// Type names the input in decisions.
func (DispatchSelfShip) Type() string { return "command.dispatch_self_ship" }

// IsFact tells that it is a command.
func (DispatchSelfShip) IsFact() bool { return false }

func (DispatchSelfShip) sealed() {}

// Type names the input in decisions.
func (AttemptDelivery) Type() string { return "command.attempt_delivery" }

// IsFact tells that it is a command.
func (AttemptDelivery) IsFact() bool { return false }

func (AttemptDelivery) sealed() {}

// Type names the input in decisions.
func (ConfirmDelivery) Type() string { return "command.confirm_delivery" }

// IsFact tells that it is a command.
func (ConfirmDelivery) IsFact() bool { return false }

func (ConfirmDelivery) sealed() {}

// Type names the input in decisions.
func (UpdateTracking) Type() string { return "command.update_tracking" }

// IsFact tells that it is a command.
func (UpdateTracking) IsFact() bool { return false }

func (UpdateTracking) sealed() {}

// Type names the input in decisions.
func (ActivateService) Type() string { return "command.activate_service" }

// IsFact tells that it is a command.
func (ActivateService) IsFact() bool { return false }

func (ActivateService) sealed() {}

// Type names the input in decisions.
func (AttemptService) Type() string { return "command.attempt_service" }

// IsFact tells that it is a command.
func (AttemptService) IsFact() bool { return false }

func (AttemptService) sealed() {}

// Type names the input in decisions.
func (CompleteService) Type() string { return "command.complete_service" }

// IsFact tells that it is a command.
func (CompleteService) IsFact() bool { return false }

func (CompleteService) sealed() {}

// Type names the input in decisions.
func (RequestTechVisit) Type() string { return "command.request_tech_visit" }

// IsFact tells that it is a command.
func (RequestTechVisit) IsFact() bool { return false }

func (RequestTechVisit) sealed() {}

// Type names the input in decisions.
func (ApproveReturn) Type() string { return "command.approve_return" }

// IsFact tells that it is a command.
func (ApproveReturn) IsFact() bool { return false }

func (ApproveReturn) sealed() {}

// Type names the input in decisions.
func (RejectReturn) Type() string { return "command.reject_return" }

// IsFact tells that it is a command.
func (RejectReturn) IsFact() bool { return false }

func (RejectReturn) sealed() {}

// Type names the input in decisions.
func (CompleteReturn) Type() string { return "command.complete_return" }

// IsFact tells that it is a command.
func (CompleteReturn) IsFact() bool { return false }

func (CompleteReturn) sealed() {}

// Type names the input in decisions.
func (PickUpReturn) Type() string { return "command.pick_up_return" }

// IsFact tells that it is a command.
func (PickUpReturn) IsFact() bool { return false }

func (PickUpReturn) sealed() {}

// Type names the input in decisions.
func (AttemptPickup) Type() string { return "command.attempt_pickup" }

// IsFact tells that it is a command.
func (AttemptPickup) IsFact() bool { return false }

func (AttemptPickup) sealed() {}

// Type names the input in decisions.
func (CancelReturn) Type() string { return "command.cancel_return" }

// IsFact tells that it is a command.
func (CancelReturn) IsFact() bool { return false }

func (CancelReturn) sealed() {}

// IsFact tells that every notification is a fact.
func (Fact) IsFact() bool { return true }

func (Fact) sealed() {}

// Type names the input in decisions.
func (Created) Type() string { return "notification.shipment_created" }

// Type names the input in decisions.
func (Hold) Type() string { return "notification.shipment_hold" }

// Type names the input in decisions.
func (Unhold) Type() string { return "notification.shipment_unhold" }

// Type names the input in decisions.
func (in StatusReached) Type() string {
	switch in.Status {
	case ledgerv1.Status_STATUS_PACKED:
		return "notification.shipment_packed"
	case ledgerv1.Status_STATUS_READY_TO_DISPATCH:
		return "notification.shipment_ready_to_dispatch"
	case ledgerv1.Status_STATUS_PICKUP_COMPLETE:
		return "notification.shipment_pickup_complete"
	case ledgerv1.Status_STATUS_SHIPPED:
		return "notification.shipment_shipped"
	case ledgerv1.Status_STATUS_DELIVERED:
		return "notification.shipment_delivered"
	default:
		return "notification.shipment_status"
	}
}

// Type names the input in decisions.
func (DatesChanged) Type() string { return "notification.shipment_dispatch_dates_changed" }

// Type names the input in decisions.
func (Cancelled) Type() string { return "notification.shipment_cancelled" }

// Type names the input in decisions.
func (FormsFailed) Type() string { return "notification.shipment_form_failed" }

// Type names the input in decisions.
func (ReturnTold) Type() string { return "notification.return_created" }

// Type names the input in decisions.
func (ReturnTracked) Type() string { return "notification.return_item_tracking_id_update" }

// Type names the input in decisions.
func (ReturnExpected) Type() string { return "notification.return_expected_date_changed" }

// Type names the input in decisions.
func (in ReturnReached) Type() string {
	switch in.Status {
	case ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP:
		return "notification.return_picked_up"
	case ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED:
		return "notification.return_completed"
	case ledgerv1.ReturnStatus_RETURN_STATUS_CANCELLED:
		return "notification.return_cancelled"
	default:
		return "notification.return_status"
	}
}

// Type names the input in decisions.
func (Observed) Type() string { return "observed" }

// Type names the input in decisions: the marketplace's word, unless it is missing or too long to repeat.
func (in Unintelligible) Type() string {
	if in.EventType == "" || len(in.EventType) > maxTypeText {
		return "notification.unintelligible"
	}
	return "notification." + in.EventType
}
