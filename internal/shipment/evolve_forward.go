package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// climb moves items to the state of the row. It notes the time even if it moves none, because a late fact can still
// correct a time.
func (d *draft) climb(r row, at *ledgerv1.Moment, ids []string) {
	target := unset
	moved := false
	for i, it := range d.Items {
		c := r.at(forwardOf(it))
		if d.late || c.does != move || !selects(ids, it.GetOrderItemId()) {
			continue
		}
		d.raise(i, c.to)
		target, moved = c.to, true
	}
	if !moved {
		target = targetOf(r)
	}
	if at != nil {
		d.reachTime(target, at, moved)
	}
}

// targetOf returns the state to which the row of a fact leads.
func targetOf(r row) ledgerv1.Status { return r.at(approved).to }

// raise moves one item. Its live units count as shipped when it passes that step, also in a jump.
func (d *draft) raise(i int, target ledgerv1.Status) {
	it := d.item(i)
	was, is, n := rank(it.Forward), rank(target), live(it)
	if was < rank(shipped) && is >= rank(shipped) {
		it.Shipped = addUnits(it.Shipped, n)
	}
	it.Forward = target
}

// addUnits adds without wrapping: a wrapped number would look right.
func addUnits(a, b uint32) uint32 {
	if s := a + b; s >= a {
		return s
	}
	return ^uint32(0)
}

// labelsRequested also serves the packing state that a pull has found: nobody requested labels here then, and no clock
// starts, because the event has no due time.
func (d *draft) labelsRequested(b *ledgerv1.LabelsRequested) {
	for i, it := range d.Items {
		if !d.late && selects(b.GetOrderItemIds(), it.GetOrderItemId()) &&
			(rowRequestLabels.moves(it) || rowReportedPacking.moves(it)) {
			d.item(i).Forward = packing
		}
	}
	d.DocumentRevision = max(d.DocumentRevision, b.GetRevision())
	if b.GetRequest() != nil {
		d.PackRequest = b.GetRequest()
	}
	if b.GetAt() != nil {
		d.reachTime(packing, b.GetAt(), false)
		d.openAssumed(clockPack, d.ShipmentId, b.GetAt().GetAt(), b.GetDueAt())
	}
	d.setForms(ledgerv1.FormStatus_FORM_STATUS_IN_PROGRESS, func(f *ledgerv1.Form) bool {
		return f.GetStatus() != ledgerv1.FormStatus_FORM_STATUS_COMPLETED
	})
}

// packed completes all forms: a shipment cannot be packed without them, whoever packs it. Documents for goods that are
// packed already, such as a later revision, pack nothing and so report no time.
func (d *draft) packed(b *ledgerv1.ShipmentPacked) {
	isPacking := func(it *ledgerv1.Item) bool { return it.GetForward() == packing }
	if b.GetRevision() == 0 || slices.ContainsFunc(d.Items, isPacking) {
		d.climb(rowReportedPacked, b.GetAt(), b.GetOrderItemIds())
	}
	if b.GetPacking() != nil {
		d.Packing = mergePacking(d.Packing, b.GetPacking())
	}
	d.setForms(ledgerv1.FormStatus_FORM_STATUS_COMPLETED, func(*ledgerv1.Form) bool { return true })
}

// shipped also applies the fields that only a self-ship seller reports.
func (d *draft) shipped(b *ledgerv1.ShipmentShipped) {
	d.climb(rowReportedShipped, b.GetAt(), b.GetOrderItemIds())
	own := b.GetSelfShip()
	if own == nil {
		return
	}
	if own.GetPacking() != nil {
		d.Packing = mergePacking(d.Packing, own.GetPacking())
	}
	if own.GetDispatchLocationJson() != "" {
		details := d.Details.CloneVT()
		if details == nil {
			details = &ledgerv1.ShipmentDetails{}
		}
		details.DispatchLocationJson = own.GetDispatchLocationJson()
		d.Details = details
	}
	d.tentative(own.GetTentativeDelivery(), b.GetAt().GetAt())
}

// tentative notes the seller's delivery date. It is a promise only if the marketplace has made none: a seller cannot
// postpone what the marketplace has promised to the customer.
func (d *draft) tentative(date, at *timestamppb.Timestamp) {
	if date == nil {
		return
	}
	d.TentativeDelivery = date
	d.report(clockDeliver, at, date, bySeller)
}

// deliveryAttempted counts an attempt.
func (d *draft) deliveryAttempted(b *ledgerv1.DeliveryAttempted) {
	d.DeliveryAttempts++
	d.LastDeliveryAttempt = b.GetAt()
	d.attempt(clockDeliver, d.ShipmentId, b.GetAt().GetAt(), b.GetNewDue())
}

// trackingUpdated changes courier and planned date.
func (d *draft) trackingUpdated(b *ledgerv1.TrackingUpdated) {
	if b.GetCourier() != nil {
		d.Packing = mergePacking(d.Packing, &ledgerv1.Packing{Courier: b.GetCourier()})
	}
	d.tentative(b.GetTentativeDelivery(), b.GetAt().GetAt())
}

func (d *draft) datesChanged(b *ledgerv1.DispatchDatesChanged) {
	d.setDates(b, b.GetDispatchAfter())
}

// dateReport is an event that reports dates.
type dateReport interface {
	GetAt() *ledgerv1.Moment
	GetDispatchBy() *timestamppb.Timestamp
	GetDeliverBy() *timestamppb.Timestamp
	GetEarlierDispatchBy() *timestamppb.Timestamp
	GetEarlierDeliverBy() *timestamppb.Timestamp
	GetConfirmed() []string
}

// Paths of dates, as in PropertiesUpdated.changed, and prefixes of others.
const (
	pathDetails = "details."
	pathItems   = "items."
	pathForms   = "forms."

	pathDispatchAfter = "dispatch_after"
	pathDispatchBy    = "dispatch_by"
	pathDeliverBy     = "deliver_by"
)

// setDates sets the dates that are reported, and notes the due times for the clocks.
func (d *draft) setDates(b dateReport, after *timestamppb.Timestamp) {
	at := b.GetAt().GetAt()
	if after != nil || b.GetDispatchBy() != nil || b.GetDeliverBy() != nil {
		d.DatesReportedAt = latest(d.DatesReportedAt, at)
	}
	if after != nil {
		d.DispatchAfter = after
		d.noteReport(pathDispatchAfter, at)
	}
	if by := b.GetDispatchBy(); by != nil {
		d.DispatchBy = by
		d.noteReport(pathDispatchBy, at)
		d.report(clockDispatch, at, by, byMarketplace)
	}
	if by := b.GetDeliverBy(); by != nil {
		d.DeliverBy = by
		d.noteReport(pathDeliverBy, at)
		d.report(clockDeliver, at, by, byMarketplace)
	}
	d.report(clockDispatch, at, b.GetEarlierDispatchBy(), byMarketplace)
	d.report(clockDeliver, at, b.GetEarlierDeliverBy(), byMarketplace)
	for _, path := range b.GetConfirmed() {
		d.noteReport(path, at)
		switch path {
		case pathDispatchBy:
			d.report(clockDispatch, at, d.DispatchBy, byMarketplace)
		case pathDeliverBy:
			d.report(clockDeliver, at, d.DeliverBy, byMarketplace)
		}
	}
}
