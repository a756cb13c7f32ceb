package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// TypeOf names an input in decisions: command.cancel, notification.shipment_created and so on; "" for none. The names
// are stored with every decision and label metrics, so they never change.
func TypeOf(in Input) string {
	if in == nil {
		return ""
	}
	return in.typeName()
}

// FactOf returns the fields that all facts have; false for a command or nil.
func FactOf(in Input) (Fact, bool) {
	f, ok := in.(interface{ common() Fact })
	if !ok {
		return Fact{}, false
	}
	return f.common(), true
}

// IsFact reports whether an input is a fact, not a command.
func IsFact(in Input) bool {
	_, ok := in.(interface{ common() Fact })
	return ok
}

// common is what makes an input a fact: every one of them embeds Fact, and no command does.
func (f Fact) common() Fact { return f }

// The table of inputs. A type without a row here is no Input, and does not compile where one is needed.

func (RequestLabels) typeName() string    { return "command.request_labels" }
func (CompletePacking) typeName() string  { return "command.complete_packing" }
func (FailForms) typeName() string        { return "command.fail_forms" }
func (Dispatch) typeName() string         { return "command.dispatch" }
func (Cancel) typeName() string           { return "command.cancel" }
func (AcknowledgeForms) typeName() string { return "command.acknowledge_forms" }
func (DispatchSelfShip) typeName() string { return "command.dispatch_self_ship" }
func (AttemptDelivery) typeName() string  { return "command.attempt_delivery" }
func (ConfirmDelivery) typeName() string  { return "command.confirm_delivery" }
func (UpdateTracking) typeName() string   { return "command.update_tracking" }
func (ActivateService) typeName() string  { return "command.activate_service" }
func (AttemptService) typeName() string   { return "command.attempt_service" }
func (CompleteService) typeName() string  { return "command.complete_service" }
func (RequestTechVisit) typeName() string { return "command.request_tech_visit" }
func (ApproveReturn) typeName() string    { return "command.approve_return" }
func (RejectReturn) typeName() string     { return "command.reject_return" }
func (CompleteReturn) typeName() string   { return "command.complete_return" }
func (PickUpReturn) typeName() string     { return "command.pick_up_return" }
func (AttemptPickup) typeName() string    { return "command.attempt_pickup" }
func (CancelReturn) typeName() string     { return "command.cancel_return" }

func (Created) typeName() string        { return "notification.shipment_created" }
func (Hold) typeName() string           { return "notification.shipment_hold" }
func (Unhold) typeName() string         { return "notification.shipment_unhold" }
func (DatesChanged) typeName() string   { return "notification.shipment_dispatch_dates_changed" }
func (Cancelled) typeName() string      { return "notification.shipment_cancelled" }
func (FormsFailed) typeName() string    { return "notification.shipment_form_failed" }
func (ReturnReported) typeName() string { return "notification.return_created" }
func (ReturnTracked) typeName() string  { return "notification.return_item_tracking_id_update" }
func (ReturnExpected) typeName() string { return "notification.return_expected_date_changed" }
func (Observed) typeName() string       { return "observed" }

// One type of fact serves five notifications.
func (in StatusReached) typeName() string {
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

func (in ReturnReached) typeName() string {
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

// maxTypeText bounds the marketplace's word for an event in the type of an input, which becomes a metric's label and a
// column: a notification can carry any text there.
const maxTypeText = 64

func (in Unintelligible) typeName() string {
	if in.EventType == "" || len(in.EventType) > maxTypeText {
		return "notification.unintelligible"
	}
	return "notification." + in.EventType
}
