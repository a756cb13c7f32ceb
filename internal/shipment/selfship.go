package shipment

import (
	"strconv"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// pastDate checks the reported time of a step. It refuses a time in the future or before an earlier step. Without a
// time it assumes the time of the command: the marketplace's own client cannot send one for every command.
func (x *decider) pastDate(w When, what string, steps ...*ledgerv1.Moment) (*ledgerv1.Moment, bool) {
	if w.IsZero() {
		return &ledgerv1.Moment{At: x.stamp, Certainty: assumed}, true
	}
	if isFuture(w, x.now) || w.Time.Year() < firstYear {
		x.refuse(CodeInvalidDate, "The date of "+what+" may not be in the future; give the day on which it happened.")
		return nil, false
	}
	for _, step := range steps {
		if precedes(w, step) {
			x.refuse(CodeInvalidDate, "The date of "+what+" may not be before the preceding step, on "+
				isoDay(step.GetAt().AsTime())+".")
			return nil, false
		}
	}
	return happened(w, x.now), true
}

// futureDate refuses a promise for a day that has passed. The date is optional.
func (x *decider) futureDate(w When) (*timestamppb.Timestamp, bool) {
	switch {
	case w.IsZero():
		return nil, true
	case dayOf(w.Time) < dayOf(x.now) || !x.promisable(w.Time):
		x.refuse(CodeInvalidDate, "The tentative delivery date must lie between today, "+isoDay(x.now)+", and "+
			isoDay(x.now.Add(maxPromise))+".")
		return nil, false
	default:
		return due(w), true
	}
}

// dispatchSelfShip records that the seller has sent the shipment.
func (x *decider) dispatchSelfShip(c DispatchSelfShip) {
	if !x.flow(selfShip) ||
		!x.open(rowDispatchSelfShip, "It can be dispatched while it is APPROVED.") ||
		!x.unblocked(true) {
		return
	}
	at, ok := x.pastDate(c.DispatchedAt, "dispatch", reported(x.orderedAt()))
	if !ok {
		return
	}
	tentative, ok := x.futureDate(c.TentativeDelivery)
	if !ok || !x.goodInvoice(c.InvoiceLines) {
		return
	}
	p := &ledgerv1.Packing{Courier: c.Courier, InvoiceNumber: c.InvoiceNumber, InvoiceLines: c.InvoiceLines}
	// The date of an invoice is optional, but a wrong one would stand on a printed document.
	if !c.InvoiceDate.IsZero() {
		p.InvoiceDate = happened(c.InvoiceDate, x.now)
		if isFuture(c.InvoiceDate, x.now) || !x.goodInvoiceDate(p.InvoiceDate) {
			x.refuse(CodeInvalidDate, "The invoice date must lie between the day of the order and today.")
			return
		}
	}
	x.emit(&Event{Body: &ledgerv1.Event_ShipmentShipped{ShipmentShipped: &ledgerv1.ShipmentShipped{
		At: at,
		SelfShip: &ledgerv1.SelfShipDispatch{
			TentativeDelivery: tentative, Packing: p, DispatchLocationJson: c.DispatchLocationJSON,
		},
	}}})
	x.accept()
}

// goodInvoice refuses an invoice that does not bill exactly the live units of every item.
func (x *decider) goodInvoice(lines []*ledgerv1.InvoiceLine) bool {
	billed := make([]uint64, len(x.s.GetItems()))
	for _, l := range lines {
		i := indexOf(x.s.GetItems(), l.GetOrderItemId())
		if i < 0 {
			x.refuse(CodeInvalidItemID,
				"It has no item "+clip(l.GetOrderItemId())+"; name its own items in the invoice.")
			return false
		}
		billed[i] += uint64(l.GetQuantity())
	}
	for i, it := range x.s.GetItems() {
		if billed[i] != uint64(live(it)) {
			x.refuse(CodeQuantityMismatch,
				"The invoice must name every unit of item "+it.GetOrderItemId()+" that is not cancelled, and no other: "+
					strconv.FormatUint(uint64(live(it)), 10)+" instead of "+strconv.FormatUint(billed[i], 10)+".")
			return false
		}
	}
	return true
}

// attemptDelivery counts a failed attempt. Two of them on one day are two: the journal recognises a repeated call.
func (x *decider) attemptDelivery(c AttemptDelivery) {
	if !x.flow(selfShip) || !x.open(rowAttemptDelivery, "Delivery can be attempted while it is SHIPPED.") {
		return
	}
	at, ok := x.pastDate(c.At, "the attempt", x.s.GetTimes().GetShipped())
	if !ok {
		return
	}
	newDue, ok := x.newDue(c.NewDue)
	if !ok {
		return
	}
	x.emit(&Event{Body: &ledgerv1.Event_DeliveryAttempted{DeliveryAttempted: &ledgerv1.DeliveryAttempted{
		At: at, Reason: c.Reason, SubReason: c.SubReason, NewDue: newDue,
	}}})
	x.accept()
}

// newDue checks the new date of an attempt. An early date needs no check, because it moves nothing.
func (x *decider) newDue(w When) (*timestamppb.Timestamp, bool) {
	if !x.promisable(w.Time) {
		x.refuse(CodeInvalidDate, "The new date of the attempt must lie between the year "+strconv.Itoa(firstYear)+" and "+
			isoDay(x.now.Add(maxPromise))+".")
		return nil, false
	}
	return due(w), true
}

// confirmDelivery records that the shipment arrived, with everything that follows for services and completion.
func (x *decider) confirmDelivery(c ConfirmDelivery) {
	if !x.flow(selfShip) || !x.open(rowConfirmDelivery, "Delivery can be confirmed while it is SHIPPED.") {
		return
	}
	at, ok := x.pastDate(c.At, "delivery", x.s.GetTimes().GetShipped())
	if !ok {
		return
	}
	x.follow(stepEvent(delivered, at, x.arriving()), at)
	x.accept()
}

// arriving names the items that a delivery covers if the courier brings others back; none mean all.
func (x *decider) arriving() []string {
	var ids []string
	some := false
	for _, it := range x.s.GetItems() {
		if live(it) == 0 {
			continue
		}
		if _, back := turnedRound(it, x.s.GetReturns(), true); back {
			some = true
			continue
		}
		ids = append(ids, it.GetOrderItemId())
	}
	if !some {
		return nil
	}
	return ids
}

// updateTracking changes the courier or the delivery date that the seller plans.
func (x *decider) updateTracking(c UpdateTracking) {
	if !x.flow(selfShip) || !x.open(rowUpdateTracking, "Tracking can be changed while it is SHIPPED.") {
		return
	}
	tentative, ok := x.futureDate(c.TentativeDelivery)
	if !ok {
		return
	}
	if same(tentative, x.s.GetTentativeDelivery()) {
		tentative = nil
	}
	merged := mergePacking(x.s.GetPacking(), &ledgerv1.Packing{Courier: c.Courier})
	courier := c.Courier
	if merged.GetCourier().EqualVT(x.s.GetPacking().GetCourier()) {
		courier = nil
	}
	if tentative != nil || courier != nil {
		x.emit(&Event{Body: &ledgerv1.Event_TrackingUpdated{TrackingUpdated: &ledgerv1.TrackingUpdated{
			At: reported(x.now), Courier: courier, TentativeDelivery: tentative,
		}}})
	}
	x.accept()
}
