package shipment

import (
	"slices"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// hold puts units on hold. Its quantities are absolute, so that a repeat changes nothing. For an item whose hold was
// reported later the fact is stale. A hold for no unit at all is a release.
func (x *decider) hold(f Hold) {
	var unknown []string
	after := make([]uint32, len(x.s.GetItems()))
	newer := make([]bool, len(after))
	set := func(i int, units uint32) {
		it := x.s.Items[i]
		if !holdTaken(it, f.Fact) || rowReportedHold.at(forwardOf(it)).does != stay {
			x.outranked = true
			return
		}
		after[i], newer[i] = min(units, live(it)), before(it.GetHoldReportedAt(), stamp(f.At))
	}
	for i, it := range x.s.GetItems() {
		after[i] = it.GetHeld()
		if len(f.Items) == 0 {
			set(i, live(it))
		}
	}
	for _, h := range f.Items {
		if i := indexOf(x.s.GetItems(), h.GetOrderItemId()); i >= 0 {
			set(i, h.GetUnits())
		} else {
			unknown = append(unknown, h.GetOrderItemId())
		}
	}
	x.setHeld(f.Fact, after, newer)
	x.settle(unknown)
}

// setHeld emits the units that are on hold from now on, if they differ or are newly reported.
func (x *decider) setHeld(f Fact, after []uint32, newer []bool) {
	var held []*ledgerv1.ItemUnits
	some, differs := false, false
	for i, it := range x.s.GetItems() {
		some, differs = some || after[i] > 0, differs || after[i] != it.GetHeld()
		if after[i] != it.GetHeld() || newer[i] && after[i] > 0 {
			held = append(held, &ledgerv1.ItemUnits{OrderItemId: it.GetOrderItemId(), Units: after[i]})
		}
	}
	switch {
	case some && len(held) > 0:
		b := &ledgerv1.ShipmentHeld{At: reported(f.At), Held: held}
		x.emit(&Event{Body: &ledgerv1.Event_ShipmentHeld{ShipmentHeld: b}})
	case !some && (differs || slices.Contains(newer, true)):
		x.release(f)
	}
}

// release emits the release of all units.
func (x *decider) release(f Fact) {
	b := &ledgerv1.ShipmentReleased{At: reported(f.At)}
	x.emit(&Event{Body: &ledgerv1.Event_ShipmentReleased{ShipmentReleased: b}})
}

// holdTaken reports whether a fact counts for the hold of an item: nothing was reported about it later.
func holdTaken(it *ledgerv1.Item, f Fact) bool {
	t := it.GetHoldReportedAt()
	return t == nil || !f.At.Before(t.AsTime())
}

// unhold releases all units, but for those whose hold was reported later. A release that finds nothing on hold is
// recorded too: the hold that it ends may be yet to arrive. The notification also names a status, which can be PACKED:
// if the status is ahead of the state, it is reached too; otherwise it is ignored.
func (x *decider) unhold(f Unhold) {
	after := make([]uint32, len(x.s.GetItems()))
	newer := make([]bool, len(after))
	for i, it := range x.s.GetItems() {
		if !holdTaken(it, f.Fact) {
			after[i], x.outranked = it.GetHeld(), true
			continue
		}
		newer[i] = live(it) > 0 && before(it.GetHoldReportedAt(), stamp(f.At))
	}
	x.setHeld(f.Fact, after, newer)
	if r, ok := rowOf(f.Status); ok {
		for _, it := range x.s.GetItems() {
			if r.moves(it) {
				x.reach(r, reported(f.At), nil)
				break
			}
		}
	}
	x.settle(nil)
}
