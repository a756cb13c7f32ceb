package shipment

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// rank orders the states: facts move items up, never down, and a shipment shows its lowest item. States of the same
// rank are equally far. CANCELLED has no rank, because the units of a cancelled item do not count. Returns rank last,
// so that a shipment shows a return only when nothing is on its way.
func rank(s ledgerv1.Status) int {
	switch s {
	case approved:
		return 1
	case packing, formFailed:
		return 2
	case packed:
		return 3
	case ready:
		return 4
	case pickedUp:
		return 5
	case shipped:
		return 6
	case delivered:
		return 7
	case completed:
		return 8
	case requested:
		return 9
	case returned:
		return 10
	default:
		return 0
	}
}

// live counts the units of an item that are not cancelled.
func live(it *ledgerv1.Item) uint32 {
	c := events.CancelledUnits(it)
	if c >= it.GetOrdered() {
		return 0
	}
	return it.GetOrdered() - c
}

// forwardOf returns the state by which facts are judged: how far the live units have gone, regardless of returns.
func forwardOf(it *ledgerv1.Item) ledgerv1.Status {
	if live(it) == 0 {
		return cancelled
	}
	return it.GetForward()
}

// lowest returns the lowest rank of the live items, or 0 if none is live.
func lowest(items []*ledgerv1.Item) int {
	low := 0
	for _, it := range items {
		if live(it) == 0 {
			continue
		}
		if r := rank(it.GetForward()); low == 0 || r < low {
			low = r
		}
	}
	return low
}

// turnedRound reports whether all live units of an item come back without having arrived, and since when. A courier
// return takes units that were cancelled on the way first, because the courier brings those back in any case. A
// customer return takes live ones; of an item that has not arrived it means that the customer refused the goods on the
// way. With `only`, courier returns alone count.
func turnedRound(it *ledgerv1.Item, returns []*ledgerv1.Return, only bool) (at *ledgerv1.Moment, all bool) {
	var courier, customer uint64
	for _, r := range returns {
		switch {
		case r.GetOrderItemId() != it.GetOrderItemId() || !counts(r):
			continue
		case r.GetSource() == fromCourier:
			courier += uint64(r.GetUnits())
		case only || rank(it.GetForward()) >= rank(delivered):
			continue
		default:
			customer += uint64(r.GetUnits())
		}
		at = later(at, r.GetCreated())
	}
	back := courier - min(courier, uint64(onTheWayBack(it))) + customer
	return at, back > 0 && back >= uint64(live(it))
}

// lowestArriving is lowest without the items that come back before they arrived: nobody waits for their delivery.
func lowestArriving(items []*ledgerv1.Item, returns []*ledgerv1.Return) int {
	if len(returns) == 0 {
		return lowest(items)
	}
	low := 0
	for _, it := range items {
		if live(it) == 0 {
			continue
		}
		if _, back := turnedRound(it, returns, false); back && rank(it.GetForward()) < rank(delivered) {
			continue
		}
		if r := rank(it.GetForward()); low == 0 || r < low {
			low = r
		}
	}
	return low
}

// itemStatus derives the status of an item from its units, its forward state and its returns. Because it is derived, a
// rejected or cancelled return needs no rule that undoes it.
func itemStatus(it *ledgerv1.Item, returns []*ledgerv1.Return) ledgerv1.Status {
	n := live(it)
	if n == 0 {
		return cancelled
	}
	if len(returns) == 0 {
		return it.GetForward()
	}
	done, all := returnedUnits(it, returns)
	switch {
	case done >= uint64(n):
		return returned
	case all >= uint64(n):
		return requested
	default:
		return it.GetForward()
	}
}

// returnedUnits counts the live units of an item in completed returns, and in open or completed returns. Courier
// returns first bring back units that were cancelled on the way, which are not live.
func returnedUnits(it *ledgerv1.Item, returns []*ledgerv1.Return) (done, all uint64) {
	gone := uint64(onTheWayBack(it))
	var courierDone, courierOpen uint64
	for _, r := range returns {
		if r.GetOrderItemId() != it.GetOrderItemId() || !counts(r) {
			continue
		}
		n := uint64(r.GetUnits())
		complete := r.GetStatus() == rmaCompleted
		switch {
		case r.GetSource() == fromCourier && complete:
			courierDone += n
		case r.GetSource() == fromCourier:
			courierOpen += n
		case complete:
			done, all = done+n, all+n
		default:
			all += n
		}
	}
	done += courierDone - min(courierDone, gone)
	all += courierDone + courierOpen - min(courierDone+courierOpen, gone)
	return done, all
}

// onTheWayBack counts the units that were cancelled on the way, without those that the cancellation of a courier return
// revived.
func onTheWayBack(it *ledgerv1.Item) uint32 {
	var n uint32
	for _, c := range it.GetCancellations() {
		if c.GetAfterShipped() && !c.GetAfterDelivered() {
			n = addUnits(n, standing(c))
		}
	}
	return n
}

// standing counts the units of a cancellation that were not revived.
func standing(c *ledgerv1.Cancellation) uint32 {
	return c.GetUnits() - min(c.GetUnits(), c.GetRevived())
}

// arrived counts the units of an item that arrived: once the item is delivered, all that are live or were cancelled
// since, without those that the courier brings back.
func arrived(it *ledgerv1.Item, returns []*ledgerv1.Return) uint32 {
	if rank(it.GetForward()) < rank(delivered) {
		return 0
	}
	var back uint64
	for _, r := range returns {
		if r.GetOrderItemId() == it.GetOrderItemId() && r.GetSource() == fromCourier && counts(r) {
			back += uint64(r.GetUnits())
		}
	}
	back -= min(back, uint64(onTheWayBack(it)))
	n := live(it)
	n -= uint32(min(back, uint64(n)))
	for _, c := range it.GetCancellations() {
		if c.GetAfterDelivered() {
			n = addUnits(n, standing(c))
		}
	}
	return n
}

// counts reports whether a return still takes units. Rejected and cancelled returns do not.
func counts(r *ledgerv1.Return) bool {
	return r.GetStatus() != rmaRejected && r.GetStatus() != rmaCancelled
}

// shipmentStatus derives the status of a shipment: that of its lowest item that is not cancelled. FORM_FAILED wins over
// PACKING_IN_PROGRESS, which has the same rank, because somebody has to act on it.
func shipmentStatus(items []*ledgerv1.Item) ledgerv1.Status {
	low := cancelled
	for _, it := range items {
		s := it.GetStatus()
		switch {
		case s == cancelled:
		case low == cancelled, rank(s) < rank(low), rank(s) == rank(low) && s == formFailed:
			low = s
		}
	}
	return low
}
