package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// lines finds the lines of a return that a command moves. A command on a return applies to all its lines. Lines that
// are in another state already are left alone, but if all of them are, the command is refused.
func (x *decider) lines(r returnRow, id, advice string) []*ledgerv1.Return {
	if !x.flow(selfShip) {
		return nil
	}
	var found []*ledgerv1.Return
	var wrong *ledgerv1.Return
	for _, l := range x.s.GetReturns() {
		if l.GetReturnId() != id || id == "" {
			continue
		}
		if source := returnTransitions[r].source; source != l.GetSource() {
			if source == fromCourier {
				x.refuse(CodeOperationNotAllowed, "Return "+id+" is a customer return: "+advice)
			} else {
				x.refuse(CodeOperationNotAllowed, "Return "+id+" is a courier return: "+advice)
			}
			return nil
		}
		if c := r.at(l.GetStatus()); c.does == move || c.does == stay {
			found = append(found, l)
		} else {
			wrong = l
		}
	}
	switch {
	case len(found) > 0:
		return found
	case wrong != nil:
		x.refuse(CodeInvalidReturnState, "Return "+id+" is "+returnName(wrong.GetStatus())+": "+advice)
	default:
		x.refuse(CodeInvalidReturn, "It has no return "+clip(id)+"; check the id.")
	}
	return nil
}

func itemIDs(lines []*ledgerv1.Return) []string {
	ids := make([]string, len(lines))
	for i, l := range lines {
		ids[i] = l.GetOrderItemId()
	}
	return ids
}

// visits finds the open tech visits of the lines of a return.
func (x *decider) visits(returnID string, items []string) []*ledgerv1.Service {
	var out []*ledgerv1.Service
	for _, v := range x.s.GetServices() {
		if v.GetKind() == kindVisit && v.GetReturnId() == returnID && selects(items, v.GetOrderItemId()) &&
			rowVisitApproved.at(v).does == move {
			out = append(out, v)
		}
	}
	return out
}

// visitNamed refuses a service id that is not a visit of the return. The id is optional.
func (x *decider) visitNamed(returnID, id string) bool {
	if id == "" {
		return true
	}
	if i := serviceIndex(x.s.GetServices(), id); i >= 0 && x.s.Services[i].GetReturnId() == returnID {
		return true
	}
	x.refuse(CodeInvalidService, "Return "+returnID+" has no service "+clip(id)+"; check the id.")
	return false
}

// requestTechVisit requests the tech visit of a customer return.
func (x *decider) requestTechVisit(c RequestTechVisit) {
	lines := x.lines(rowRequestTechVisit, c.ReturnID, "a tech visit can be requested while it is REQUESTED.")
	if lines == nil {
		return
	}
	if !goodID(c.ServiceID) || !x.promisable(c.DueAt) {
		x.refuse(CodeInvalidService, "Give an id for the service and a date that can be met.")
		return
	}
	if i := serviceIndex(x.s.GetServices(), c.ServiceID); i >= 0 {
		if x.s.Services[i].GetReturnId() != c.ReturnID {
			x.refuse(CodeInvalidService, "Service "+c.ServiceID+" belongs to another item or return; choose another id.")
			return
		}
		x.accept()
		return
	}
	if c.OrderItemID != "" && !selects(itemIDs(lines), c.OrderItemID) {
		x.refuse(CodeInvalidItemID, "Return "+c.ReturnID+" has no line for item "+clip(c.OrderItemID)+".")
		return
	}
	x.requestVisit(c, lines[0], reported(x.now))
	x.accept()
}

// requestVisit emits the request of a visit, for the item of the line unless another is named.
func (x *decider) requestVisit(c RequestTechVisit, line *ledgerv1.Return, at *ledgerv1.Moment) {
	item := c.OrderItemID
	if item == "" {
		item = line.GetOrderItemId()
	}
	x.emit(&Event{Body: &ledgerv1.Event_TechVisitRequested{TechVisitRequested: &ledgerv1.TechVisitRequested{
		At: at, ServiceId: c.ServiceID, ReturnId: line.GetReturnId(), OrderItemId: item, DueAt: stamp(c.DueAt),
		Description: c.Description,
	}}})
}

