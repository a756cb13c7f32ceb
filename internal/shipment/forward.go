package shipment

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	standard = ledgerv1.Fulfilment_FULFILMENT_STANDARD
	selfShip = ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP
)

// flow refuses a command of the other flow: in the standard flow the marketplace ships, in the self-ship flow the
// seller.
func (x *decider) flow(f ledgerv1.Fulfilment) bool {
	if isSelfShip := x.s.GetFulfilment() == selfShip; isSelfShip == (f == selfShip) {
		return true
	}
	if f == selfShip {
		x.refuse(CodeOperationNotAllowed, "The marketplace does its logistics; this command is for self-ship shipments.")
	} else {
		x.refuse(CodeOperationNotAllowed, "It is a self-ship shipment; this command is for those that the marketplace ships.")
	}
	return false
}

// open refuses a command whose row is closed in the state of the shipment.
func (x *decider) open(r row, advice string) bool {
	c := r.at(x.s.GetStatus())
	if c.does == move || c.does == stay {
		return true
	}
	x.refuseCell(c, advice)
	return false
}

// refuseCell refuses a command with the code of a closed cell.
func (x *decider) refuseCell(c statusCell, advice string) {
	code := c.code
	if code == "" {
		code = CodeInvalidItemState
	}
	x.refuse(code, advice)
}

// unblocked refuses a command that a hold or, if gated, the earliest dispatch date forbids. Both restrict the seller.
// They never restrict a fact, which has already happened.
func (x *decider) unblocked(gated bool) bool {
	if x.s.GetOnHold() {
		x.refuse(CodeOperationNotAllowed, "Wait until the marketplace releases it.")
		return false
	}
	if after := x.s.GetDispatchAfter(); gated && after != nil && x.now.Before(after.AsTime()) {
		at := after.AsTime().In(ist).Format(time.RFC3339)
		x.refuse(CodeOperationNotAllowed, "It may not be processed before "+at+"; try again then.")
		return false
	}
	return true
}

// requestLabels starts packing. The packing worker renders the documents and submits CompletePacking or FailForms.
func (x *decider) requestLabels(c RequestLabels) {
	if !x.flow(standard) || !x.open(rowRequestLabels, "Labels can be requested while it is APPROVED or FORM_FAILED.") ||
		!x.unblocked(true) || !x.goodPackRequest(c.Request) {
		return
	}
	b := &ledgerv1.LabelsRequested{At: reported(x.now), Request: c.Request, Revision: x.s.GetDocumentRevision() + 1}
	b.DueAt = x.packDue()
	x.emit(&Event{Body: &ledgerv1.Event_LabelsRequested{LabelsRequested: b}})
	x.accept()
}

// packDue is when the documents are due. A retry does not move it: the clock keeps running in FORM_FAILED.
func (x *decider) packDue() *timestamppb.Timestamp {
	for _, c := range x.s.GetClocks() {
		if c.GetKind() == clockPack {
			return c.GetDueAt()
		}
	}
	return promised(x.stamp, x.Policy.PackWithin)
}

// goodPackRequest checks the seller's data for the documents.
func (x *decider) goodPackRequest(r *ledgerv1.PackRequest) bool {
	known := func(id string) bool {
		if indexOf(x.s.GetItems(), id) >= 0 {
			return true
		}
		x.refuse(CodeInvalidItemID, "It has no item "+clip(id)+"; name its own items.")
		return false
	}
	for _, t := range r.GetTaxItems() {
		if !known(t.GetOrderItemId()) {
			return false
		}
		if !(t.GetTaxRate() >= 0 && t.GetTaxRate() <= 100) || !(t.GetPurchasePrice() >= 0) {
			x.refuse(CodeInvalidTax,
				"Give a tax rate from 0 to 100 and a price that is not negative for item "+clip(t.GetOrderItemId())+".")
			return false
		}
	}
	for _, n := range r.GetSerialNumbers() {
		if !known(n.GetOrderItemId()) {
			return false
		}
	}
	for _, v := range r.GetInvoices() {
		if !x.goodInvoiceDate(v.GetInvoiceDate()) {
			return false
		}
	}
	return true
}

// goodInvoiceDate refuses an invoice date before the day of the order or after today, by days in IST.
func (x *decider) goodInvoiceDate(m *ledgerv1.Moment) bool {
	if m.GetAt() == nil {
		return true
	}
	day := dayOf(m.GetAt().AsTime())
	ordered := x.orderedAt()
	if !m.GetAt().IsValid() || day > dayOf(x.now) || !ordered.IsZero() && day < dayOf(ordered) {
		x.refuse(CodeInvalidDate, "The invoice date must lie between the day of the order and today.")
		return false
	}
	return true
}

// orderedAt is the earliest reported time of the order; zero if none is known.
func (x *decider) orderedAt() time.Time {
	first := x.s.GetTimes().GetCreated().GetAt()
	for _, it := range x.s.GetItems() {
		if t := it.GetDetails().GetOrderDate(); t != nil && (first == nil || before(t, first)) {
			first = t
		}
	}
	if first == nil {
		return time.Time{}
	}
	return first.AsTime()
}

// dispatch makes a packed shipment ready for pickup. It does not check the earliest dispatch date: requestLabels has
// done so.
func (x *decider) dispatch() {
	if !x.flow(standard) || !x.open(rowDispatch, "It can become ready to dispatch while it is PACKED.") ||
		!x.unblocked(false) {
		return
	}
	x.emit(stepEvent(ready, reported(x.now), nil))
	x.accept()
}

// current reports whether a result of the packing worker applies. It is stale if it belongs to an older document
// revision, or if the shipment no longer waits for documents.
func (x *decider) current(r row, revision uint32) bool {
	if !x.flow(standard) {
		return false
	}
	switch c := r.at(x.s.GetStatus()); {
	case revision > x.s.GetDocumentRevision():
		x.refuse(CodeInvalidRequest, "These documents were never requested.")
	case revision < x.s.GetDocumentRevision():
		x.stale("A newer revision of the documents was requested; this one is dropped.")
	case c.does == move, c.does == stay && revision > x.s.GetPacking().GetRevision():
		return true
	case c.does == repeat, c.does == stay:
		x.accept()
	default:
		x.stale("It no longer waits for documents.")
	}
	return false
}

// completePacking records that the packing worker has rendered the documents.
func (x *decider) completePacking(c CompletePacking) {
	if !x.current(rowCompletePacking, c.Revision) {
		return
	}
	made := c.Packing.CloneVT()
	if made == nil {
		made = &ledgerv1.Packing{}
	}
	made.Revision = c.Revision
	x.emit(&Event{Body: &ledgerv1.Event_ShipmentPacked{ShipmentPacked: &ledgerv1.ShipmentPacked{
		At: reported(x.now), Revision: c.Revision, Packing: made,
	}}})
	x.accept()
}
