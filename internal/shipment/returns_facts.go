package shipment

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// returnReported makes the lines of a return that are new, and brings what differs of those that are known.
func (x *decider) returnReported(f ReturnReported) {
	if !goodID(f.ReturnID) {
		x.quarantine(ReasonBadID, "The return's id is missing or too long.")
		return
	}
	if len(f.Lines) == 0 {
		x.quarantine(ReasonNoItems, "The return is told without lines.")
		return
	}
	if len(f.Lines) > maxItems {
		x.quarantine(ReasonTooLarge, "The return has too many lines.")
		return
	}
	for _, l := range f.Lines {
		if !x.goodLine(l) {
			return
		}
	}
	at := reported(f.At)
	var unknown []string
	var fresh, again []*ledgerv1.Return
	for _, l := range f.Lines {
		r := l.Return.CloneVT()
		if r == nil {
			r = &ledgerv1.Return{}
		}
		r.ReturnId, r.Units = f.ReturnID, uint32(l.Quantity)
		switch {
		case indexOf(x.s.GetItems(), r.GetOrderItemId()) < 0:
			unknown = append(unknown, r.GetOrderItemId())
		case x.line(f.ReturnID, r.GetOrderItemId()) != nil || hasLine(fresh, r.GetOrderItemId()):
			again = append(again, r)
		default:
			fresh = append(fresh, r)
		}
	}
	x.makeReturn(fresh, at)
	x.updateReturn(f.ReturnID, again, at)
	for _, l := range f.Lines {
		if l.TechVisit == nil {
			continue
		}
		v := *l.TechVisit
		v.ReturnID = f.ReturnID
		if v.OrderItemID == "" {
			v.OrderItemID = l.Return.GetOrderItemId()
		}
		if goodID(v.ServiceID) && x.promisable(v.DueAt) {
			x.reportedVisit(v, at)
		}
	}
	x.settle(unknown)
}

func (x *decider) goodLine(l ReturnLine) bool {
	r := l.Return
	switch {
	case !goodID(r.GetOrderItemId()):
		x.quarantine(ReasonBadID, "A line of the return names no item.")
	case l.Quantity <= 0 || l.Quantity > maxUnits:
		x.quarantine(ReasonBadQuantity, "The return is of a number of units that cannot be.")
	case r.GetSource() != fromCustomer && r.GetSource() != fromCourier:
		x.quarantine(ReasonBadBody, "The return is told to be neither the customer's nor the courier's.")
	case !x.promisableStamp(r.GetExpectedDate()) || !x.promisableStamp(r.GetMarketplaceUpdatedAt()):
		x.quarantine(ReasonBadTime, "A date of the return is before 1990 or too far in the future.")
	default:
		return true
	}
	return false
}

func hasLine(lines []*ledgerv1.Return, item string) bool {
	for _, r := range lines {
		if r.GetOrderItemId() == item {
			return true
		}
	}
	return false
}

// line finds a line of a return.
func (x *decider) line(returnID, item string) *ledgerv1.Return {
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() == returnID && r.GetOrderItemId() == item {
			return r
		}
	}
	return nil
}

// makeReturn emits ReturnCreated for lines that are new, each in its first state; a self-ship courier return needs no
// approval and gets it at once.
func (x *decider) makeReturn(lines []*ledgerv1.Return, at *ledgerv1.Moment) {
	if len(lines) == 0 {
		return
	}
	t := &ledgerv1.Transition{}
	var ready []string
	for _, r := range lines {
		r.Status, r.Created = rmaCreated, at
		r.Approved, r.Rejected, r.PickedUp, r.Completed, r.Cancelled = nil, nil, nil, nil, nil
		r.PickupAttempts, r.LastPickupAttempt = 0, nil
		if x.s.GetFulfilment() == selfShip {
			r.Status = rmaRequested
			if r.GetSource() == fromCourier {
				ready = append(ready, r.GetOrderItemId())
			}
		}
		r.Irregular = x.tooMany(r)
		t.Irregular = t.Irregular || r.Irregular
	}
	x.follow(&Event{Transition: t, Body: &ledgerv1.Event_ReturnCreated{ReturnCreated: &ledgerv1.ReturnCreated{At: at, Lines: lines}}}, at)
	if len(ready) > 0 {
		x.approve(lines[0].GetReturnId(), ready, "", at, nil)
	}
}