// approveReturn approves a customer return, with or without a tech visit. An open visit completes.
func (x *decider) approveReturn(c ApproveReturn) {
	lines := x.lines(rowApproveReturn, c.ReturnID, "a customer return can be approved while it is REQUESTED.")
	if lines == nil || !x.visitNamed(c.ReturnID, c.ServiceID) {
		return
	}
	visited, ok := x.visitDate(c.ReturnID, c.VisitedAt, lines)
	if !ok {
		return
	}
	ids := itemIDs(lines)
	x.completeVisits(c.ReturnID, ids, visited)
	x.approve(c.ReturnID, ids, c.Comments, x.decidedOn(c.VisitedAt, visited), nil)
	x.accept()
}

// decidedOn is when a return was approved or rejected: at the visit if the command says when that was, else now.
func (x *decider) decidedOn(w When, visited *ledgerv1.Moment) *ledgerv1.Moment {
	if w.IsZero() {
		return reported(x.now)
	}
	return visited
}

// visitDate checks the date of a visit: it must not be before the request of the visit or of the return.
func (x *decider) visitDate(returnID string, w When, lines []*ledgerv1.Return) (*ledgerv1.Moment, bool) {
	steps := []*ledgerv1.Moment{lines[0].GetCreated()}
	for _, v := range x.visits(returnID, itemIDs(lines)) {
		steps = append(steps, v.GetActivated())
	}
	return x.pastDate(w, "the visit", steps...)
}

// completeVisits completes the open visits of lines that were approved, or went further.
func (x *decider) completeVisits(returnID string, items []string, at *ledgerv1.Moment) {
	for _, v := range x.visits(returnID, items) {
		x.emit(&Event{Body: &ledgerv1.Event_TechVisitCompleted{TechVisitCompleted: &ledgerv1.TechVisitCompleted{
			At: at, ServiceId: v.GetServiceId(), ReturnId: returnID,
		}}})
	}
}

// cancelVisits cancels the open visits of lines that ended without approval; visited means that the visit took place.
func (x *decider) cancelVisits(returnID string, items []string, at *ledgerv1.Moment, visited bool) {
	for _, v := range x.visits(returnID, items) {
		x.emit(&Event{Body: &ledgerv1.Event_TechVisitCancelled{TechVisitCancelled: &ledgerv1.TechVisitCancelled{
			At: at, ServiceId: v.GetServiceId(), ReturnId: returnID, Visited: visited,
		}}})
	}
}

// approve emits ReturnApproved. For a customer return of a self-ship seller it also sets the due time of the reverse
// pickup. The marketplace's API has no date for that, so it is the policy's number of days.
//
// A return that was picked up without a reported approval has no such clock: the days count from the approval, and
// nobody knows when that was. The pickup is only the latest that it can have been, and a promise that began with its
// own fulfilment would always be met. The clock opens when the approval is reported after all.
func (x *decider) approve(returnID string, ids []string, comments string, at *ledgerv1.Moment, t *ledgerv1.Transition) {
	b := &ledgerv1.ReturnApproved{At: at, ReturnId: returnID, OrderItemIds: ids, Comments: comments}
	for _, l := range x.s.GetReturns() {
		if l.GetReturnId() == returnID && l.GetSource() == fromCustomer &&
			x.s.GetFulfilment() == selfShip {
			b.PickupDue = promised(at.GetAt(), x.Policy.ReversePickupWithin)
		}
	}
	x.emit(&Event{Transition: t, Body: &ledgerv1.Event_ReturnApproved{ReturnApproved: b}})
}

// rejectReturn rejects a customer return. An open tech visit is cancelled with it, as the marketplace shows it.
func (x *decider) rejectReturn(c RejectReturn) {
	lines := x.lines(rowRejectReturn, c.ReturnID, "a customer return can be rejected while it is REQUESTED.")
	if lines == nil || !x.visitNamed(c.ReturnID, c.ServiceID) {
		return
	}
	ids := itemIDs(lines)
	visited, ok := x.visitDate(c.ReturnID, c.VisitedAt, lines)
	if !ok {
		return
	}
	x.cancelVisits(c.ReturnID, ids, visited, true)
	x.emit(&Event{Body: &ledgerv1.Event_ReturnRejected{ReturnRejected: &ledgerv1.ReturnRejected{
		At: x.decidedOn(c.VisitedAt, visited), ReturnId: c.ReturnID, OrderItemIds: ids, Comments: c.Comments,
	}}})
	x.accept()
}

// completeReturn confirms that the goods of a courier return are back.
func (x *decider) completeReturn(c CompleteReturn) {
	lines := x.lines(rowCompleteReturn, c.ReturnID,
		"a courier return can be completed while it is APPROVED; a customer return is completed by its pickup.")
	if lines == nil {
		return
	}
	x.completeLines(c.ReturnID, itemIDs(lines), reported(x.now), nil)
	x.accept()
}

