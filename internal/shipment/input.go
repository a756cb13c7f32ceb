package shipment

import (
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Input is what may happen to a shipment: a command, which may be rejected, or a fact, which may not.
//
// It is a closed sum: Decide knows every one of them.
//
//sumtype:decl
type Input interface {
	// typeName is what TypeOf returns. Being unexported, it also keeps the sum closed.
	typeName() string
}

// When is a time as the caller gave it. A plain date is the end of that day in IST, at most the time of recording.
type When struct {
	Time time.Time
	// Day says that only the day was given; Time is then the midnight (IST) at which that day begins.
	Day bool
}

// Commands of the seller, and of the packing worker.
type (
	// RequestLabels asks for labels and invoice: the marketplace calls it pack.
	RequestLabels struct {
		LocationID string
		Request    *ledgerv1.PackRequest
	}
	// CompletePacking is the packing worker's result: documents are ready. An older revision is stale.
	CompletePacking struct {
		Revision uint32
		Packing  *ledgerv1.Packing
	}
	// FailForms is the packing worker's result: forms failed. An older revision is stale.
	FailForms struct {
		Revision uint32
		Forms    []string
	}
	// Dispatch says that the shipment is ready for pickup.
	Dispatch struct{ LocationID string }
	// Cancel cancels whole cancellation groups before packing is done. No groups means all.
	Cancel struct {
		LocationID string
		GroupIDs   []string
		Reason     string
	}
	// AcknowledgeForms gives the acknowledgement numbers of failed forms.
	AcknowledgeForms struct {
		Forms []*ledgerv1.FormAcknowledgement
	}
	// DispatchSelfShip says that a self-ship seller sent it off.
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
	// AttemptDelivery says that delivery was tried. NewDue is zero when no new date was given.
	AttemptDelivery struct {
		LocationID        string
		At                When
		Reason, SubReason string
		NewDue            When
	}
	// ConfirmDelivery says that it arrived.
	ConfirmDelivery struct {
		LocationID string
		At         When
	}
	// UpdateTracking changes courier or tracking number of a self-ship shipment.
	UpdateTracking struct {
		Courier           *ledgerv1.Courier
		TentativeDelivery When
	}
	// ActivateService orders a forward service for an item.
	ActivateService struct {
		ServiceID, OrderItemID, Description string
		DueAt                               time.Time
	}
	// AttemptService says that a forward service or a tech visit was tried.
	AttemptService struct {
		ServiceID                   string
		At                          When
		NewDue                      When
		Reason, SubReason, Comments string
	}
	// CompleteService says that a forward service is done.
	CompleteService struct {
		ServiceID string
		At        When
	}
	// RequestTechVisit asks for the tech visit of a return.
	RequestTechVisit struct {
		ReturnID, ServiceID, OrderItemID, Description string
		DueAt                                         time.Time
	}
	// ApproveReturn approves a customer return; an open tech visit completes.
	ApproveReturn struct {
		LocationID, ReturnID, ServiceID, Comments string
		// VisitedAt is zero when there was no visit, or its date was not given.
		VisitedAt When
	}
	// RejectReturn rejects a customer return after its tech visit.
	RejectReturn struct {
		LocationID, ReturnID, ServiceID, Comments string
		VisitedAt                                 When
	}
	// CompleteReturn acknowledges a courier return.
	CompleteReturn struct{ LocationID, ReturnID string }
	// PickUpReturn says that the goods of a customer return were picked up.
	PickUpReturn struct {
		LocationID, ReturnID string
		At                   When
	}
	// AttemptPickup says that a reverse pickup was tried.
	AttemptPickup struct {
		LocationID, ReturnID, Reason string
		At, NewDue                   When
	}
	// CancelReturn says that the goods of a courier return were delivered after all. DeliveredAt may be zero.
	CancelReturn struct {
		LocationID, ReturnID string
		DeliveredAt          When
	}
)

// Fact is what every notification says.
type Fact struct {
	ShipmentID string
	// SellerID and LocationID are empty where the notification does not say.
	SellerID, LocationID string
	// At is the notification's timestamp.
	At time.Time
	// Source is the channel that told.
	Source string
}

// Facts: the marketplace's notifications, and what a pull found.
type (
	// Created is shipment_created: the shipment as the marketplace tells it first, or again.
	Created struct {
		Fact
		OrderID      string
		ShipmentType string
		// Status is the lowest status told of the items; APPROVED when they do not say.
		Status                                                ledgerv1.Status
		DispatchAfter, DispatchBy, DeliverBy, MarketUpdatedAt time.Time // Zero where not told.
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
		// Cancelled units are told already at creation, by an unknown actor, where the channel's extension says so.
		Cancelled uint32
		Status    ledgerv1.Status
		Details   *ledgerv1.ItemDetails
	}
	// Hold is shipment_hold. No items means all units.
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
	// DatesChanged is shipment_dispatch_dates_changed. Zero dates were not told.
	DatesChanged struct {
		Fact
		DispatchAfter, DispatchBy, DeliverBy time.Time
	}
	// Cancelled is shipment_cancelled. No items means all units.
	Cancelled struct {
		Fact
		Items []CancelledItem
	}
	// CancelledItem is a line of Cancelled. Quantity is signed as on the wire, so that nonsense can be told.
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
	}
	// ReturnLine is a line of ReturnReported.
	ReturnLine struct {
		// Return holds what was told; its status, times and irregular mark are decided here.
		Return *ledgerv1.Return
		// Quantity is signed as on the wire.
		Quantity int64
		// TechVisit is nil when none was told.
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
	// ReturnReached is return_picked_up, return_completed and return_cancelled. No items means all lines.
	ReturnReached struct {
		Fact
		ReturnID     string
		Status       ledgerv1.ReturnStatus
		OrderItemIDs []string
	}
	// Observed is what a pull found and no notification told: only the fields that are set.
	Observed struct {
		Fact
		// Status is one the shipment, or the items listed, have reached; unset when nothing is said of it.
		Status       ledgerv1.Status
		OrderItemIDs []string
		// Details, item details and packing replace what was known where they are set.
		Details *ledgerv1.ShipmentDetails
		Items   []*ledgerv1.ItemPatch
		Packing *ledgerv1.Packing
		// Return is a return as the marketplace shows it; only the fields that are set. ReturnStatus may be APPROVED or
		// REJECTED, which no notification tells.
		Return *ledgerv1.Return
		// Services found on the shipment or on the return.
		Services             []ActivateService
		TechVisits           []RequestTechVisit
		MarketplaceUpdatedAt time.Time
	}
	// Unintelligible is a notification that can be read but makes no sense: an unknown type, the year 0, an id that is
	// too long. It is quarantined with its reason, whatever the state.
	Unintelligible struct {
		Fact
		EventType string
		Reason    Code
		Message   string
	}
)
