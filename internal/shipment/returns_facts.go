package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// returnReported creates the lines of a return that are new, and updates those that are known. A return over several
// shipments has been split by its lines before it gets here, so an unknown item is really unknown.
func (x *decider) returnReported(f ReturnReported) {
	if !goodID(f.ReturnID) {
		x.quarantine(ReasonBadID, "The return's id is missing or too long.")
		return
	}
	if len(f.Lines) == 0 {
		x.quarantine(ReasonNoItems, "The return is reported without lines.")
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
	isFresh := func(item string) bool {
		return slices.ContainsFunc(fresh, func(r *ledgerv1.Return) bool { return r.GetOrderItemId() == item })
	}
	for _, l := range f.Lines {
		r := l.Return.CloneVT()
		if r == nil {
			r = &ledgerv1.Return{}
		}
		r.ReturnId, r.Units = f.ReturnID, uint32(l.Quantity)
		switch {
		case indexOf(x.s.GetItems(), r.GetOrderItemId()) < 0:
			unknown = append(unknown, r.GetOrderItemId())
		case x.line(f.ReturnID, r.GetOrderItemId()) != nil || isFresh(r.GetOrderItemId()):
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

// goodLine quarantines a line that makes no sense. Its source is taken as reported and never derived from the state:
// the marketplace reports a cancellation between out-for-delivery and delivery as a customer return of a SHIPPED item.
func (x *decider) goodLine(l ReturnLine) bool {
	r := l.Return
	switch {
	case !goodID(r.GetOrderItemId()):
		x.quarantine(ReasonBadID, "A line of the return names no item.")
	case l.Quantity <= 0 || l.Quantity > maxUnits:
		x.quarantine(ReasonBadQuantity, "The return has an impossible number of units.")
	case r.GetSource() != fromCustomer && r.GetSource() != fromCourier:
		x.quarantine(ReasonBadBody, "The return is neither a customer return nor a courier return.")
	case !x.promisableStamp(r.GetExpectedDate()) || !x.promisableStamp(r.GetMarketplaceUpdatedAt()):
		x.quarantine(ReasonBadTime, "A date of the return is before 1990 or too far in the future.")
	default:
		return true
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

// makeReturn emits ReturnCreated for new lines, each in its first state: CREATED in the standard flow, where the
// marketplace decides about returns, and REQUESTED in the self-ship flow, where the seller does. A courier return of a
// self-ship seller has nothing to decide and is approved at once.
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
	b := &ledgerv1.ReturnCreated{At: at, Lines: lines}
	x.follow(&Event{Transition: t, Body: &ledgerv1.Event_ReturnCreated{ReturnCreated: b}}, at)
	if len(ready) > 0 {
		x.approve(lines[0].GetReturnId(), ready, "", at, nil)
	}
}

// tooMany reports whether a return has more units than are live and not in other returns. The reported number is kept
// all the same; the return is only marked irregular.
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

// updateReturn emits ReturnUpdated for lines whose fields differ, or whose creation a pull had found and is reported
// now. A report that is older than the pull fills unknown fields and replaces nothing.
func (x *decider) updateReturn(returnID string, lines []*ledgerv1.Return, at *ledgerv1.Moment) {
	b := &ledgerv1.ReturnUpdated{At: at, ReturnId: returnID}
	p, late := &patch{}, false
	for _, line := range lines {
		known := x.line(returnID, line.GetOrderItemId())
		if known == nil {
			continue
		}
		p.prefix = line.GetOrderItemId() + "."
		last := latest(known.GetTrackingReportedAt(), known.GetExpectedReportedAt())
		p.older = before(at.GetAt(), latest(known.GetCreated().GetAt(), last))
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

// reportedVisit requests a tech visit that the marketplace reports; false if its return is not known.
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

// returnKnown quarantines a fact about a return that the shipment does not have. The resolver sends a fact here only
// when it knows the return's shipment, so the fact would wait for ever.
func (x *decider) returnKnown(id string) bool {
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() == id && id != "" {
			return true
		}
	}
	x.quarantine(ReasonUnknownReturn, "It has no return "+clip(id)+".")
	return false
}

// returnTracked updates the tracking of a return. Its age is judged by the last report about tracking alone: a new
// expected date does not make an unreported tracking number old.
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

// returnExpected updates the date on which a return is expected.
func (x *decider) returnExpected(f ReturnExpected) {
	if !x.returnKnown(f.ReturnID) {
		return
	}
	b := &ledgerv1.ReturnExpectedDateChanged{At: reported(f.At), ReturnId: f.ReturnID}
	var unknown []string
	for _, l := range f.Lines {
		if !x.goodExpected(l.GetExpectedDate()) {
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

// goodExpected quarantines a fact without a usable date: the date is all that it reports.
func (x *decider) goodExpected(t *timestamppb.Timestamp) bool {
	if t != nil && x.promisableStamp(t) {
		return true
	}
	x.quarantine(ReasonBadTime, "The expected date is missing, before 1990 or too far in the future.")
	return false
}

// settleLines ends a fact about lines of a return, which must name some.
func (x *decider) settleLines(n int, unknown []string) {
	if n == 0 {
		x.quarantine(ReasonNoItems, "The fact names no items.")
		return
	}
	x.settle(unknown)
}

// returnFact applies a state of a return that the marketplace reports.
func (x *decider) returnFact(f ReturnReached) {
	row, ok := returnRowOf(f.Status)
	if !ok {
		x.quarantine(ReasonBadBody,
			"The fact names a state of a return that no notification reports: "+returnName(f.Status)+".")
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

// returnState moves lines to the state of the row. For lines that it does not move it fills a missing time, or it is a
// repeat, or it is stale.
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
			// If two ends contradict each other, the later one stands, in whatever order they arrive.
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

// endedAfter reports whether a return reached its state later than a time.
func endedAfter(r *ledgerv1.Return, at *ledgerv1.Moment) bool {
	row, ok := returnRowOf(r.GetStatus())
	if !ok {
		return false
	}
	end := *returnTime(r, row)
	return end != nil && before(at.GetAt(), end.GetAt())
}

// moveReturn emits a state of a return and what follows from it. Tech visits end with the decision about their return.
// The cancellation of a courier return of a self-ship seller means that its goods were delivered after all; in the
// standard flow it means no such thing, and the marketplace reports the delivery.
func (x *decider) moveReturn(
	row returnRow, id string, lines []*ledgerv1.Return, at *ledgerv1.Moment, t *ledgerv1.Transition,
) {
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

// returnEvent makes the event for a state of a return.
func returnEvent(row returnRow, id string, items []string, at *ledgerv1.Moment, t *ledgerv1.Transition) *Event {
	e := &Event{Transition: t}
	switch row {
	case rowReturnApproved:
		b := &ledgerv1.ReturnApproved{At: at, ReturnId: id, OrderItemIds: items}
		e.Body = &ledgerv1.Event_ReturnApproved{ReturnApproved: b}
	case rowReturnRejected:
		b := &ledgerv1.ReturnRejected{At: at, ReturnId: id, OrderItemIds: items}
		e.Body = &ledgerv1.Event_ReturnRejected{ReturnRejected: b}
	case rowReturnPickedUp:
		b := &ledgerv1.ReturnPickedUp{At: at, ReturnId: id, OrderItemIds: items}
		e.Body = &ledgerv1.Event_ReturnPickedUp{ReturnPickedUp: b}
	case rowReturnCompleted:
		b := &ledgerv1.ReturnCompleted{At: at, ReturnId: id, OrderItemIds: items}
		e.Body = &ledgerv1.Event_ReturnCompleted{ReturnCompleted: b}
	default:
		b := &ledgerv1.ReturnCancelled{At: at, ReturnId: id, OrderItemIds: items}
		e.Body = &ledgerv1.Event_ReturnCancelled{ReturnCancelled: b}
	}
	return e
}

// observedReturn applies a return that a pull found: it creates or updates the return first, then moves it to its
// state.
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
