package shipment

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// observed applies the result of a pull. A pull shows when something was seen, not when it happened, so its times are
// inferred until a notification reports better ones. Properties come first, because the steps after them are judged by
// the new fields.
func (x *decider) observed(f Observed) {
	if !x.goodObserved(f) {
		return
	}
	at := withCertainty(reported(f.At), inferred)
	unknown := x.observedProperties(f)
	ids, missing := x.known(f.OrderItemIDs)
	unknown = append(unknown, missing...)
	if len(ids) > 0 || len(f.OrderItemIDs) == 0 {
		s := f.Status
		if s == requested || s == returned {
			// A return implies that it was shipped. The return itself comes with its id.
			s = shipped
		}
		x.observedStatus(s, at, ids, f.Items)
	}
	if f.Return != nil {
		unknown = append(unknown, x.observedReturn(f.Return, at)...)
		if x.ended() {
			return
		}
	}
	for _, v := range f.TechVisits {
		if id, ok := x.reportedVisit(v, at); !ok {
			unknown = append(unknown, id)
		}
	}
	unknown = append(unknown, x.foundServices(f.Services, at)...)
	x.settle(unknown)
}

// goodObserved quarantines the result of a pull that makes no sense.
func (x *decider) goodObserved(f Observed) bool {
	if _, ok := rowOf(f.Status); !ok {
		switch f.Status {
		case unset, approved, formFailed, cancelled, requested, returned:
		default:
			x.quarantine(ReasonBadBody, "The status in the pull is none of the twelve.")
			return false
		}
	}
	for _, v := range f.Services {
		if !goodID(v.ServiceID) || !x.promisable(v.DueAt) {
			x.quarantine(ReasonBadBody, "A service in the pull has no id or an impossible date.")
			return false
		}
	}
	for _, v := range f.TechVisits {
		if !goodID(v.ServiceID) || !x.promisable(v.DueAt) {
			x.quarantine(ReasonBadBody, "A tech visit in the pull has no id or an impossible date.")
			return false
		}
	}
	if r := f.Return; r != nil {
		if !goodID(r.GetReturnId()) || r.GetStatus() < 0 || int(r.GetStatus()) >= returnStatuses ||
			!x.promisableStamp(r.GetExpectedDate()) {
			x.quarantine(ReasonBadBody, "The return in the pull has no id, an unknown status or an impossible date.")
			return false
		}
	}
	return true
}

// known splits ids into those that the shipment has and those that it lacks.
func (x *decider) known(ids []string) (known, missing []string) {
	for _, id := range ids {
		if indexOf(x.s.GetItems(), id) >= 0 {
			known = append(known, id)
		} else {
			missing = append(missing, id)
		}
	}
	return known, missing
}

// observedStatus applies a status that was found to the named items, or to all.
func (x *decider) observedStatus(s ledgerv1.Status, at *ledgerv1.Moment, ids []string, patches []*ledgerv1.ItemPatch) {
	switch s {
	case unset:
	case approved:
		x.seen = true
	case cancelled:
		x.observedCancel(at, ids, patches)
	case formFailed:
		for _, it := range x.s.GetItems() {
			if selects(ids, it.GetOrderItemId()) && rowReportedFormFailed.moves(it) {
				x.emit(&Event{Body: &ledgerv1.Event_FormFailed{FormFailed: &ledgerv1.FormFailed{
					At: at, Revision: x.s.GetDocumentRevision(), OrderItemIds: ids,
				}}})
				return
			}
		}
		x.seen = true
	default:
		if r, ok := rowOf(s); ok {
			x.reach(r, at, ids)
		}
	}
}

