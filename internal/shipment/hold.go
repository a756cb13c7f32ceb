package shipment

import "github.com/orderledger/orderledger/schemas/gen/ledgerv1"

// hold puts units on hold. Its quantities are absolute, so that a repeat changes nothing. A fact that is older than the
// last report about the hold is stale. A hold for no unit at all is a release.
func (x *decider) hold(f Hold) {
	older := x.holdReportedAfter(f.Fact)
	var held []*ledgerv1.ItemUnits
	var unknown []string
	after := make([]uint32, len(x.s.GetItems()))
	for i, it := range x.s.GetItems() {
		after[i] = it.GetHeld()
		if len(f.Items) == 0 && !older && rowReportedHold.at(forwardOf(it)).does == stay {
			after[i] = live(it)
		}
	}
	for _, h := range f.Items {
		i := indexOf(x.s.GetItems(), h.GetOrderItemId())
		if i < 0 {
			unknown = append(unknown, h.GetOrderItemId())
			continue
		}
		if older || rowReportedHold.at(forwardOf(x.s.Items[i])).does != stay {
			x.outranked = true
			continue
		}
		after[i] = min(h.GetUnits(), live(x.s.Items[i]))
	}
	some := false
	for i, it := range x.s.GetItems() {
		some = some || after[i] > 0
		if after[i] != it.GetHeld() {
			held = append(held, &ledgerv1.ItemUnits{OrderItemId: it.GetOrderItemId(), Units: after[i]})
		}
	}
	x.outranked = x.outranked || older || !anyLive(x.s.GetItems())
	switch {
	case len(held) == 0:
	case some:
		b := &ledgerv1.ShipmentHeld{At: reported(f.At), Held: held}
		x.emit(&Event{Body: &ledgerv1.Event_ShipmentHeld{ShipmentHeld: b}})
	default:
		x.release(f.Fact)
	}
	x.settle(unknown)
}

// release emits the release of all units. The marketplace has no notification that releases some.
func (x *decider) release(f Fact) {
	b := &ledgerv1.ShipmentReleased{At: reported(f.At)}
	x.emit(&Event{Body: &ledgerv1.Event_ShipmentReleased{ShipmentReleased: b}})
}

// holdReportedAfter reports whether the hold was reported later than a fact.
func (x *decider) holdReportedAfter(f Fact) bool {
	t := x.s.GetHoldReportedAt()
	return t != nil && f.At.Before(t.AsTime())
}

// unhold releases all units. The notification also names a status, which can be PACKED: if the status is ahead of the
// state, it is reached too; otherwise it is ignored.
func (x *decider) unhold(f Unhold) {
	if x.s.GetOnHold() && x.holdReportedAfter(f.Fact) {
		x.outranked = true
	} else if x.s.GetOnHold() {
		x.release(f.Fact)
	}
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
