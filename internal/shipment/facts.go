package shipment

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// statusReached applies a fact that reports how far the goods have gone.
func (x *decider) statusReached(f StatusReached) {
	r, ok := rowOf(f.Status)
	if !ok || f.Status == packing || f.Status == completed {
		x.quarantine(ReasonBadBody, "The fact names a status that no notification reports: "+statusName(f.Status)+".")
		return
	}
	x.reach(r, reported(f.At), nil)
	x.settle(nil)
}

// reach applies a status to the named items, or to all. If it moves none, it can still fill a time: notifications
// overtake one another, and the time of an earlier step is worth keeping.
func (x *decider) reach(r row, at *ledgerv1.Moment, ids []string) {
	target := targetOf(r)
	var moved []string
	none := true
	for _, it := range x.s.GetItems() {
		if !selects(ids, it.GetOrderItemId()) || !r.moves(it) {
			continue
		}
		// The marketplace completes items one by one, so that event always names them.
		if len(ids) > 0 || r == rowReportedCompleted {
			moved = append(moved, it.GetOrderItemId())
		}
		none = false
	}
	if !none {
		x.follow(stepEvent(target, at, moved), at)
		return
	}
	known := *timeOf(timesOf(x.s), target)
	if !fills(known, at) {
		// A pull that finds the state again reports no time: it is a repeat, not a late report.
		if sameMoment(known, at) || at.GetCertainty() != reportedCertainty {
			x.seen = true
		} else {
			x.outranked = true
		}
		return
	}
	e := stepEvent(target, at, ids)
	gone := x.s.GetTimes().GetCancelled()
	e.Transition = &ledgerv1.Transition{Late: true, Irregular: gone != nil && before(gone.GetAt(), at.GetAt())}
	x.emit(e)
}

// timesOf returns the times of a state for reading; a state without any has empty ones.
func timesOf(s *State) *ledgerv1.Times {
	if t := s.GetTimes(); t != nil {
		return t
	}
	return &ledgerv1.Times{}
}

// boxed holds an event, its transition and its body in one allocation. Most events are steps forward, and the lane's
// goroutine makes them all.
type boxed[W, B any] struct {
	event      Event
	transition ledgerv1.Transition
	wrapper    W
	body       B
}

// stepEvent makes the event for a state that was reached.
func stepEvent(target ledgerv1.Status, at *ledgerv1.Moment, ids []string) *Event {
	switch target {
	case packing:
		b := &ledgerv1.LabelsRequested{At: at, OrderItemIds: ids}
		return &Event{Body: &ledgerv1.Event_LabelsRequested{LabelsRequested: b}}
	case packed:
		b := &boxed[ledgerv1.Event_ShipmentPacked, ledgerv1.ShipmentPacked]{}
		b.body.At, b.body.OrderItemIds, b.wrapper.ShipmentPacked = at, ids, &b.body
		b.event.Body, b.event.Transition = &b.wrapper, &b.transition
		return &b.event
	case ready:
		b := &boxed[ledgerv1.Event_ReadyToDispatch, ledgerv1.ReadyToDispatch]{}
		b.body.At, b.body.OrderItemIds, b.wrapper.ReadyToDispatch = at, ids, &b.body
		b.event.Body, b.event.Transition = &b.wrapper, &b.transition
		return &b.event
	case pickedUp:
		b := &boxed[ledgerv1.Event_PickupCompleted, ledgerv1.PickupCompleted]{}
		b.body.At, b.body.OrderItemIds, b.wrapper.PickupCompleted = at, ids, &b.body
		b.event.Body, b.event.Transition = &b.wrapper, &b.transition
		return &b.event
	case shipped:
		b := &boxed[ledgerv1.Event_ShipmentShipped, ledgerv1.ShipmentShipped]{}
		b.body.At, b.body.OrderItemIds, b.wrapper.ShipmentShipped = at, ids, &b.body
		b.event.Body, b.event.Transition = &b.wrapper, &b.transition
		return &b.event
	case delivered:
		b := &boxed[ledgerv1.Event_ShipmentDelivered, ledgerv1.ShipmentDelivered]{}
		b.body.At, b.body.OrderItemIds, b.wrapper.ShipmentDelivered = at, ids, &b.body
		b.event.Body, b.event.Transition = &b.wrapper, &b.transition
		return &b.event
	default:
		b := &ledgerv1.ShipmentCompleted{At: at, OrderItemIds: ids}
		return &Event{Body: &ledgerv1.Event_ShipmentCompleted{ShipmentCompleted: b}}
	}
}