// completeLines completes lines of a return, and what follows for the services of their items.
func (x *decider) completeLines(returnID string, ids []string, at *ledgerv1.Moment, t *ledgerv1.Transition) {
	x.follow(returnEvent(rowReturnCompleted, returnID, ids, at, t), at)
}

// pickUpReturn records that the goods of a customer return were picked up, which completes the return.
func (x *decider) pickUpReturn(c PickUpReturn) {
	lines := x.lines(rowPickUpReturn, c.ReturnID,
		"a customer return can be picked up while it is APPROVED; a courier return is completed without a pickup.")
	if lines == nil {
		return
	}
	at, ok := x.pastDate(c.At, "the pickup", lines[0].GetApproved())
	if !ok {
		return
	}
	ids := itemIDs(lines)
	x.emit(returnEvent(rowReturnPickedUp, c.ReturnID, ids, at, nil))
	x.completeLines(c.ReturnID, ids, at, nil)
	x.accept()
}

// attemptPickup counts a failed attempt.
func (x *decider) attemptPickup(c AttemptPickup) {
	lines := x.lines(rowAttemptPickup, c.ReturnID, "a pickup can be attempted while a customer return is APPROVED.")
	if lines == nil {
		return
	}
	at, ok := x.pastDate(c.At, "the attempt", lines[0].GetApproved())
	if !ok {
		return
	}
	newDue, ok := x.newDue(c.NewDue)
	if !ok {
		return
	}
	x.emit(&Event{Body: &ledgerv1.Event_PickupAttempted{PickupAttempted: &ledgerv1.PickupAttempted{
		At: at, ReturnId: c.ReturnID, OrderItemIds: itemIDs(lines), Reason: c.Reason, NewDue: newDue,
	}}})
	x.accept()
}

// cancelReturn records that the goods of a courier return were delivered after all. In one decision the return ends,
// its units count as delivered (including those that were cancelled on the way), and services start as after any
// delivery.
func (x *decider) cancelReturn(c CancelReturn) {
	lines := x.lines(rowCancelReturn, c.ReturnID, "a courier return can be cancelled while it is APPROVED.")
	if lines == nil {
		return
	}
	at, ok := x.pastDate(c.DeliveredAt, "delivery", x.s.GetTimes().GetShipped())
	if !ok {
		return
	}
	x.cancelAndDeliver(c.ReturnID, lines, reported(x.now), at, nil)
	x.accept()
}

// cancelAndDeliver cancels courier returns and delivers their items. It does not deliver the other items of the
// shipment.
func (x *decider) cancelAndDeliver(
	returnID string, lines []*ledgerv1.Return, at, delivery *ledgerv1.Moment, t *ledgerv1.Transition,
) {
	ids := itemIDs(lines)
	b := &ledgerv1.ReturnCancelled{At: at, ReturnId: returnID, OrderItemIds: ids}
	for _, l := range lines {
		if n := x.revivable(l); n > 0 {
			b.Revived = append(b.Revived, &ledgerv1.ItemUnits{OrderItemId: l.GetOrderItemId(), Units: n})
		}
	}
	x.emit(&Event{Transition: t, Body: &ledgerv1.Event_ReturnCancelled{ReturnCancelled: b}})
	var arrived []string
	for _, id := range ids {
		if i := indexOf(x.s.GetItems(), id); i >= 0 && rowReportedDelivered.moves(x.s.Items[i]) {
			arrived = append(arrived, id)
		}
	}
	if len(arrived) > 0 {
		x.follow(stepEvent(delivered, delivery, arrived), delivery)
	} else {
		x.followUps(delivery)
	}
}

// revivable counts the cancelled units that the cancellation of a courier return revives: units that were cancelled on
// the way and that no other courier return has taken.
func (x *decider) revivable(line *ledgerv1.Return) uint32 {
	i := indexOf(x.s.GetItems(), line.GetOrderItemId())
	if i < 0 {
		return 0
	}
	gone := uint64(onTheWayBack(x.s.Items[i]))
	for _, r := range x.s.GetReturns() {
		if r.GetOrderItemId() == line.GetOrderItemId() && r.GetReturnId() != line.GetReturnId() &&
			r.GetSource() == fromCourier && counts(r) {
			gone -= min(gone, uint64(r.GetUnits()))
		}
	}
	return uint32(min(gone, uint64(line.GetUnits())))
}