// tooMany reports whether a return takes more units than are live and not in other returns.
func (x *decider) tooMany(line *ledgerv1.Return) bool {
	i := indexOf(x.s.GetItems(), line.GetOrderItemId())
	if i < 0 {
		return true
	}
	n := uint64(line.GetUnits())
	for _, r := range x.s.GetReturns() {
		if r.GetOrderItemId() == line.GetOrderItemId() && counts(r) {
			n += uint64(r.GetUnits())
		}
	}
	return n > uint64(live(x.s.Items[i]))
}

// updateReturn emits ReturnUpdated for lines whose fields differ, or whose creation was only found and is told now.
// What is older than what was found fills what is not known and replaces nothing.
func (x *decider) updateReturn(returnID string, lines []*ledgerv1.Return, at *ledgerv1.Moment) {
	b := &ledgerv1.ReturnUpdated{At: at, ReturnId: returnID}
	p, late := &patch{}, false
	for _, line := range lines {
		known := x.line(returnID, line.GetOrderItemId())
		if known == nil {
			continue
		}
		p.prefix = line.GetOrderItemId() + "."
		p.older = before(at.GetAt(), latest(known.GetCreated().GetAt(), latest(known.GetTrackingReportedAt(), known.GetExpectedReportedAt())))
		diff := diffReturn(p, known, line)
		if fills(known.GetCreated(), at) {
			if diff == nil {
				diff = &ledgerv1.Return{OrderItemId: known.GetOrderItemId()}
			}
			diff.Created, late = at, true
			p.note("created")
		}
		if diff != nil {
			b.Lines = append(b.Lines, diff)
		}
	}
	if len(b.Lines) == 0 {
		x.outranked = x.outranked || p.outdated
		x.seen = x.seen || len(lines) > 0 && !p.outdated
		return
	}
	b.Changed = p.changed
	x.emit(&Event{Body: &ledgerv1.Event_ReturnUpdated{ReturnUpdated: b}, Transition: &ledgerv1.Transition{Late: late}})
}

// reportedVisit requests a tech visit that the marketplace tells of; false when it names a return that is not known.
func (x *decider) reportedVisit(v RequestTechVisit, at *ledgerv1.Moment) (id string, ok bool) {
	var line *ledgerv1.Return
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() == v.ReturnID && (v.OrderItemID == "" || v.OrderItemID == r.GetOrderItemId()) {
			line = r
			break
		}
	}
	switch {
	case line == nil:
		return v.OrderItemID, false
	case serviceIndex(x.s.GetServices(), v.ServiceID) >= 0:
		x.seen = true
	case line.GetStatus() != rmaRequested && line.GetStatus() != rmaCreated:
		x.outranked = true
	default:
		x.requestVisit(v, line, at)
	}
	return "", true
}

// returnKnown quarantines a fact about a return that the shipment does not have: the resolver leads here only what it
// has seen created, so waiting would be for ever.
func (x *decider) returnKnown(id string) bool {
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() == id && id != "" {
			return true
		}
	}
	x.quarantine(ReasonUnknownReturn, "It has no return "+clip(id)+".")
	return false
}

// returnTracked changes the tracking of a return.
func (x *decider) returnTracked(f ReturnTracked) {
	if !x.returnKnown(f.ReturnID) {
		return
	}
	b := &ledgerv1.ReturnTrackingUpdated{At: reported(f.At), ReturnId: f.ReturnID}
	var unknown []string
	for _, l := range f.Lines {
		r := x.line(f.ReturnID, l.GetOrderItemId())
		if r == nil {
			unknown = append(unknown, l.GetOrderItemId())
			continue
		}
		p := &patch{older: f.At.Before(latest(r.GetCreated().GetAt(), r.GetTrackingReportedAt()).AsTime())}
		line := &ledgerv1.ReturnTracking{OrderItemId: l.GetOrderItemId()}
		p.text("tracking_id", r.GetTrackingId(), l.GetTrackingId(), &line.TrackingId)
		p.text("courier_name", r.GetCourierName(), l.GetCourierName(), &line.CourierName)
		x.outranked = x.outranked || p.outdated
		if len(p.changed) > 0 {
			b.Lines = append(b.Lines, line)
		} else {
			x.seen = x.seen || !p.outdated
		}
	}
	if len(b.Lines) > 0 {
		x.emit(&Event{Body: &ledgerv1.Event_ReturnTrackingUpdated{ReturnTrackingUpdated: b}})
	}
	x.settleLines(len(f.Lines), unknown)
}

