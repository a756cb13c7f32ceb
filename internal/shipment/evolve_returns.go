package shipment

import (
	"slices"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// eachLine calls f with the index of each line of a return that is among the ids; no ids mean all lines.
func (d *draft) eachLine(returnID string, ids []string, f func(i int)) {
	for i, r := range d.Returns {
		if r.GetReturnId() == returnID && selects(ids, r.GetOrderItemId()) {
			f(i)
		}
	}
}

// selects reports whether a list of ids selects an id. An empty list selects every id.
func selects(ids []string, id string) bool { return len(ids) == 0 || slices.Contains(ids, id) }

// returnCreated adds the lines. Goods that come back must have left, though they need not have arrived, and a shipment
// leaves as one: all its live items move to SHIPPED if they were not reported to be.
func (d *draft) returnCreated(b *ledgerv1.ReturnCreated) {
	for _, line := range b.GetLines() {
		i := indexOf(d.Items, line.GetOrderItemId())
		if i < 0 {
			continue
		}
		if b.GetSiblingCount() > 0 {
			// The event names them once; in the state each line does, because lines of several returns lie side by side.
			line = line.CloneVT()
			line.SiblingShipmentIds, line.SiblingCount = b.GetSiblingShipmentIds(), b.GetSiblingCount()
		}
		d.addReturn(line)
		if line.GetSource() == fromCourier && !d.Items[i].GetCourierReturn() {
			d.item(i).CourierReturn = true
		}
	}
	for _, u := range b.GetRevived() {
		if i := indexOf(d.Items, u.GetOrderItemId()); i >= 0 {
			d.reviveShipped(i, u.GetUnits())
		}
	}
	moved := false
	for i, it := range d.Items {
		if rowReportedReturn.moves(it) {
			d.raise(i, shipped)
			moved = true
		}
	}
	if moved {
		d.reachTime(shipped, withCertainty(b.GetAt(), inferred), true)
	}
}

// returnTracked notes when tracking was reported, so that an older report cannot replace it later.
func (d *draft) returnTracked(b *ledgerv1.ReturnTrackingUpdated) {
	at := b.GetAt().GetAt()
	for _, line := range b.GetLines() {
		d.eachLine(b.GetReturnId(), []string{line.GetOrderItemId()}, func(i int) {
			r := d.returnLine(i)
			setText(&r.TrackingId, line.GetTrackingId())
			setText(&r.CourierName, line.GetCourierName())
			noteLine(r, &ledgerv1.Return{TrackingId: line.GetTrackingId(), CourierName: line.GetCourierName()}, nil, at)
		})
	}
}

// setText and setMessage set a field, unless the new value is empty: reports leave out what they do not change.
func setText(to *string, s string) {
	if s != "" {
		*to = s
	}
}

// returnExpected notes when the date was reported. Staleness is judged for each field on its own: a new tracking number
// says nothing about the date.
func (d *draft) returnExpected(b *ledgerv1.ReturnExpectedDateChanged) {
	for _, line := range b.GetLines() {
		d.eachLine(b.GetReturnId(), []string{line.GetOrderItemId()}, func(i int) {
			r := d.returnLine(i)
			r.ExpectedDate = line.GetExpectedDate()
			noteLine(r, &ledgerv1.Return{ExpectedDate: line.GetExpectedDate()}, nil, b.GetAt().GetAt())
		})
	}
}

// returnApproved opens a clock for each line, if the event has a due time: each line has a pickup of its own. If the
// approval turns out to have been earlier, so was the start of the clock, and what was promised with it.
func (d *draft) returnApproved(b *ledgerv1.ReturnApproved) {
	d.returnReached(rowReturnApproved, b.GetReturnId(), b.GetOrderItemIds(), b.GetAt(), b.GetComments())
	if b.GetPickupDue() == nil {
		return
	}
	d.eachLine(b.GetReturnId(), b.GetOrderItemIds(), func(i int) {
		subject := pickupSubject(d.Returns[i])
		k := d.clockAt(clockPickup, subject)
		if k < 0 || !d.late {
			d.openAssumed(clockPickup, subject, b.GetAt().GetAt(), b.GetPickupDue())
			return
		}
		c := d.clock(k)
		c.StartedAt, c.FirstDueAt = b.GetAt().GetAt(), b.GetPickupDue()
		if c.GetExtensions() == 0 {
			c.DueAt = b.GetPickupDue()
		}
	})
}

// returnReached moves lines to the state of the row, and notes the time for all of them.
func (d *draft) returnReached(row returnRow, returnID string, ids []string, at *ledgerv1.Moment, comments string) {
	d.eachLine(returnID, ids, func(i int) {
		r := d.returnLine(i)
		c := row.at(r.GetStatus())
		if !d.late && (c.does == move || c.does == contradict) {
			if c.does == contradict && hasEnded(r) {
				d.forgetEnd(r)
			}
			r.Status = c.to
		}
		setText(&r.Comments, comments)
		if at == nil {
			return
		}
		if p := returnTime(r, row); betters(*p, at) {
			*p = at
		}
		d.passReturn(r, row, at)
	})
}

// forgetEnd removes the time of an end that did not happen, because another end came first, and what was inferred from
// it. What a pickup implies holds still.
func (d *draft) forgetEnd(r *ledgerv1.Return) {
	row, ok := returnRowOf(r.GetStatus())
	if !ok {
		return
	}
	end := returnTime(r, row)
	for _, p := range []**ledgerv1.Moment{&r.Approved, &r.PickedUp} {
		if (*p).GetCertainty() == inferred && same((*p).GetAt(), (*end).GetAt()) {
			*p = nil
		}
	}
	*end = nil
	if r.PickedUp != nil {
		d.passReturn(r, rowReturnPickedUp, r.PickedUp)
	}
}

// passReturn infers the times of steps that a customer return must have passed: it was picked up before it was
// completed, and, with a self-ship seller, approved before that. Standard returns need no approval, and courier returns
// no pickup.
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

// returnTime returns the field that holds the time of a row's state.
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

// pickupAttempted counts the attempt on every line that it was made for.
func (d *draft) pickupAttempted(b *ledgerv1.PickupAttempted) {
	d.eachLine(b.GetReturnId(), b.GetOrderItemIds(), func(i int) {
		r := d.returnLine(i)
		r.PickupAttempts++
		r.LastPickupAttempt = b.GetAt()
		d.attempt(clockPickup, pickupSubject(r), b.GetAt().GetAt(), b.GetNewDue())
	})
}

// returnCancelled revives the units that the event names. Which units those are depends on the other returns, so the
// decision has counted them.
func (d *draft) returnCancelled(b *ledgerv1.ReturnCancelled) {
	d.returnReached(rowReturnCancelled, b.GetReturnId(), b.GetOrderItemIds(), b.GetAt(), "")
	for _, u := range b.GetRevived() {
		if i := indexOf(d.Items, u.GetOrderItemId()); i >= 0 {
			d.revive(i, u.GetUnits())
		}
	}
}

// returnUpdated merges fields. If the event holds a time of creation, a notification has arrived for a return that a
// pull had found, and everything that was inferred from the later time moves back.
func (d *draft) returnUpdated(b *ledgerv1.ReturnUpdated) {
	at := b.GetAt().GetAt()
	for _, line := range b.GetLines() {
		d.eachLine(b.GetReturnId(), []string{line.GetOrderItemId()}, func(i int) {
			r := d.returnLine(i)
			// The time of shipping was inferred from this return. If the return turns out to be older, so was shipping.
			was := d.Times.GetShipped()
			if line.GetCreated() != nil && was.GetCertainty() == inferred && same(was.GetAt(), r.GetCreated().GetAt()) {
				d.ownTimes().Shipped = nil
				d.reachTime(shipped, withCertainty(line.GetCreated(), inferred), false)
			}
			if line.GetCreated() != nil {
				keepLineTimes(r) // Fields found by the pull keep the time of the pull, though the return is older now.
			}
			mergeReturn(r, line)
			noteLine(r, line, nil, at)
		})
	}
	for _, c := range b.GetConfirmed() {
		d.eachLine(b.GetReturnId(), []string{c.GetOrderItemId()}, func(i int) {
			noteLine(d.returnLine(i), nil, c.GetFields(), at)
		})
	}
}
