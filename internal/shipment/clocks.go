package shipment

import (
	"cmp"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	clockPack     = ledgerv1.ClockKind_CLOCK_KIND_PACK
	clockDispatch = ledgerv1.ClockKind_CLOCK_KIND_DISPATCH
	clockDeliver  = ledgerv1.ClockKind_CLOCK_KIND_DELIVER
	clockService  = ledgerv1.ClockKind_CLOCK_KIND_SERVICE
	clockVisit    = ledgerv1.ClockKind_CLOCK_KIND_TECH_VISIT
	clockPickup   = ledgerv1.ClockKind_CLOCK_KIND_REVERSE_PICKUP
)

// pickupSubject names the reverse pickup of one line of a return. Each line has a pickup of its own.
func pickupSubject(r *ledgerv1.Return) string { return r.GetReturnId() + "/" + r.GetOrderItemId() }

// clockAt finds a clock, or returns -1. The shipment has at most one clock of each kind for each subject.
func (d *draft) clockAt(kind ledgerv1.ClockKind, subject string) int {
	for i, c := range d.Clocks {
		if c.GetKind() == kind && c.GetSubjectId() == subject {
			return i
		}
	}
	return -1
}

// open starts a clock, unless it exists or has no due time: without a due time there is no promise to measure.
func (d *draft) open(kind ledgerv1.ClockKind, subject string, started, dueAt *timestamppb.Timestamp) {
	if dueAt == nil || d.clockAt(kind, subject) >= 0 {
		return
	}
	d.addClock(&ledgerv1.Clock{Kind: kind, SubjectId: subject, StartedAt: started, FirstDueAt: dueAt, DueAt: dueAt})
}

// openAssumed starts a clock whose due time nobody reported: it follows from a configured time.
func (d *draft) openAssumed(kind ledgerv1.ClockKind, subject string, started, dueAt *timestamppb.Timestamp) {
	n := len(d.Clocks)
	d.open(kind, subject, started, dueAt)
	if len(d.Clocks) > n {
		d.Clocks[n].DueCertainty = assumed
	}
}

// attempt counts a failed attempt. A new date can only postpone the due time, because a failed attempt shortens no
// promise. It opens no clock: without a promise there is nothing to miss.
func (d *draft) attempt(kind ledgerv1.ClockKind, subject string, at, newDue *timestamppb.Timestamp) {
	i := d.clockAt(kind, subject)
	if i < 0 {
		return
	}
	c := d.clock(i)
	c.Attempts++
	switch {
	case len(c.GetReports()) > 0:
		d.report(kind, at, newDue, byAttempt)
	case running(c) && newDue != nil && before(c.GetDueAt(), newDue):
		c.DueAt = newDue
		c.Extensions++
	}
}

// running reports whether a clock has neither been met nor cancelled.
func running(c *ledgerv1.Clock) bool { return c.GetDone() == nil && c.GetCancelledAt() == nil }

// settleClocks ends and reopens clocks by the times and states of the draft. It ignores the event, so that facts in any
// order end in the same outcome. A hold stops no clock: the promise to the customer still holds.
func (d *draft) settleClocks() {
	if len(d.Clocks) == 0 {
		return
	}
	low := lowest(d.Items)
	for i, c := range d.Clocks {
		var e ending
		switch c.GetKind() {
		case clockPack:
			e = d.shipmentEnding(d.Times.GetPacked(), low, rank(packed))
		case clockDispatch:
			e = d.shipmentEnding(d.dispatchedAt(), low, rank(pickedUp))
		case clockDeliver:
			// Nobody waits for goods that come back. If they are delivered after all, the promise counts again.
			e = d.shipmentEnding(d.Times.GetDelivered(), low, rank(delivered))
			if low > 0 && len(d.Returns) > 0 {
				e.cancelled = d.turnedRoundAt()
				if e.done == nil && lowestArriving(d.Items, d.Returns) >= rank(delivered) {
					e.done = d.Times.GetDelivered()
				}
			}
		case clockService, clockVisit:
			e = d.serviceEnding(c.GetSubjectId())
		case clockPickup:
			e = d.pickupEnding(c.GetSubjectId())
		default:
			continue
		}
		d.end(i, c, e)
	}
}

