package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// returnReached applies a state of a return that the marketplace reports.
func (x *decider) returnReached(f ReturnReached) {
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
		if r.GetReturnId() != id || !selects(items, r.GetOrderItemId()) {
			continue
		}
		known := *returnTime(r, row)
		switch c := row.at(r.GetStatus()); {
		case c.does == contradict && hasEnded(r) && !endedAfter(r, at):
			// The first of two ends that contradict each other stands, in whatever order they arrive.
			x.outranked = true
		case c.does == contradict, c.does == move:
			moving = append(moving, r)
			t.Irregular = t.Irregular || c.does == contradict
		case betters(known, at):
			// The return is past this state, or ended otherwise. The time is still worth keeping.
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
	switch {
	case len(lateLines) == 0:
	case row == rowReturnApproved:
		x.approve(id, itemIDs(lateLines), "", at, lateness)
	default:
		x.emit(returnEvent(row, id, itemIDs(lateLines), at, lateness))
	}
}

// hasEnded reports whether a return is over.
func hasEnded(r *ledgerv1.Return) bool { return !counts(r) || r.GetStatus() == rmaCompleted }

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
		x.cancelAndDeliver(id, lines, at, withCertainty(at, inferred), t)
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
		known = known || l.GetReturnId() == id && selects(items, l.GetOrderItemId())
	}
	if !known {
		if indexOf(x.s.GetItems(), r.GetOrderItemId()) < 0 {
			return []string{r.GetOrderItemId()}
		}
		if !x.goodLine(ReturnLine{Return: r, Quantity: int64(r.GetUnits())}) {
			return nil
		}
		// The clone is ours to fill in; the input belongs to the caller.
		x.makeReturn([]*ledgerv1.Return{r.CloneVT()}, at, Siblings{})
	} else {
		var lines []*ledgerv1.Return
		for _, l := range x.s.GetReturns() {
			if l.GetReturnId() == id && selects(items, l.GetOrderItemId()) {
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
