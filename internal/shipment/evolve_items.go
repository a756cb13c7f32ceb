package shipment

import (
	"slices"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// held sets absolute quantities, capped at the live units.
func (d *draft) held(b *ledgerv1.ShipmentHeld) {
	at := b.GetAt().GetAt()
	d.HoldReportedAt = latest(d.HoldReportedAt, at)
	for _, h := range b.GetHeld() {
		if i := indexOf(d.Items, h.GetOrderItemId()); i >= 0 {
			it := d.item(i)
			it.Held, it.HoldReportedAt = min(h.GetUnits(), live(it)), latest(it.HoldReportedAt, at)
		}
	}
}

// released ends the hold of every item.
func (d *draft) released(b *ledgerv1.ShipmentReleased) {
	at := b.GetAt().GetAt()
	d.HoldReportedAt = latest(d.HoldReportedAt, at)
	for i := range d.Items {
		it := d.item(i)
		it.Held, it.HoldReportedAt = 0, latest(it.HoldReportedAt, at)
	}
}

func indexOf(items []*ledgerv1.Item, id string) int {
	for i, it := range items {
		if it.GetOrderItemId() == id {
			return i
		}
	}
	return -1
}

// itemsCancelled caps the units again, though the decision has done so: folding must conserve units even for
// a bad event.
func (d *draft) itemsCancelled(b *ledgerv1.ItemsCancelled) {
	for _, c := range b.GetItems() {
		i := indexOf(d.Items, c.GetOrderItemId())
		if i < 0 {
			continue
		}
		units := min(c.GetUnits(), live(d.Items[i]))
		if units == 0 {
			continue
		}
		it := d.item(i)
		*countOf(it, c.GetBy()) += units
		it.Cancellations = append(slices.Clip(it.Cancellations), &ledgerv1.Cancellation{
			Units: units, By: c.GetBy(), Reason: c.GetReason(), SubReason: c.GetSubReason(), At: b.GetAt(),
			AfterShipped: rank(it.Forward) >= rank(shipped), AfterDelivered: rank(it.Forward) >= rank(delivered),
		})
	}
	d.DocumentRevision = max(d.DocumentRevision, b.GetRevision())
}

// countOf returns the field that counts the units cancelled by an actor.
func countOf(it *ledgerv1.Item, by ledgerv1.CancelledBy) *uint32 {
	switch by {
	case ledgerv1.CancelledBy_CANCELLED_BY_SELLER:
		return &it.CancelledSeller
	case ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER:
		return &it.CancelledCustomer
	case ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE:
		return &it.CancelledMarketplace
	default:
		return &it.CancelledUnknown
	}
}

// revive brings back units that were cancelled on the way: a courier return that carried them was cancelled, so they
// were delivered after all. The latest cancellation is revived first.
func (d *draft) revive(i int, units uint32) {
	d.reviveWhere(i, units, func(c *ledgerv1.Cancellation) bool { return c.GetAfterShipped() && !c.GetAfterDelivered() })
}

// reviveShipped brings back units that were cancelled before they were shipped, so it seemed: a return shows that they
// had been shipped.
func (d *draft) reviveShipped(i int, units uint32) {
	was := live(d.Items[i])
	d.reviveWhere(i, units, func(c *ledgerv1.Cancellation) bool { return !c.GetAfterShipped() })
	if it := d.item(i); rank(it.Forward) >= rank(shipped) {
		it.Shipped = addUnits(it.Shipped, live(it)-was)
	}
}

// reviveWhere revives units of the cancellations that match, the latest first.
func (d *draft) reviveWhere(i int, units uint32, match func(*ledgerv1.Cancellation) bool) {
	it := d.item(i)
	list := slices.Clone(it.Cancellations)
	for k := len(list) - 1; k >= 0 && units > 0; k-- {
		c := list[k]
		n := min(units, standing(c))
		if n == 0 || !match(c) {
			continue
		}
		c = c.CloneVT()
		c.Revived += n
		list[k] = c
		count := countOf(it, c.GetBy())
		*count -= min(*count, n)
		units -= n
	}
	it.Cancellations = list
}

// formFailed moves items back to FORM_FAILED and marks the named forms. The acknowledgement number of a form that
// failed again is void. A late event changes the time only: the forms may have been repaired since.
func (d *draft) formFailed(b *ledgerv1.FormFailed) {
	for i, it := range d.Items {
		if !d.late && selects(b.GetOrderItemIds(), it.GetOrderItemId()) && rowReportedFormFailed.moves(it) {
			d.item(i).Forward = formFailed
		}
	}
	known := d.Times.GetFormFailed()
	if b.GetAt() != nil && (fills(known, b.GetAt()) || before(known.GetAt(), b.GetAt().GetAt())) {
		d.ownTimes().FormFailed = b.GetAt()
	}
	if d.late {
		return
	}
	d.Forms = slices.Clone(d.Forms)
	for _, name := range b.GetForms() {
		i := slices.IndexFunc(d.Forms, func(f *ledgerv1.Form) bool { return f.GetName() == name })
		if i < 0 {
			d.Forms = append(d.Forms, &ledgerv1.Form{Name: name, Status: ledgerv1.FormStatus_FORM_STATUS_FAILED})
			continue
		}
		f := d.Forms[i].CloneVT()
		f.Status, f.AckNumber = ledgerv1.FormStatus_FORM_STATUS_FAILED, ""
		d.Forms[i] = f
	}
}

// formAcknowledged resumes packing only when every failed form has its number.
func (d *draft) formAcknowledged(b *ledgerv1.FormAcknowledged) {
	d.Forms = slices.Clone(d.Forms)
	for _, a := range b.GetForms() {
		i := slices.IndexFunc(d.Forms, func(f *ledgerv1.Form) bool { return f.GetName() == a.GetName() })
		if i < 0 {
			d.Forms = append(d.Forms, &ledgerv1.Form{Name: a.GetName()})
			i = len(d.Forms) - 1
		}
		f := d.Forms[i].CloneVT()
		f.Status, f.AckNumber = ledgerv1.FormStatus_FORM_STATUS_COMPLETED, a.GetAckNumber()
		d.Forms[i] = f
	}
	d.DocumentRevision = max(d.DocumentRevision, b.GetRevision())
	if !b.GetComplete() {
		return
	}
	for i, it := range d.Items {
		if rowAcknowledgeForms.moves(it) {
			d.item(i).Forward = packing
		}
	}
}

// setForms sets the status of the chosen forms.
func (d *draft) setForms(s ledgerv1.FormStatus, chosen func(*ledgerv1.Form) bool) {
	owned := false
	for i, f := range d.Forms {
		if f.GetStatus() == s || !chosen(f) {
			continue
		}
		if !owned {
			d.Forms, owned = slices.Clone(d.Forms), true
		}
		f = f.CloneVT()
		f.Status = s
		d.Forms[i] = f
	}
}