// ending is what ends a clock: done when its promise was met, cancelled when it no longer matters. Both may be set.
type ending struct{ done, cancelled *ledgerv1.Moment }

// end writes an ending into a clock, and settles its due time. A completion counts if it happened before the
// cancellation, and else the cancellation, in whatever order they are reported. A promise that was first made after the
// end is cancelled: nobody could keep it.
//
// A clock that is done stays done, because units that are revived later break no promise that was kept. The pickup of a
// return has no units of its own: if its completion turns out not to have happened, the pickup inferred from it has not
// either.
func (d *draft) end(i int, c *ledgerv1.Clock, e ending) {
	var done, gone *ledgerv1.Moment
	switch {
	case c.GetDone() != nil && e.done == nil && c.GetKind() != clockPickup:
		done = c.GetDone()
	case e.done != nil && (e.cancelled == nil || !before(e.cancelled.GetAt(), e.done.GetAt())):
		done = e.done
	default:
		gone = e.cancelled
	}
	p := promiseOf(c, done, gone)
	if p.none {
		done, gone = nil, cmp.Or(done, gone)
	}
	if done == c.GetDone() && same(gone.GetAt(), c.GetCancelledAt()) && gone.GetCertainty() == c.GetCancelledCertainty() &&
		same(p.first, c.GetFirstDueAt()) && same(p.due, c.GetDueAt()) && p.extensions == c.GetExtensions() {
		return
	}
	c = d.clock(i)
	c.Done, c.CancelledAt, c.CancelledCertainty = done, gone.GetAt(), gone.GetCertainty()
	c.FirstDueAt, c.DueAt, c.Extensions = p.first, p.due, p.extensions
}

// shipmentEnding is the ending of a clock of the whole shipment. It is done when all live units have reached the rank,
// and cancelled when no unit is live.
func (d *draft) shipmentEnding(m *ledgerv1.Moment, low, target int) ending {
	switch {
	case low == 0:
		return ending{done: m, cancelled: d.Times.GetCancelled()}
	case low >= target:
		return ending{done: m}
	default:
		return ending{}
	}
}

// dispatchedAt is when the goods left the seller: the time of pickup or of shipping. A known time takes precedence over
// an inferred one; of two alike, the earlier counts. The flows differ: self-ship has no pickup, and the marketplace
// does not report each step.
func (d *draft) dispatchedAt() *ledgerv1.Moment {
	a, b := d.Times.GetPickedUp(), d.Times.GetShipped()
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case (a.GetCertainty() == inferred) != (b.GetCertainty() == inferred):
		if a.GetCertainty() == inferred {
			return b
		}
		return a
	case before(b.GetAt(), a.GetAt()):
		return b
	default:
		return a
	}
}

// turnedRoundAt is when the last live unit turned round on its way, or nil while some are still to arrive.
func (d *draft) turnedRoundAt() *ledgerv1.Moment {
	var at *ledgerv1.Moment
	for _, it := range d.Items {
		if live(it) == 0 {
			continue
		}
		last, all := turnedRound(it, d.Returns, false)
		if !all {
			return nil
		}
		at = later(at, last)
	}
	return at
}

// serviceEnding is the ending of the clock of a service or tech visit.
func (d *draft) serviceEnding(id string) ending {
	for _, v := range d.Services {
		if v.GetServiceId() != id {
			continue
		}
		return ending{done: v.GetCompleted(), cancelled: v.GetCancelled()}
	}
	return ending{}
}

// pickupEnding is the ending of a reverse pickup's clock. It is cancelled with the return.
func (d *draft) pickupEnding(subject string) ending {
	for _, r := range d.Returns {
		if pickupSubject(r) != subject {
			continue
		}
		e := ending{done: r.GetPickedUp()}
		switch r.GetStatus() {
		case rmaCancelled:
			e.cancelled = r.GetCancelled()
		case rmaRejected:
			e.cancelled = r.GetRejected()
		default:
		}
		return e
	}
	return ending{}
}