// returnExpected changes when a return is expected.
func (x *decider) returnExpected(f ReturnExpected) {
	if !x.returnKnown(f.ReturnID) {
		return
	}
	b := &ledgerv1.ReturnExpectedDateChanged{At: reported(f.At), ReturnId: f.ReturnID}
	var unknown []string
	for _, l := range f.Lines {
		if !goodExpected(x, l.GetExpectedDate()) {
			return
		}
		r := x.line(f.ReturnID, l.GetOrderItemId())
		switch {
		case r == nil:
			unknown = append(unknown, l.GetOrderItemId())
		case same(l.GetExpectedDate(), r.GetExpectedDate()):
			x.seen = true
		case r.GetExpectedDate() != nil && f.At.Before(latest(r.GetCreated().GetAt(), r.GetExpectedReportedAt()).AsTime()):
			x.outranked = true
		default:
			b.Lines = append(b.Lines, l)
		}
	}
	if len(b.Lines) > 0 {
		x.emit(&Event{Body: &ledgerv1.Event_ReturnExpectedDateChanged{ReturnExpectedDateChanged: b}})
	}
	x.settleLines(len(f.Lines), unknown)
}

func goodExpected(x *decider, t *timestamppb.Timestamp) bool {
	if t != nil && x.promisableStamp(t) {
		return true
	}
	x.quarantine(ReasonBadTime, "The expected date is missing, before 1990 or too far in the future.")
	return false
}

func (x *decider) settleLines(n int, unknown []string) {
	if n == 0 {
		x.quarantine(ReasonNoItems, "The fact names no items.")
		return
	}
	x.settle(unknown)
}

// returnFact applies a state of a return that the marketplace tells.
func (x *decider) returnFact(f ReturnReached) {
	row, ok := returnRowOf(f.Status)
	if !ok {
		x.quarantine(ReasonBadBody, "The fact names a state of a return that nobody tells: "+returnName(f.Status)+".")
		return
	}
	if !x.returnKnown(f.ReturnID) {
		return
	}
	var unknown []string
	for _, id := range f.OrderItemIDs {
		if x.line(f.ReturnID, id) == nil {
			unknown = append(unknown, id)
		}
	}
	if len(f.OrderItemIDs) == 0 || len(unknown) < len(f.OrderItemIDs) {
		x.returnState(row, f.ReturnID, f.OrderItemIDs, reported(f.At))
	}
	x.settle(unknown)
}

// returnState moves the lines that the row moves; of the others it fills times, or finds that it came too late.
func (x *decider) returnState(row returnRow, id string, items []string, at *ledgerv1.Moment) {
	var moving, lateLines []*ledgerv1.Return
	t, lateness := &ledgerv1.Transition{}, &ledgerv1.Transition{Late: true}
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() != id || !meant(items, r.GetOrderItemId()) {
			continue
		}
		known := *returnTime(r, row)
		switch c := row.at(r.GetStatus()); {
		case c.does == contradict && known == nil && endedAfter(r, at):
			// Of two ends that contradict each other the later one stands, in whatever order they come.
			lateLines = append(lateLines, r)
			lateness.Irregular = true
		case c.does == contradict && known == nil, c.does == move:
			moving = append(moving, r)
			t.Irregular = t.Irregular || c.does == contradict
		case fills(known, at):
			lateLines = append(lateLines, r)
			for _, end := range []*ledgerv1.Moment{r.GetCancelled(), r.GetRejected()} {
				lateness.Irregular = lateness.Irregular || !counts(r) && end != nil && before(end.GetAt(), at.GetAt())
			}
		case sameMoment(known, at) || at.GetCertainty() != reportedCertainty:
			x.seen = true
		default:
			x.outranked = true
		}
	}
	x.moveReturn(row, id, moving, at, t)
	if len(lateLines) > 0 {
		x.emit(returnEvent(row, id, itemIDs(lateLines), at, lateness))
	}
}

