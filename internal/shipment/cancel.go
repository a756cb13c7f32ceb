package shipment

import (
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// reasonSeller is the reason that the marketplace shows for a seller's own cancellation. The seller's reason is the
// sub-reason.
const reasonSeller = "seller_cancellation"

// cancelled applies a cancellation that the marketplace reports. It applies in any state, but to no more than the live
// units.
//
// If no unit is left, it is most likely the echo of a cancellation that is already applied, such as the seller's own.
// It cancels nothing then and is a duplicate, but its reason and time still fill in those that are missing.
func (x *decider) cancelled(f Cancelled) {
	for _, l := range f.Items {
		if l.Quantity <= 0 || l.Quantity > maxUnits {
			x.quarantine(ReasonBadQuantity, "The fact cancels an impossible number of units.")
			return
		}
	}
	p := cancelPlan{left: make([]uint32, len(x.s.GetItems()))}
	for i, it := range x.s.GetItems() {
		p.left[i] = live(it)
		if len(f.Items) == 0 {
			x.planCancel(&p, i, CancelledItem{OrderItemID: it.GetOrderItemId(), Quantity: int64(p.left[i])}, f)
		}
	}
	for _, l := range f.Items {
		i := indexOf(x.s.GetItems(), l.OrderItemID)
		if i < 0 {
			p.unknown = append(p.unknown, l.OrderItemID)
			continue
		}
		x.planCancel(&p, i, l, f)
	}
	x.emitCancel(&p, reported(f.At))
	switch {
	case len(p.units) > 0 || p.timed || len(p.patches) == 0:
		x.settle(p.unknown)
	default:
		// It cancels nothing, so it is a duplicate. But the reason that it gives is kept.
		x.end(ledgerv1.Outcome_OUTCOME_DUPLICATE)
	}
	if x.d.Outcome == ledgerv1.Outcome_OUTCOME_DUPLICATE {
		x.d.UnknownItems = p.unknown
		x.d.Reason, x.d.Message = ReasonAlreadyKnown, x.subject()+" The fact reports nothing new."
		if p.nothingLeft {
			x.d.Reason, x.d.Message = ReasonNothingLeft, x.subject()+" The units that the fact cancels are cancelled already."
		}
	}
}

// cancelPlan collects what a cancellation does, line by line. left counts the live units of each item, so that two
// lines for one item do not cancel the same units.
type cancelPlan struct {
	left      []uint32
	units     []*ledgerv1.CancelledUnits
	patches   []*ledgerv1.ItemPatch
	unknown   []string
	irregular bool
	// timed means that a patch carries a time, nothingLeft that a line found no live unit.
	timed, nothingLeft bool
}

// planCancel adds one line of a cancellation to the plan. By default the quantity of a line is cancelled on top of what
// was cancelled before; a policy can read it as the total.
func (x *decider) planCancel(p *cancelPlan, i int, l CancelledItem, f Cancelled) {
	it := x.s.Items[i]
	by := x.actor(l.Reason)
	asked := uint32(max(0, min(l.Quantity, maxUnits)))
	if x.Policy.AbsoluteCancellations && len(f.Items) > 0 {
		already := it.GetOrdered() - p.left[i]
		asked -= min(asked, already)
	} else if repeats(it, l, f, asked) {
		x.seen = true
		return
	}
	units := min(asked, p.left[i])
	if units == 0 {
		x.seen, p.nothingLeft = true, true
		x.planEcho(p, it, l, f)
		return
	}
	p.irregular = p.irregular || asked > units || rowReportedCancelled.at(forwardOf(it)).does == contradict
	p.left[i] -= units
	p.units = append(p.units, &ledgerv1.CancelledUnits{
		OrderItemId: l.OrderItemID, Units: units, By: by, Reason: l.Reason, SubReason: l.SubReason,
	})
}

// planEcho plans a line that finds no live unit. The line may still complete earlier cancellations: it sets the time of
// those that only a pull has found, or else a missing reason.
func (x *decider) planEcho(p *cancelPlan, it *ledgerv1.Item, l CancelledItem, f Cancelled) {
	patch := &ledgerv1.ItemPatch{
		OrderItemId: l.OrderItemID, CancellationReason: l.Reason, CancellationSubReason: l.SubReason,
		CancelledBy: x.actor(l.Reason),
	}
	asked := uint32(max(0, min(l.Quantity, maxUnits)))
	var found, known uint32
	for _, c := range it.GetCancellations() {
		if c.GetAt().GetCertainty() == reportedCertainty {
			known = addUnits(known, c.GetUnits())
		} else {
			found = addUnits(found, c.GetUnits())
		}
	}
	switch {
	case len(f.Items) == 0:
		asked = found
	case x.Policy.AbsoluteCancellations:
		asked -= min(asked, known)
	}
	if n := min(asked, found); n > 0 {
		patch.CancelledAt, patch.CancelledUnits = reported(f.At), n
		p.patches, p.timed = append(p.patches, patch), true
		return
	}
	if l.Reason != "" && lacksReason(it, f.At) && !slices.ContainsFunc(it.GetCancellations(), l.reportedBy(f)) {
		p.patches = append(p.patches, patch)
	}
}

// repeats reports whether this cancellation was applied before. The same units of the item at the same time for the
// same reason are one fact, whether a notification or a pull reported them. Fewer units were applied if no more were
// left.
func repeats(it *ledgerv1.Item, l CancelledItem, f Cancelled, asked uint32) bool {
	matches := l.reportedBy(f)
	return slices.ContainsFunc(it.GetCancellations(), func(c *ledgerv1.Cancellation) bool {
		return matches(c) && (c.GetUnits() == asked || c.GetUnits() < asked && (live(it) == 0 || c.GetRevived() > 0))
	})
}

// reportedBy matches the cancellations that a line of a fact has led to. It ignores their units.
func (l CancelledItem) reportedBy(f Cancelled) func(*ledgerv1.Cancellation) bool {
	at := stamp(f.At)
	return func(c *ledgerv1.Cancellation) bool {
		return c.GetAt().GetAt() != nil && same(c.GetAt().GetAt(), at) &&
			(l.Reason == "" || c.GetReason() == l.Reason && c.GetSubReason() == l.SubReason)
	}
}

// lacksReason reports whether an item has a cancellation without a reason, other than those of the same moment: if a
// fact cancels units without a reason, another line of that fact does not explain them.
func lacksReason(it *ledgerv1.Item, except time.Time) bool {
	return slices.ContainsFunc(it.GetCancellations(), func(c *ledgerv1.Cancellation) bool {
		return c.GetReason() == "" && !same(c.GetAt().GetAt(), stamp(except))
	})
}

// actor names who cancelled, judged by the reason. The actor matters, because the messages to fulfilment systems count
// the units that customers cancelled apart from those that sellers cancelled.
func (x *decider) actor(reason string) ledgerv1.CancelledBy {
	if by, ok := x.Policy.CancelledBy[reason]; ok {
		return by
	}
	if reason == reasonSeller {
		return ledgerv1.CancelledBy_CANCELLED_BY_SELLER
	}
	return unknownActor
}

// emitCancel emits the plan: one event for the units, and one for the reasons and times that it adds.
func (x *decider) emitCancel(p *cancelPlan, at *ledgerv1.Moment) {
	if len(p.units) > 0 {
		b := &ledgerv1.ItemsCancelled{At: at, Items: p.units, Revision: x.renderAgain(p.left)}
		x.follow(&Event{
			Body:       &ledgerv1.Event_ItemsCancelled{ItemsCancelled: b},
			Transition: &ledgerv1.Transition{Irregular: p.irregular},
		}, at)
	}
	if len(p.patches) > 0 {
		x.emit(&Event{Body: &ledgerv1.Event_PropertiesUpdated{PropertiesUpdated: &ledgerv1.PropertiesUpdated{
			At: at, Changed: []string{"items.cancellations"}, Items: p.patches,
		}}, Transition: &ledgerv1.Transition{Late: p.timed}})
	}
}

// renderAgain returns the next document revision if documents are being rendered, or are rendered and the goods not yet
// picked up, and some of their units are left, else 0. The worker may have read the old quantities; its result then
// carries the old revision and is stale. Without units left, the documents are withdrawn.
func (x *decider) renderAgain(left []uint32) uint32 {
	if x.s.GetDocumentRevision() == 0 {
		return 0
	}
	for i, it := range x.s.GetItems() {
		at := it.GetForward()
		if left[i] > 0 && (at == packing || rank(at) >= rank(packed) && rank(at) < rank(pickedUp)) {
			return x.s.GetDocumentRevision() + 1
		}
	}
	return 0
}

// cancel is the seller's command to cancel whole cancellation groups. It is allowed until packing is done.
func (x *decider) cancel(c Cancel) {
	reasons := []string{"cannot_procure_item", "not_enough_inventory", "b2b_order"}
	if !slices.Contains(reasons, c.Reason) {
		x.refuse(CodeInvalidReason, "Give one of the reasons cannot_procure_item, not_enough_inventory, b2b_order.")
		return
	}
	if len(c.GroupIDs) == 0 {
		x.refuse(CodeInvalidRequest, "Name the cancellation groups in cancellationGroupIds.")
		return
	}
	for _, g := range c.GroupIDs {
		inGroup := func(it *ledgerv1.Item) bool { return it.GetCancellationGroupId() == g }
		if !slices.ContainsFunc(x.s.GetItems(), inGroup) {
			x.refuse(CodeInvalidItemID, "It has no cancellation group "+clip(g)+"; name one of its own.")
			return
		}
	}
	p := cancelPlan{left: make([]uint32, len(x.s.GetItems()))}
	for i, it := range x.s.GetItems() {
		p.left[i] = live(it)
		if p.left[i] == 0 || !slices.Contains(c.GroupIDs, it.GetCancellationGroupId()) {
			continue
		}
		if cell := rowCancel.at(it.GetStatus()); cell.does != move {
			x.refuseCell(cell, "Item "+it.GetOrderItemId()+" is "+statusName(it.GetStatus())+
				" and can no longer be cancelled by the seller.")
			return
		}
		p.units = append(p.units, &ledgerv1.CancelledUnits{
			OrderItemId: it.GetOrderItemId(), Units: p.left[i], By: ledgerv1.CancelledBy_CANCELLED_BY_SELLER,
			Reason: reasonSeller, SubReason: c.Reason,
		})
		p.left[i] = 0
	}
	if len(p.units) == 0 {
		x.refuseCell(rowCancel.at(cancelled), "All these units are cancelled already; nothing is left to do.")
		return
	}
	x.emitCancel(&p, reported(x.now))
	x.accept()
}

// clip shortens input text that a message repeats: messages are stored, and an input can hold anything.
func clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 64)], "")
}
