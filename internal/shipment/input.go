package shipment

import (
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Input is a command, which may be rejected, or a fact, which may not. It is a closed sum: Decide handles every member.
//
//sumtype:decl
type Input interface {
	// typeName is what TypeOf returns. Being unexported, it also keeps the sum closed.
	typeName() string
}

// When is a time as the caller gave it. A plain date means the end of that day in IST, or the time of recording if that
// is earlier.
type When struct {
	Time time.Time
	// Day says that only the day was given; Time is then the midnight (IST) at which that day begins.
	Day bool
}

// Commands of the seller and of the packing worker.
type (
	// RequestLabels asks for labels and invoice: the marketplace calls it pack.
	RequestLabels struct {
		LocationID string
		Request    *ledgerv1.PackRequest
	}
	// CompletePacking is the packing worker's result: the documents are ready. An older revision is stale.
	CompletePacking struct {
		Revision uint32
		Packing  *ledgerv1.Packing
	}
	// FailForms is the packing worker's result: some forms failed. An older revision is stale.
	FailForms struct {
		Revision uint32
		Forms    []string
	}
	// Dispatch reports that the shipment is ready for pickup.
	Dispatch struct{ LocationID string }
	// Cancel cancels whole cancellation groups before packing is done. It must name some: naming nothing must not mean
	// everything.
	Cancel struct {
		LocationID string
		GroupIDs   []string
		Reason     string
	}
	// AcknowledgeForms gives the acknowledgement numbers of forms that failed.
	AcknowledgeForms struct {
		Forms []*ledgerv1.FormAcknowledgement
	}
	// DispatchSelfShip reports that a self-ship seller has sent the shipment.
	DispatchSelfShip struct {
		LocationID           string
		DispatchedAt         When
		TentativeDelivery    When
		Courier              *ledgerv1.Courier
		InvoiceNumber        string
		InvoiceDate          When
		InvoiceLines         []*ledgerv1.InvoiceLine
		DispatchLocationJSON string
	}
	// AttemptDelivery reports a failed attempt to deliver. NewDue is zero when the seller gave no new date.
	AttemptDelivery struct {
		LocationID        string
		At                When
		Reason, SubReason string
		NewDue            When
	}
	// ConfirmDelivery reports that the shipment arrived.
	ConfirmDelivery struct {
		LocationID string
		At         When
	}
	// UpdateTracking changes the courier or the tracking number of a self-ship shipment.
	UpdateTracking struct {
		Courier           *ledgerv1.Courier
		TentativeDelivery When
	}
	// ActivateService orders a forward service for an item.
	ActivateService struct {
		ServiceID, OrderItemID, Description string
		DueAt                               time.Time
	}
	// AttemptService reports a failed attempt at a forward service or a tech visit.
	AttemptService struct {
		ServiceID                   string
		At                          When
		NewDue                      When
		Reason, SubReason, Comments string
	}
	// CompleteService reports that a forward service is done.
	CompleteService struct {
		ServiceID string
		At        When
	}
	// RequestTechVisit requests the tech visit of a return.
	RequestTechVisit struct {
		ReturnID, ServiceID, OrderItemID, Description string
		DueAt                                         time.Time
	}
	// ApproveReturn approves a customer return; an open tech visit completes.
	ApproveReturn struct {
		LocationID, ReturnID, ServiceID, Comments string
		// VisitedAt is zero when there was no visit or the seller gave no date.
		VisitedAt When
	}
	// RejectReturn rejects a customer return; an open tech visit is cancelled. Without a date it happens now.
	RejectReturn struct {
		LocationID, ReturnID, ServiceID, Comments string
		VisitedAt                                 When
	}
	// CompleteReturn acknowledges a courier return.
	CompleteReturn struct{ LocationID, ReturnID string }
	// PickUpReturn reports that the goods of a customer return were picked up.
	PickUpReturn struct {
		LocationID, ReturnID string
		At                   When
	}
	// AttemptPickup reports a failed attempt at a reverse pickup.
	AttemptPickup struct {
		LocationID, ReturnID, Reason string
		At, NewDue                   When
	}
	// CancelReturn reports that the goods of a courier return were delivered after all. DeliveredAt may be zero.
	CancelReturn struct {
		LocationID, ReturnID string
		DeliveredAt          When
	}
)

// Fact holds the fields that all facts have.
type Fact struct {
	ShipmentID string
	// SellerID and LocationID are empty where the notification does not say.
	SellerID, LocationID string
	// At is the notification's timestamp.
	At time.Time
	// Source is the channel that reported it.
	Source string
	// LeftOut names the parts of the notification that make no sense and are not in the fact, each with the reason.
	LeftOut []string
}

// Facts: the marketplace's notifications and the results of pulls.
type (
	// Created is shipment_created: the shipment as the marketplace reports it, for the first time or again.
	Created struct {
		Fact
		OrderID      string
		ShipmentType string
		// Status is the lowest status reported for the items; APPROVED when the notification gives none.
		Status                                                ledgerv1.Status
		DispatchAfter, DispatchBy, DeliverBy, MarketUpdatedAt time.Time // Zero where not reported.
		Hold                                                  bool
		Items                                                 []CreatedItem
		Forms                                                 []*ledgerv1.Form
		Services                                              []ActivateService
		Details                                               *ledgerv1.ShipmentDetails
	}
	// CreatedItem is a line of Created.
	CreatedItem struct {
		OrderItemID, CancellationGroupID string
		Quantity                         uint32
		// Cancelled counts units that were cancelled before the shipment was reported. Only the channel's extension
		// reports them, and not who cancelled them.
		Cancelled uint32
		Status    ledgerv1.Status
		Details   *ledgerv1.ItemDetails
	}
	// Hold is shipment_hold. No items mean all units.
	Hold struct {
		Fact
		Items []*ledgerv1.ItemUnits
	}
	// Unhold is shipment_unhold.
	Unhold struct {
		Fact
		Status ledgerv1.Status
	}
	// StatusReached is shipment_packed, _ready_to_dispatch, _pickup_complete, _shipped and _delivered.
	StatusReached struct {
		Fact
		Status ledgerv1.Status
	}
	// DatesChanged is shipment_dispatch_dates_changed. Zero dates were not reported.
	DatesChanged struct {
		Fact
		DispatchAfter, DispatchBy, DeliverBy time.Time
	}
	// Cancelled is shipment_cancelled. No items mean all units.
	Cancelled struct {
		Fact
		Items []CancelledItem
	}
	// CancelledItem is a line of Cancelled. Quantity is signed as on the wire, so that a negative number reaches the
	// rule that quarantines it.
	CancelledItem struct {
		OrderItemID, Reason, SubReason string
		Quantity                       int64
	}
	// FormsFailed is shipment_form_failed.
	FormsFailed struct {
		Fact
		Forms []string
	}
	// ReturnReported is return_created, with the lines that belong to this shipment.
	ReturnReported struct {
		Fact
		ReturnID string
		Lines    []ReturnLine
		// Siblings are the shipments of the return, if this is not the only one.
		Siblings Siblings
	}
	// Siblings are the shipments of a return that has several.
	Siblings struct {
		// ShipmentIDs are some of them, sorted.
		ShipmentIDs []string
		// Count is their number; zero if the return has one shipment.
		Count uint32
	}
	// ReturnLine is a line of ReturnReported.
	ReturnLine struct {
		// Return holds the reported fields. Its status, times and irregular mark are decided here.
		Return *ledgerv1.Return
		// Quantity is signed as on the wire.
		Quantity int64
		// TechVisit is nil when none was reported.
		TechVisit *RequestTechVisit
	}
	// ReturnTracked is return_item_tracking_id_update.
	ReturnTracked struct {
		Fact
		ReturnID string
		Lines    []*ledgerv1.ReturnTracking
	}
	// ReturnExpected is return_expected_date_changed.
	ReturnExpected struct {
		Fact
		ReturnID string
		Lines    []*ledgerv1.ReturnExpectedDate
	}
	// ReturnReached is return_picked_up, return_completed and return_cancelled. No items mean all lines.
	ReturnReached struct {
		Fact
		ReturnID     string
		Status       ledgerv1.ReturnStatus
		OrderItemIDs []string
	}
	// Observed is the result of a pull: fields that no notification has reported. Only fields that are set count.
	Observed struct {
		Fact
		// Status is one that the shipment, or the listed items, have reached; unset when the pull shows none.
		Status       ledgerv1.Status
		OrderItemIDs []string
		// Details, Items and Packing replace what was known where they are set.
		Details *ledgerv1.ShipmentDetails
		Items   []*ledgerv1.ItemPatch
		Packing *ledgerv1.Packing
		// Return is a return as the marketplace shows it; only fields that are set count. Its status may be APPROVED or
		// REJECTED, which no notification reports.
		Return *ledgerv1.Return
		// Services and TechVisits are those that the pull found on the shipment or on the return.
		Services             []ActivateService
		TechVisits           []RequestTechVisit
		MarketplaceUpdatedAt time.Time
	}
	// Unintelligible is a notification that is readable but makes no sense: an unknown type, the year 0, an id that is
	// too long. It is quarantined with its reason in any state. Rejecting it would not help: the marketplace
	// blocks everything behind a notification that is not accepted.
	Unintelligible struct {
		Fact
		EventType string
		Reason    Code
		Message   string
	}
)
