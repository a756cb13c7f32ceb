package shipment

// Code is a permanent name for a reason. Callers and readers of decisions branch on it, so a code never changes.
type Code string

// Codes of rejected commands. Where the marketplace's API has a code for a case, ours is the same, so that its official
// client understands our answers.
const (
	CodeInvalidShipments      Code = "INVALID_SHIPMENTS"
	CodeInvalidItemState      Code = "INVALID_ITEM_STATE"
	CodeInvalidRequest        Code = "UNPROCESSABLE_ENTITY"
	CodeInvalidDate           Code = "INVALID_REQUEST_DATE_FORMAT"
	CodeInvalidReason         Code = "EMPTY_OR_INVALID_REASON_FOR_CANCELLATION"
	CodeInvalidItemID         Code = "INVALID_REQUEST_ITEM_ID"
	CodeInvalidTax            Code = "INVALID_REQUEST_TAX"
	CodeItemNotPacked         Code = "ORDER_ITEM_NOT_PACKED"
	CodeItemAlreadyDispatched Code = "ORDER_ITEM_ALREADY_DISPATCHED"
	CodeItemAlreadyCancelled  Code = "ORDER_ITEM_ALREADY_CANCELLED"
	CodeItemPackingInProgress Code = "ORDER_ITEM_PACKING_IN_PROGRESS"
	CodeOperationNotAllowed   Code = "OPERATION_NOT_ALLOWED"
	CodeQuantityMismatch      Code = "QUANTITY_MISMATCH_ERROR"
	CodeInvalidReturn         Code = "INVALID_RETURNS"
	CodeInvalidReturnState    Code = "INVALID_RETURN_STATE"
	CodeInvalidService        Code = "INVALID_SERVICES"
	CodeInvalidServiceState   Code = "INVALID_SERVICE_STATE"
	CodeIdempotencyKeyReused  Code = "IDEMPOTENCY_KEY_REUSED"
)

// Reasons of facts that were not simply applied. Only readers of the ledger see these; the marketplace never does,
// because a notification is answered before it is decided.
const (
	ReasonUnknownItems     Code = "unknown_items"
	ReasonUnknownShipment  Code = "unknown_shipment"
	ReasonUnknownReturn    Code = "unknown_return"
	ReasonUnknownEventType Code = "unknown_event_type"
	ReasonOtherSeller      Code = "other_seller"
	ReasonBadQuantity      Code = "bad_quantity"
	ReasonBadTime          Code = "bad_time"
	ReasonBadID            Code = "bad_id"
	ReasonBadBody          Code = "bad_body"
	ReasonNothingLeft      Code = "nothing_left"
	ReasonAlreadyKnown     Code = "already_known"
	ReasonOutranked        Code = "outranked"
	ReasonNoItems          Code = "no_items"
	ReasonWaitedTooLong    Code = "waited_too_long"
	ReasonOverCap          Code = "over_cap"
	ReasonTooLarge         Code = "too_large"
	ReasonFailed           Code = "decision_failed"
	ReasonAmbiguous        Code = "ambiguous"
	ReasonLeftOut          Code = "left_out"
)