// endedAfter reports whether a return came to its state later than a time.
func endedAfter(r *ledgerv1.Return, at *ledgerv1.Moment) bool {
	row, ok := returnRowOf(r.GetStatus())
	if !ok {
		return false
	}
	end := *returnTime(r, row)
	return end != nil && before(at.GetAt(), end.GetAt())
}

// moveReturn emits what a state of a return brings with it: the end of its tech visits, and of a self-ship courier
// return that was cancelled, the delivery.
func (x *decider) moveReturn(row returnRow, id string, lines []*ledgerv1.Return, at *ledgerv1.Moment, t *ledgerv1.Transition) {
	if len(lines) == 0 {
		return
	}
	ids := itemIDs(lines)
	switch row {
	case rowReturnRejected:
		x.cancelVisits(id, ids, at, true)
	case rowReturnCancelled:
		x.cancelVisits(id, ids, at, false)
	default:
		x.completeVisits(id, ids, withCertainty(at, inferred))
	}
	switch {
	case row == rowReturnCancelled && x.s.GetFulfilment() == selfShip && lines[0].GetSource() == fromCourier:
		x.deliverBack(id, lines, at, withCertainty(at, inferred), t)
	case row == rowReturnApproved:
		x.approve(id, ids, "", at, t)
	default:
		x.follow(returnEvent(row, id, ids, at, t), at)
	}
}

func returnEvent(row returnRow, id string, items []string, at *ledgerv1.Moment, t *ledgerv1.Transition) *Event {
	e := &Event{Transition: t}
	switch row {
	case rowReturnApproved:
		e.Body = &ledgerv1.Event_ReturnApproved{ReturnApproved: &ledgerv1.ReturnApproved{At: at, ReturnId: id, OrderItemIds: items}}
	case rowReturnRejected:
		e.Body = &ledgerv1.Event_ReturnRejected{ReturnRejected: &ledgerv1.ReturnRejected{At: at, ReturnId: id, OrderItemIds: items}}
	case rowReturnPickedUp:
		e.Body = &ledgerv1.Event_ReturnPickedUp{ReturnPickedUp: &ledgerv1.ReturnPickedUp{At: at, ReturnId: id, OrderItemIds: items}}
	case rowReturnCompleted:
		e.Body = &ledgerv1.Event_ReturnCompleted{ReturnCompleted: &ledgerv1.ReturnCompleted{At: at, ReturnId: id, OrderItemIds: items}}
	default:
		e.Body = &ledgerv1.Event_ReturnCancelled{ReturnCancelled: &ledgerv1.ReturnCancelled{At: at, ReturnId: id, OrderItemIds: items}}
	}
	return e
}

// observedReturn applies a return as a pull shows it.
func (x *decider) observedReturn(r *ledgerv1.Return, at *ledgerv1.Moment) (unknown []string) {
	id := r.GetReturnId()
	var items []string
	if r.GetOrderItemId() != "" {
		items = []string{r.GetOrderItemId()}
	}
	known := false
	for _, l := range x.s.GetReturns() {
		known = known || l.GetReturnId() == id && meant(items, l.GetOrderItemId())
	}
	if !known {
		if indexOf(x.s.GetItems(), r.GetOrderItemId()) < 0 {
			return []string{r.GetOrderItemId()}
		}
		if !x.goodLine(ReturnLine{Return: r, Quantity: int64(r.GetUnits())}) {
			return nil
		}
		x.makeReturn([]*ledgerv1.Return{r.CloneVT()}, at)
	} else {
		var lines []*ledgerv1.Return
		for _, l := range x.s.GetReturns() {
			if l.GetReturnId() == id && meant(items, l.GetOrderItemId()) {
				line := r.CloneVT()
				line.OrderItemId = l.GetOrderItemId()
				lines = append(lines, line)
			}
		}
		x.updateReturn(id, lines, at)
	}
	if row, ok := returnRowOf(r.GetStatus()); ok {
		x.returnState(row, id, items, at)
	}
	return nil
}