// datesChanged applies new dates of dispatch and delivery.
func (x *decider) datesChanged(f DatesChanged) {
	if !x.promisable(f.DispatchAfter, f.DispatchBy, f.DeliverBy) {
		x.quarantine(ReasonBadTime, "The new dates are before 1990 or too far in the future.")
		return
	}
	p := x.patchOf(f.Fact)
	dates := x.diffDates(p, f.DispatchAfter, f.DispatchBy, f.DeliverBy)
	x.outranked = p.outdated
	if dates.some || len(p.confirmed) > 0 {
		late := len(p.changed) == 0 && len(p.confirmed) == 0
		x.emit(&Event{
			Transition: &ledgerv1.Transition{Late: late},
			Body: &ledgerv1.Event_DispatchDatesChanged{DispatchDatesChanged: &ledgerv1.DispatchDatesChanged{
				At: reported(f.At), DispatchAfter: dates.after, DispatchBy: dates.by, DeliverBy: dates.deliver,
				EarlierDispatchBy: dates.earlierBy, EarlierDeliverBy: dates.earlierDeliver, Confirmed: p.confirmed,
			}},
		})
	}
	x.settle(nil)
}

// changedDates are the dates of a report that say something new.
type changedDates struct {
	after, by, deliver        *timestamppb.Timestamp
	earlierBy, earlierDeliver *timestamppb.Timestamp
	some                      bool
}

// diffDates compares reported dates with those that are known. A due time that was reported before the known one is
// news too: the clock may have ended between the two. So is a known one that is reported again: older reports that are
// yet to arrive no longer change it.
func (x *decider) diffDates(p *patch, after, by, deliver time.Time) changedDates {
	var out changedDates
	p.time(pathDispatchAfter, x.s.GetDispatchAfter(), stamp(after), &out.after)
	out.some = out.after != nil
	x.diffDue(p, &out, pathDispatchBy, clockDispatch, x.s.GetDispatchBy(), stamp(by), &out.by, &out.earlierBy)
	x.diffDue(p, &out, pathDeliverBy, clockDeliver, x.s.GetDeliverBy(), stamp(deliver), &out.deliver, &out.earlierDeliver)
	return out
}

// diffDue compares one due time.
func (x *decider) diffDue(
	p *patch, out *changedDates, path string, kind ledgerv1.ClockKind, known, due *timestamppb.Timestamp,
	now, earlier **timestamppb.Timestamp,
) {
	if due == nil || x.dueReported(kind, p.at, due) {
		return
	}
	last := p.reported(path)
	switch {
	case known != nil && p.isOlder(path):
		*earlier, out.some = due, true
	case !same(known, due):
		*now, out.some = due, true
		p.note(path)
	case before(last, p.at):
		p.confirmed = append(p.confirmed, path)
	}
}

// dueReported reports whether a due time is known from a report of that time.
func (x *decider) dueReported(kind ledgerv1.ClockKind, at, due *timestamppb.Timestamp) bool {
	for _, c := range x.s.GetClocks() {
		if c.GetKind() != kind {
			continue
		}
		for _, r := range c.GetReports() {
			made := r.GetReportedAt()
			if made == nil {
				made = x.s.GetTimes().GetCreated().GetAt()
			}
			if r.GetSource() == byMarketplace && same(made, at) && same(r.GetDueAt(), due) {
				return true
			}
		}
	}
	return false
}

// formsFailed applies the fact that forms failed. At FORM_FAILED it changes something only if it names another form or
// fills the time of a failure that a pull had found. A failure that is known already does not stop a retry: an item
// that is packing again since then stays where it is.
func (x *decider) formsFailed(f FormsFailed) {
	at := reported(f.At)
	last := x.s.GetTimes().GetFormFailed()
	var meant []string
	moves, left := false, false
	for _, it := range x.s.GetItems() {
		switch {
		case rowReportedFormFailed.at(forwardOf(it)).does == stay:
			meant = append(meant, it.GetOrderItemId())
		case !rowReportedFormFailed.moves(it):
		case it.GetForward() == packing && last != nil && !before(last.GetAt(), at.GetAt()):
			left = true
		default:
			meant, moves = append(meant, it.GetOrderItemId()), true
		}
	}
	b := &ledgerv1.FormFailed{At: at, Forms: f.Forms, Revision: x.s.GetDocumentRevision()}
	e := &Event{Body: &ledgerv1.Event_FormFailed{FormFailed: b}}
	switch {
	case moves, len(meant) > 0 && (len(x.newlyFailed(f.Forms)) > 0 || fills(last, at)):
		if left {
			b.OrderItemIds = meant
		}
		x.emit(e)
	case left && fills(last, at):
		e.Transition = &ledgerv1.Transition{Late: true}
		x.emit(e)
	case len(meant) == 0:
		x.seen = left && sameMoment(last, at)
		x.outranked = !x.seen
	}
	x.settle(nil)
}

// newlyFailed lists the forms that are not known to have failed.
func (x *decider) newlyFailed(names []string) []string {
	var out []string
	for _, name := range names {
		failed := false
		for _, f := range x.s.GetForms() {
			failed = failed || f.GetName() == name && f.GetStatus() == ledgerv1.FormStatus_FORM_STATUS_FAILED
		}
		if !failed {
			out = append(out, name)
		}
	}
	return out
}
