package shipment

import (
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// eachLine calls f with the index of every line of a return that is meant.
func (d *draft) eachLine(returnID string, ids []string, f func(i int)) {
	for i, r := range d.Returns {
		if r.GetReturnId() == returnID && meant(ids, r.GetOrderItemId()) {
			f(i)
		}
	}
}

func meant(ids []string, id string) bool {
	if len(ids) == 0 {
		return true
	}
	for _, x := range ids {
		if x == id {
			return true
		}
	}
	return false
}

func (d *draft) returnCreated(b *ledgerv1.ReturnCreated) {
	for _, line := range b.GetLines() {
		i := indexOf(d.Items, line.GetOrderItemId())
		if i < 0 {
			continue
		}
		d.addReturn(line)
		if line.GetSource() == fromCourier && !d.Items[i].GetCourierReturn() {
			d.item(i).CourierReturn = true
		}
		// What comes back had left, though not that it had arrived.
		if rowReportedReturn.moves(d.Items[i]) {
			d.raise(i, shipped)
			d.reachTime(shipped, withCertainty(b.GetAt(), inferred), true)
		}
	}
}

func (d *draft) returnTracked(b *ledgerv1.ReturnTrackingUpdated) {
	for _, line := range b.GetLines() {
		d.eachLine(b.GetReturnId(), []string{line.GetOrderItemId()}, func(i int) {
			r := d.back(i)
			setText(&r.TrackingId, line.GetTrackingId())
			setText(&r.CourierName, line.GetCourierName())
			r.TrackingReportedAt = latest(r.TrackingReportedAt, b.GetAt().GetAt())
		})
	}
}

func setText(to *string, s string) {
	if s != "" {
		*to = s
	}
}

func (d *draft) returnExpected(b *ledgerv1.ReturnExpectedDateChanged) {
	for _, line := range b.GetLines() {
		d.eachLine(b.GetReturnId(), []string{line.GetOrderItemId()}, func(i int) {
			r := d.back(i)
			r.ExpectedDate = line.GetExpectedDate()
			r.ExpectedReportedAt = latest(r.ExpectedReportedAt, b.GetAt().GetAt())
		})
	}
}

func (d *draft) returnApproved(b *ledgerv1.ReturnApproved) {
	d.returnReached(rowReturnApproved, b.GetReturnId(), b.GetOrderItemIds(), b.GetAt(), b.GetComments())
	if b.GetPickupDue() == nil {
		return
	}
	d.eachLine(b.GetReturnId(), b.GetOrderItemIds(), func(i int) {
		d.open(clockPickup, pickupSubject(d.Returns[i]), b.GetAt().GetAt(), b.GetPickupDue())
	})
}

// returnReached moves the lines that the row moves, and notes the time for all.
func (d *draft) returnReached(row returnRow, returnID string, ids []string, at *ledgerv1.Moment, comments string) {
	d.eachLine(returnID, ids, func(i int) {
		r := d.back(i)
		c := row.at(r.GetStatus())
		if !d.late && (c.does == move || c.does == contradict) {
			r.Status = c.to
		}
		setText(&r.Comments, comments)
		if at == nil {
			return
		}
		if p := returnTime(r, row); fills(*p, at) {
			*p = at
		}
		d.passReturn(r, row, at)
	})
}

// passReturn infers the steps on the way of a return that nobody told of.
func (d *draft) passReturn(r *ledgerv1.Return, row returnRow, at *ledgerv1.Moment) {
	if row != rowReturnPickedUp && row != rowReturnCompleted || r.GetSource() != fromCustomer {
		return
	}
	guess := withCertainty(at, inferred)
	earlier := func(p **ledgerv1.Moment) {
		if *p == nil || (*p).GetCertainty() == inferred && before(guess.GetAt(), (*p).GetAt()) {
			*p = guess
		}
	}
	if d.Fulfilment == ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP {
		earlier(&r.Approved)
	}
	if row == rowReturnCompleted {
		earlier(&r.PickedUp)
	}
}

func returnTime(r *ledgerv1.Return, row returnRow) **ledgerv1.Moment {
	switch row {
	case rowReturnApproved:
		return &r.Approved
	case rowReturnRejected:
		return &r.Rejected
	case rowReturnPickedUp:
		return &r.PickedUp
	case rowReturnCompleted:
		return &r.Completed
	default:
		return &r.Cancelled
	}
}

func (d *draft) pickupAttempted(b *ledgerv1.PickupAttempted) {
	d.eachLine(b.GetReturnId(), b.GetOrderItemIds(), func(i int) {
		r := d.back(i)
		r.PickupAttempts++
		r.LastPickupAttempt = b.GetAt()
		d.attempt(clockPickup, pickupSubject(r), b.GetAt().GetAt(), b.GetNewDue())
	})
}

func (d *draft) returnCancelled(b *ledgerv1.ReturnCancelled) {
	d.returnReached(rowReturnCancelled, b.GetReturnId(), b.GetOrderItemIds(), b.GetAt(), "")
	for _, u := range b.GetRevived() {
		if i := indexOf(d.Items, u.GetOrderItemId()); i >= 0 {
			d.revive(i, u.GetUnits())
		}
	}
}

func (d *draft) returnUpdated(b *ledgerv1.ReturnUpdated) {
	for _, line := range b.GetLines() {
		d.eachLine(b.GetReturnId(), []string{line.GetOrderItemId()}, func(i int) {
			r := d.back(i)
			// That it was shipped was inferred from this return; the earlier it was made, the earlier that was.
			if was := d.Times.GetShipped(); line.GetCreated() != nil && was.GetCertainty() == inferred && same(was.GetAt(), r.GetCreated().GetAt()) {
				d.ownTimes().Shipped = nil
				d.reachTime(shipped, withCertainty(line.GetCreated(), inferred), false)
			}
			if line.GetCreated() != nil {
				// What was found with it stays as new as it was.
				r.TrackingReportedAt = latest(r.TrackingReportedAt, r.GetCreated().GetAt())
				r.ExpectedReportedAt = latest(r.ExpectedReportedAt, r.GetCreated().GetAt())
			}
			mergeReturn(r, line)
			if line.GetTrackingId() != "" || line.GetCourierName() != "" {
				r.TrackingReportedAt = latest(r.TrackingReportedAt, b.GetAt().GetAt())
			}
			if line.GetExpectedDate() != nil {
				r.ExpectedReportedAt = latest(r.ExpectedReportedAt, b.GetAt().GetAt())
			}
		})
	}
}
