package events

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

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
	types := make([]string, 0, len(numberByType))
	for _, ceType := range typeByNumber {
		if ceType != "" {
			types = append(types, ceType)
		}
	}
	return types
}

// TypeOf returns the type of an event, or "" when it has no body.
func TypeOf(e *ledgerv1.Event) string {
	ceType, _ := bodyOf(e)
	return ceType
}

// At returns the moment at which an event happened, or nil when it has no body.
func At(e *ledgerv1.Event) *ledgerv1.Moment {
	_, b := bodyOf(e)
	if b == nil {
		return nil
	}
	return b.GetAt()
}

// body is implemented by every body: each has the moment at which the event happened.
type body interface {
	GetAt() *ledgerv1.Moment
}

// bodyOf returns the type and the body of an event, "" and nil when it has none.
//
// A new member of Event.body needs a constant above and a case here. Everything else that depends on the type follows
// from the schema (see numberByType), and a test compares the two. This is a switch because Go finds the case by the
// body's dynamic type in a few nanoseconds, and every event passes here.
func bodyOf(e *ledgerv1.Event) (ceType string, b body) {
	switch b := e.GetBody().(type) {
	case *ledgerv1.Event_ShipmentCreated:
		return TypeShipmentCreated, b.ShipmentCreated
	case *ledgerv1.Event_ShipmentHeld:
		return TypeShipmentHeld, b.ShipmentHeld
	case *ledgerv1.Event_ShipmentReleased:
		return TypeShipmentReleased, b.ShipmentReleased
	case *ledgerv1.Event_DispatchDatesChanged:
		return TypeDispatchDatesChanged, b.DispatchDatesChanged
	case *ledgerv1.Event_LabelsRequested:
		return TypeLabelsRequested, b.LabelsRequested
	case *ledgerv1.Event_FormFailed:
		return TypeFormFailed, b.FormFailed
	case *ledgerv1.Event_FormAcknowledged:
		return TypeFormAcknowledged, b.FormAcknowledged
	case *ledgerv1.Event_ShipmentPacked:
		return TypeShipmentPacked, b.ShipmentPacked
	case *ledgerv1.Event_ReadyToDispatch:
		return TypeReadyToDispatch, b.ReadyToDispatch
	case *ledgerv1.Event_PickupCompleted:
		return TypePickupCompleted, b.PickupCompleted
	case *ledgerv1.Event_ShipmentShipped:
		return TypeShipmentShipped, b.ShipmentShipped
	case *ledgerv1.Event_DeliveryAttempted:
		return TypeDeliveryAttempted, b.DeliveryAttempted
	case *ledgerv1.Event_ShipmentDelivered:
		return TypeShipmentDelivered, b.ShipmentDelivered
	case *ledgerv1.Event_ShipmentCompleted:
		return TypeShipmentCompleted, b.ShipmentCompleted
	case *ledgerv1.Event_ItemsCancelled:
		return TypeItemsCancelled, b.ItemsCancelled
	case *ledgerv1.Event_TrackingUpdated:
		return TypeTrackingUpdated, b.TrackingUpdated
	case *ledgerv1.Event_PropertiesUpdated:
		return TypePropertiesUpdated, b.PropertiesUpdated
	case *ledgerv1.Event_ServiceActivated:
		return TypeServiceActivated, b.ServiceActivated
	case *ledgerv1.Event_ServiceStarted:
		return TypeServiceStarted, b.ServiceStarted
	case *ledgerv1.Event_ServiceAttempted:
		return TypeServiceAttempted, b.ServiceAttempted
	case *ledgerv1.Event_ServiceCompleted:
		return TypeServiceCompleted, b.ServiceCompleted
	case *ledgerv1.Event_ServiceCancelled:
		return TypeServiceCancelled, b.ServiceCancelled
	case *ledgerv1.Event_ReturnCreated:
		return TypeReturnCreated, b.ReturnCreated
	case *ledgerv1.Event_ReturnTrackingUpdated:
		return TypeReturnTrackingUpdated, b.ReturnTrackingUpdated
	case *ledgerv1.Event_ReturnExpectedDateChanged:
		return TypeReturnExpectedDateChanged, b.ReturnExpectedDateChanged
	case *ledgerv1.Event_TechVisitRequested:
		return TypeTechVisitRequested, b.TechVisitRequested
	case *ledgerv1.Event_TechVisitAttempted:
		return TypeTechVisitAttempted, b.TechVisitAttempted
	case *ledgerv1.Event_TechVisitCompleted:
		return TypeTechVisitCompleted, b.TechVisitCompleted
	case *ledgerv1.Event_TechVisitCancelled:
		return TypeTechVisitCancelled, b.TechVisitCancelled
	case *ledgerv1.Event_ReturnApproved:
		return TypeReturnApproved, b.ReturnApproved
	case *ledgerv1.Event_ReturnRejected:
		return TypeReturnRejected, b.ReturnRejected
	case *ledgerv1.Event_PickupAttempted:
		return TypePickupAttempted, b.PickupAttempted
	case *ledgerv1.Event_ReturnPickedUp:
		return TypeReturnPickedUp, b.ReturnPickedUp
	case *ledgerv1.Event_ReturnCompleted:
		return TypeReturnCompleted, b.ReturnCompleted
	case *ledgerv1.Event_ReturnCancelled:
		return TypeReturnCancelled, b.ReturnCancelled
	case *ledgerv1.Event_ReturnUpdated:
		return TypeReturnUpdated, b.ReturnUpdated
	}
	return "", nil
}

// numberByType and typeByNumber connect a ce_type with the field of Event.body that holds its message. They come from
// the schema by the rule that names both: orders.<Message>.v1 is the member whose message is <Message>.
//
//nolint:gochecknoglobals // Tables.
var numberByType, typeByNumber = func() (map[string]protowire.Number, []string) {
	byType := map[string]protowire.Number{}
	members := (*ledgerv1.Event)(nil).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	var byNumber []string
	for i := range members.Len() {
		fd := members.Get(i)
		typ := typePrefix + string(fd.Message().Name()) + typeSuffix
		byType[typ] = fd.Number()
		for len(byNumber) <= int(fd.Number()) {
			byNumber = append(byNumber, "")
		}
		byNumber[fd.Number()] = typ
	}
	return byType, byNumber
}()

// The prefix and suffix of a message's name in a ce_type.
const (
	typePrefix = "orders."
	typeSuffix = ".v1"
)

// known reports whether a ce_type is in the catalogue.
func known(ceType string) bool { return numberByType[ceType] != 0 }

// typeOfNumber returns the ce_type of a field of Event.body, or "" for a field that is not in this version's schema.
func typeOfNumber(n protowire.Number) string {
	if n <= 0 || int(n) >= len(typeByNumber) {
		return ""
	}
	return typeByNumber[n]
}

// typeString returns a ce_type as a string. A known one costs the hot path no allocation: the map is read with the
// bytes as they are, and the string comes from the table.
func typeString(v []byte) string {
	if n, ok := numberByType[string(v)]; ok {
		return typeByNumber[n]
	}
	if string(v) == TypeDecision {
		return TypeDecision
	}
	return string(v)
}

// ShortType returns the name of an event type alone: ShipmentCreated for orders.ShipmentCreated.v1. A name that does
// not look like one of ours is returned as it is.
func ShortType(ceType string) string {
	name, ok := strings.CutPrefix(ceType, typePrefix)
	if !ok {
		return ceType
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return ceType
	}
	return name[:dot]
}
