package shipment

import (
	"slices"
	"strings"
	"time"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// reasonSeller is the marketplace's reason for a seller's own cancellation; the seller's reason is the sub-reason.
const reasonSeller = "seller_cancellation"

// cancelled applies a cancellation that the marketplace tells. It may come at any time and is capped at what is left.
func (x *decider) cancelled(f Cancelled) {
	for _, l := range f.Items {
		if l.Quantity <= 0 || l.Quantity > maxUnits {
			x.quarantine(ReasonBadQuantity, "The fact cancels a number of units that cannot be.")
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
		// It cancels nothing, so it is a duplicate; the reason that it tells is kept nevertheless.
		x.end(ledgerv1.Outcome_OUTCOME_DUPLICATE)
	}
	if x.d.Outcome == ledgerv1.Outcome_OUTCOME_DUPLICATE {
		x.d.UnknownItems = p.unknown
		x.d.Reason, x.d.Message = ReasonAlreadyKnown, x.subject()+" The fact tells nothing new."
		if p.nothingLeft {
			x.d.Reason, x.d.Message = ReasonNothingLeft, x.subject()+" Nothing is left of what the fact cancels."
		}
	}
}

// cancelPlan is what a cancellation comes down to.
type cancelPlan struct {
	left      []uint32
	units     []*ledgerv1.CancelledUnits
	patches   []*ledgerv1.ItemPatch
	unknown   []string
	irregular bool
	// timed says that a patch tells a time, nothingLeft that a line found no live unit.
	timed, nothingLeft bool
}

func (x *decider) planCancel(p *cancelPlan, i int, l CancelledItem, f Cancelled) {
	it := x.s.Items[i]
	by := x.actor(l.Reason)
	wanted := uint32(max(0, min(l.Quantity, maxUnits)))
	if x.Policy.AbsoluteCancellations && len(f.Items) > 0 {
		already := it.GetOrdered() - p.left[i]
		wanted -= min(wanted, already)
	} else if repeats(it, l, f, wanted) {
		x.seen = true
		return
	}
	units := min(wanted, p.left[i])
	if units == 0 {
		x.seen, p.nothingLeft = true, true
		x.planEcho(p, it, l, f)
		return
	}
	p.irregular = p.irregular || wanted > units || rowReportedCancelled.at(forwardOf(it)).does == contradict
	p.left[i] -= units
	p.units = append(p.units, &ledgerv1.CancelledUnits{
		OrderItemId: l.OrderItemID, Units: units, By: by, Reason: l.Reason, SubReason: l.SubReason,
	})
}

// planEcho takes what a cancellation that finds nothing left still tells of those that were applied: the time, where
// one was only found, else a reason that is missing.
func (x *decider) planEcho(p *cancelPlan, it *ledgerv1.Item, l CancelledItem, f Cancelled) {
	patch := &ledgerv1.ItemPatch{
		OrderItemId: l.OrderItemID, CancellationReason: l.Reason, CancellationSubReason: l.SubReason, CancelledBy: x.actor(l.Reason),
	}
	wanted := uint32(max(0, min(l.Quantity, maxUnits)))
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
		wanted = found
	case x.Policy.AbsoluteCancellations:
		wanted -= min(wanted, known)
	}
	if n := min(wanted, found); n > 0 {
		patch.CancelledAt, patch.CancelledUnits = reported(f.At), n
		p.patches, p.timed = append(p.patches, patch), true
		return
	}
	if l.Reason != "" && lacksReason(it, f.At) && !slices.ContainsFunc(it.GetCancellations(), l.reportedBy(f)) {
		p.patches = append(p.patches, patch)
	}
}

// repeats reports whether this very cancellation was applied before: the same units of the item at the same time for
// the same reason are one fact, by whatever way it came. Fewer units were applied where no more were left.
func repeats(it *ledgerv1.Item, l CancelledItem, f Cancelled, wanted uint32) bool {
	matches := l.reportedBy(f)
	return slices.ContainsFunc(it.GetCancellations(), func(c *ledgerv1.Cancellation) bool {
		return matches(c) && (c.GetUnits() == wanted || c.GetUnits() < wanted && (live(it) == 0 || c.GetRevived() > 0))
	})
}

// reportedBy recognises the cancellations that a line of a fact has led to, but for their units.
func (l CancelledItem) reportedBy(f Cancelled) func(*ledgerv1.Cancellation) bool {
	at := stamp(f.At)
	return func(c *ledgerv1.Cancellation) bool {
		return c.GetAt().GetAt() != nil && same(c.GetAt().GetAt(), at) &&
			(l.Reason == "" || c.GetReason() == l.Reason && c.GetSubReason() == l.SubReason)
	}
}

// lacksReason reports whether an item has a cancellation without a reason, other than one of the same moment: what a
// fact says without a reason, it does not explain by another of its lines.
func lacksReason(it *ledgerv1.Item, except time.Time) bool {
	return slices.ContainsFunc(it.GetCancellations(), func(c *ledgerv1.Cancellation) bool {
		return c.GetReason() == "" && !same(c.GetAt().GetAt(), stamp(except))
	})
}

// actor says who stands behind a reason.
func (x *decider) actor(reason string) ledgerv1.CancelledBy {
	if by, ok := x.Policy.CancelledBy[reason]; ok {
		return by
	}
	if reason == reasonSeller {
		return ledgerv1.CancelledBy_CANCELLED_BY_SELLER
	}
	return unknownActor
}

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

// renderAgain gives the next revision when documents are being made of units of which some are left; else 0.
func (x *decider) renderAgain(left []uint32) uint32 {
	if x.s.GetDocumentRevision() == 0 {
		return 0
	}
	for i, it := range x.s.GetItems() {
		if left[i] > 0 && it.GetForward() == packing {
			return x.s.GetDocumentRevision() + 1
		}
	}
	return 0
}

// cancel cancels whole cancellation groups at the seller's wish, as long as packing is not done.
func (x *decider) cancel(c Cancel) {
	if len(c.Reason) > maxIDBytes || !slices.Contains([]string{"cannot_procure_item", "not_enough_inventory", "b2b_order"}, c.Reason) {
		x.refuse(CodeInvalidReason, "Give one of the reasons cannot_procure_item, not_enough_inventory, b2b_order.")
		return
	}
	for _, g := range c.GroupIDs {
		if !slices.ContainsFunc(x.s.GetItems(), func(it *ledgerv1.Item) bool { return it.GetCancellationGroupId() == g }) {
			x.refuse(CodeInvalidItemID, "It has no cancellation group "+clip(g)+"; name one of its own.")
			return
		}
	}
	p := cancelPlan{left: make([]uint32, len(x.s.GetItems()))}
	for i, it := range x.s.GetItems() {
		p.left[i] = live(it)
		if p.left[i] == 0 || len(c.GroupIDs) > 0 && !slices.Contains(c.GroupIDs, it.GetCancellationGroupId()) {
			continue
		}
		if cell := rowCancel.at(it.GetStatus()); cell.does != move {
			x.refuseCell(cell, "Item "+it.GetOrderItemId()+" is "+statusName(it.GetStatus())+" and can no longer be cancelled by the seller.")
			return
		}
		p.units = append(p.units, &ledgerv1.CancelledUnits{
			OrderItemId: it.GetOrderItemId(), Units: p.left[i], By: ledgerv1.CancelledBy_CANCELLED_BY_SELLER,
			Reason: reasonSeller, SubReason: c.Reason,
		})
		p.left[i] = 0
	}
	if len(p.units) == 0 {
		x.refuseCell(rowCancel.at(cancelled), "All units named are cancelled already; nothing is left to do.")
		return
	}
	x.emitCancel(&p, reported(x.now))
	x.accept()
}

// clip bounds what a message repeats of an input.
func clip(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 64)], "")
}
