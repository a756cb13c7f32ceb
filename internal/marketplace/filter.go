package marketplace

import (
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// FilterType is the kind of shipments to search for.
type FilterType string

// The filter types.
const (
	FilterPreDispatch  FilterType = "preDispatch"
	FilterPostDispatch FilterType = "postDispatch"
	FilterCancelled    FilterType = "cancelled"
)

// SortField is the field by which the results of a search are sorted.
type SortField string

// The sort fields.
const (
	SortDispatchBy    SortField = "dispatchByDate"
	SortDispatchAfter SortField = "dispatchAfterDate"
	SortOrderDate     SortField = "orderDate"
	SortModified      SortField = "modifiedDate"
)

// Page sizes of a search. The default is the marketplace's. It does not document a maximum, so this one is ours.
const (
	DefaultPageSize = 20
	MaxPageSize     = 100
)

// Range is a range of times that includes both ends; a zero end is open.
type Range struct{ From, To time.Time }

// IsZero reports whether the range contains every time.
func (r Range) IsZero() bool { return r.From.IsZero() && r.To.IsZero() }

// Filter is a search for shipments. It has a field per member of the request, hence more than most structs here.
type Filter struct {
	Type       FilterType        `json:"type"`
	States     []ledgerv1.Status `json:"states"`
	LocationID string            `json:"location,omitempty"`
	SKUs       []string          `json:"skus,omitempty"`
	// Hold is nil for any; only FilterPreDispatch uses it.
	Hold                                                      *bool `json:"hold,omitempty"`
	MPS                                                       *bool `json:"mps,omitempty"`
	OrderDate, DispatchAfter, DispatchBy, Modified, Cancelled Range
	ShipmentTypes                                             []string `json:"shipment_types,omitempty"`
	Tiers                                                     []string `json:"tiers,omitempty"`
	// CancelledBy is unspecified for cancellations by anybody.
	CancelledBy ledgerv1.CancelledBy `json:"cancelled_by,omitempty"`
	Sort        SortField            `json:"sort"`
	Descending  bool                 `json:"descending,omitempty"`
	PageSize    int                  `json:"page_size"`
	// SellerID is the seller in the body; the caller of this package must compare it with the authenticated one.
	SellerID string `json:"-"`
}

// ReadFilter reads the body of POST /v3/shipments/filter. An error is a *ProblemError if the body is malformed, and a
// *FilterError if a value is unknown or out of range.
func ReadFilter(body []byte, settings Settings) (Filter, error) {
	doc, problem := parseDocument(body)
	if problem != nil {
		return Filter{}, problem
	}
	defer doc.release()
	r := &reader{document: doc, cfg: settings.withDefaults()}
	f := readFilter(r)
	switch {
	case r.problem != nil:
		return Filter{}, r.problem
	case r.code != "":
		return Filter{}, &FilterError{Code: commandCode(r.code), Message: r.message}
	}
	return f, nil
}

// FilterError is the reason why a search is invalid.
type FilterError struct {
	Code    shipment.Code
	Message string
}

// Error implements error.
func (e *FilterError) Error() string { return string(e.Code) + ": " + e.Message }

// readFilter reads the body. Unknown members stay ignored, but an unknown value is an error: a search that silently
// drops a condition would show shipments that the seller did not ask for.
func readFilter(r *reader) Filter {
	const root = 0
	if r.nodes[root].kind != kindObject {
		r.malformed(root, ProblemType, "want an object, got "+r.nodes[root].kind.String())
		return Filter{}
	}
	i, page, sort := r.object(root, "filter"), r.object(root, "pagination"), r.object(root, "sort")
	f := Filter{
		Type:          FilterType(r.text(i, "type")),
		LocationID:    r.id(i, "locationId"),
		SKUs:          r.texts(i, "sku"),
		Hold:          r.flag(i, "hold"),
		MPS:           r.flag(i, "mps"),
		OrderDate:     r.timeRange(i, "orderDate"),
		DispatchAfter: r.timeRange(i, "dispatchAfterDate"),
		DispatchBy:    r.timeRange(i, "dispatchByDate"),
		Modified:      r.timeRange(i, "modifiedDate"),
		Cancelled:     r.timeRange(i, "cancellationDate"),
		ShipmentTypes: r.texts(i, "shipmentTypes"),
		Tiers:         r.texts(i, "dispatchServiceTiers"),
		Sort:          SortField(r.text(sort, "field")),
		PageSize:      DefaultPageSize,
		SellerID:      r.id(root, "sellerId"),
	}
	readFilterStates(r, &f, i)
	switch f.Sort {
	case "":
		f.Sort = SortDispatchBy
	case SortDispatchBy, SortDispatchAfter, SortOrderDate, SortModified:
	default:
		r.invalid(sort, shipment.CodeInvalidRequest,
			"sort.field must be dispatchByDate, dispatchAfterDate, orderDate or modifiedDate")
	}
	switch r.text(sort, "order") {
	case "", "asc", "ASC":
	case "desc", "DESC":
		f.Descending = true
	default:
		r.invalid(sort, shipment.CodeInvalidRequest, "sort.order must be asc or desc")
	}
	if n, reported := r.integer(page, "pageSize"); reported {
		if n < 1 {
			r.invalid(page, shipment.CodeInvalidRequest, "pagination.pageSize must be at least 1")
		}
		// A larger page is cut, not refused: clients follow hasMore.
		f.PageSize = int(min(n, MaxPageSize))
	}
	return f
}

// readFilterStates reads the type, and the states and the hold that it allows.
func readFilterStates(r *reader, f *Filter, i int32) {
	var all []ledgerv1.Status
	switch f.Type {
	case FilterPreDispatch:
		all = []ledgerv1.Status{
			ledgerv1.Status_STATUS_APPROVED, ledgerv1.Status_STATUS_PACKING_IN_PROGRESS, ledgerv1.Status_STATUS_FORM_FAILED,
			ledgerv1.Status_STATUS_PACKED, ledgerv1.Status_STATUS_READY_TO_DISPATCH,
		}
		if f.Hold == nil {
			f.Hold = new(bool) // The documented default is false: a seller must ask for shipments on hold.
		}
	case FilterPostDispatch:
		f.Hold = nil
		all = []ledgerv1.Status{
			ledgerv1.Status_STATUS_PICKUP_COMPLETE, ledgerv1.Status_STATUS_SHIPPED, ledgerv1.Status_STATUS_DELIVERED,
			ledgerv1.Status_STATUS_COMPLETED, ledgerv1.Status_STATUS_RETURN_REQUESTED, ledgerv1.Status_STATUS_RETURNED,
		}
	case FilterCancelled:
		f.Hold = nil
		all = []ledgerv1.Status{ledgerv1.Status_STATUS_CANCELLED}
	default:
		r.invalid(i, shipment.CodeInvalidRequest, "filter.type must be preDispatch, postDispatch or cancelled")
	}
	first, count := r.list(i, "states", kindString)
	for s := first; s != none; s = r.nodes[s].next {
		status, ok := ParseStatus(r.stringOf(s))
		if !ok {
			r.invalid(s, shipment.CodeInvalidRequest, "unknown shipment state")
			continue
		}
		f.States = append(f.States, status)
	}
	if count == 0 {
		f.States = all
	}
	switch r.text(i, "cancellationType") {
	case "":
		// Documented as mandatory. Without it, the search is for all cancellations.
	case "sellerCancellation":
		f.CancelledBy = ledgerv1.CancelledBy_CANCELLED_BY_SELLER
	case "buyerCancellation":
		f.CancelledBy = ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER
	case "marketplaceCancellation":
		f.CancelledBy = ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE
	default:
		r.invalid(i, shipment.CodeInvalidRequest,
			"cancellationType must be sellerCancellation, buyerCancellation or marketplaceCancellation")
	}
}

// optional reads a boolean whose absence means something else than false.
func (r *reader) flag(object int32, name string) *bool {
	if r.typed(object, name, kindBool) == none {
		return nil
	}
	b := r.boolean(object, name)
	return &b
}

// timeRange reads {from, to}. A plain day as "to" includes the whole day. A range that holds no time is an error: the
// seller would take the empty answer for the truth.
func (r *reader) timeRange(object int32, name string) Range {
	i := r.object(object, name)
	between := Range{From: r.instant(i, "from"), To: r.due(i, "to")}
	if !between.To.IsZero() && between.To.Before(between.From) {
		r.invalid(i, shipment.CodeInvalidRequest, "from is after to")
	}
	return between
}