// observedCancel cancels the live units of items that the pull shows as cancelled. A pull shows no quantity, so it
// cancels all of them.
func (x *decider) observedCancel(at *ledgerv1.Moment, ids []string, patches []*ledgerv1.ItemPatch) {
	p := cancelPlan{left: make([]uint32, len(x.s.GetItems()))}
	for i, it := range x.s.GetItems() {
		p.left[i] = live(it)
		if !selects(ids, it.GetOrderItemId()) || p.left[i] == 0 {
			continue
		}
		c := &ledgerv1.CancelledUnits{OrderItemId: it.GetOrderItemId(), Units: p.left[i]}
		for _, patch := range patches {
			if patch.GetOrderItemId() == c.OrderItemId {
				c.Reason, c.SubReason = patch.GetCancellationReason(), patch.GetCancellationSubReason()
				c.By = x.patchActor(patch)
			}
		}
		p.irregular = p.irregular || rowReportedCancelled.at(forwardOf(it)).does == contradict
		p.units = append(p.units, c)
		p.left[i] = 0
	}
	x.seen = x.seen || len(p.units) == 0
	x.emitCancel(&p, at)
}

// patchActor names who cancelled: the actor that the pull reports, or else the one that the reason implies.
func (x *decider) patchActor(p *ledgerv1.ItemPatch) ledgerv1.CancelledBy {
	if by := p.GetCancelledBy(); by != unknownActor {
		return by
	}
	return x.actor(p.GetCancellationReason())
}

// observedProperties updates the fields that differ.
func (x *decider) observedProperties(f Observed) (unknown []string) {
	b := &ledgerv1.PropertiesUpdated{At: reported(f.At)}
	p := x.patchOf(f.Fact)
	p.confirms = pullConfirms(x.s.GetMarketplaceUpdatedAt(), stamp(f.MarketplaceUpdatedAt))
	b.Details = diffDetails(p, x.s.GetDetails(), f.Details)
	for _, item := range f.Items {
		i := indexOf(x.s.GetItems(), item.GetOrderItemId())
		if i < 0 {
			unknown = append(unknown, item.GetOrderItemId())
			continue
		}
		x.diffItem(p, b, i, item.GetDetails())
		if item.GetCancellationReason() != "" && lacksReason(x.s.Items[i], time.Time{}) {
			b.Items = append(b.Items, &ledgerv1.ItemPatch{
				OrderItemId: item.GetOrderItemId(), CancellationReason: item.GetCancellationReason(),
				CancellationSubReason: item.GetCancellationSubReason(), CancelledBy: x.patchActor(item),
			})
			p.note("items." + item.GetOrderItemId() + ".cancellations")
		}
	}
	if f.Packing != nil && !mergePacking(x.s.GetPacking(), f.Packing).EqualVT(x.s.GetPacking()) {
		b.Packing = f.Packing
		p.note("packing")
	}
	n := len(x.d.Events)
	x.emitPatch(p, b, stamp(f.MarketplaceUpdatedAt))
	brought := f.Details != nil || len(f.Items) > len(unknown) || f.Packing != nil
	x.seen = x.seen || brought && len(x.d.Events) == n
	return unknown
}

// pullConfirms reports whether a pull confirms the values that it shows as they are known. If the marketplace has not
// changed the object since the last report, no value can have come and gone in between, and an event for each such pull
// would say nothing.
func pullConfirms(known, updated *timestamppb.Timestamp) bool {
	return updated == nil || before(known, updated)
}

// foundServices activates the forward services that are not known yet.
func (x *decider) foundServices(list []ActivateService, at *ledgerv1.Moment) (unknown []string) {
	for _, v := range list {
		i := indexOf(x.s.GetItems(), v.OrderItemID)
		switch {
		case i < 0:
			if !slices.Contains(unknown, v.OrderItemID) {
				unknown = append(unknown, v.OrderItemID)
			}
		case !goodID(v.ServiceID) || !x.promisable(v.DueAt) || serviceIndex(x.s.GetServices(), v.ServiceID) >= 0:
			x.seen = true
		default:
			x.activate(v, at)
		}
	}
	return unknown
}
