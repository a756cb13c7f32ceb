package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// draft is a state under construction. It shares with the state before it everything that has not changed: a list is
// copied before its first entry changes, an entry before it changes itself. Most events change one item and one clock
// of a state, and a deep copy would cost more than all the rest. It has a method for each event, which makes many.
type draft struct {
	*State
	prior *State

	items, clocks, services, returns, times bool
	// late means that the event moves no state: it fills times only.
	late bool
}

// newDraft begins the state after s. It copies field by field, because a generated message must not be copied as a
// whole.
func newDraft(s *State) draft {
	return draft{prior: s, State: &State{
		ShipmentId: s.ShipmentId, Version: s.Version + 1, OrderId: s.OrderId, SellerId: s.SellerId, LocationId: s.LocationId,
		Fulfilment: s.Fulfilment, Status: s.Status, OnHold: s.OnHold, Irregular: s.Irregular, UpdatedAt: s.UpdatedAt,
		MarketplaceUpdatedAt: s.MarketplaceUpdatedAt, Times: s.Times, DispatchAfter: s.DispatchAfter,
		DispatchBy: s.DispatchBy, DeliverBy: s.DeliverBy, TentativeDelivery: s.TentativeDelivery,
		Items: s.Items, Services: s.Services, Returns: s.Returns, Clocks: s.Clocks,
		Forms: s.Forms, DocumentRevision: s.DocumentRevision, Stages: s.Stages, Details: s.Details,
		PackRequest: s.PackRequest, Packing: s.Packing, DeliveryAttempts: s.DeliveryAttempts,
		LastDeliveryAttempt: s.LastDeliveryAttempt, HoldReportedAt: s.HoldReportedAt, DatesReportedAt: s.DatesReportedAt,
		FirstRecordedAt: s.FirstRecordedAt, History: s.History, FieldReports: s.FieldReports,
	}}
}

// ownTimes returns times that may be changed.
func (d *draft) ownTimes() *ledgerv1.Times {
	if !d.times {
		t := d.Times
		d.Times, d.times = &ledgerv1.Times{
			Created: t.GetCreated(), LabelsRequested: t.GetLabelsRequested(), Packed: t.GetPacked(), Ready: t.GetReady(),
			PickedUp: t.GetPickedUp(), Shipped: t.GetShipped(), Delivered: t.GetDelivered(), Completed: t.GetCompleted(),
			Cancelled: t.GetCancelled(), FormFailed: t.GetFormFailed(), ItemCompleted: t.GetItemCompleted(),
		}, true
	}
	return d.Times
}

// item returns an item that may be changed.
func (d *draft) item(i int) *ledgerv1.Item {
	if !d.items {
		d.Items, d.items = slices.Clone(d.Items), true
	}
	it := d.Items[i]
	if d.prior != nil && i < len(d.prior.Items) && d.prior.Items[i] == it {
		it = &ledgerv1.Item{
			OrderItemId: it.OrderItemId, Status: it.Status, Forward: it.Forward, Ordered: it.Ordered, Held: it.Held,
			CancelledSeller: it.CancelledSeller, CancelledCustomer: it.CancelledCustomer,
			CancelledMarketplace: it.CancelledMarketplace, CancelledUnknown: it.CancelledUnknown,
			Shipped: it.Shipped, Delivered: it.Delivered, CancellationGroupId: it.CancellationGroupId,
			Cancellations: it.Cancellations, Details: it.Details, CourierReturn: it.CourierReturn,
			HoldReportedAt: it.HoldReportedAt, FieldReports: it.FieldReports,
		}
		d.Items[i] = it
	}
	return it
}

// clock returns a clock that may be changed.
func (d *draft) clock(i int) *ledgerv1.Clock {
	if !d.clocks {
		d.Clocks, d.clocks = slices.Clone(d.Clocks), true
	}
	c := d.Clocks[i]
	if d.prior != nil && i < len(d.prior.Clocks) && d.prior.Clocks[i] == c {
		c = &ledgerv1.Clock{
			Kind: c.Kind, SubjectId: c.SubjectId, StartedAt: c.StartedAt, FirstDueAt: c.FirstDueAt, DueAt: c.DueAt,
			Attempts: c.Attempts, Done: c.Done, CancelledAt: c.CancelledAt, CancelledCertainty: c.CancelledCertainty,
			DueCertainty: c.DueCertainty, Extensions: c.Extensions, Reports: c.Reports,
		}
		d.Clocks[i] = c
	}
	return c
}

// service returns a service that may be changed. Services change so rarely that a deep copy is good enough.
func (d *draft) service(i int) *ledgerv1.Service {
	if !d.services {
		d.Services, d.services = slices.Clone(d.Services), true
	}
	v := d.Services[i]
	if d.prior != nil && i < len(d.prior.Services) && d.prior.Services[i] == v {
		v = v.CloneVT()
		d.Services[i] = v
	}
	return v
}

// returnLine returns a line of a return that may be changed.
func (d *draft) returnLine(i int) *ledgerv1.Return {
	if !d.returns {
		d.Returns, d.returns = slices.Clone(d.Returns), true
	}
	r := d.Returns[i]
	if d.prior != nil && i < len(d.prior.Returns) && d.prior.Returns[i] == r {
		r = r.CloneVT()
		d.Returns[i] = r
	}
	return r
}

// The three functions that append clip the list first, so that two states that grew from the same one never write into
// the same array.
func (d *draft) addClock(c *ledgerv1.Clock) {
	d.Clocks, d.clocks = append(slices.Clip(d.Clocks), c), true
}

func (d *draft) addService(v *ledgerv1.Service) {
	d.Services, d.services = append(slices.Clip(d.Services), v), true
}

func (d *draft) addReturn(r *ledgerv1.Return) {
	d.Returns, d.returns = append(slices.Clip(d.Returns), r), true
}

// finish derives statuses, stages, the time of cancellation and clocks. The order matters: each step reads the results
// of the one before it.
func (d *draft) finish() {
	d.OnHold = false
	for i, it := range d.Items {
		held := min(it.GetHeld(), live(it))
		status, came := itemStatus(it, d.Returns), arrived(it, d.Returns)
		if held != it.GetHeld() || status != it.GetStatus() || came != it.GetDelivered() {
			it = d.item(i)
			it.Held, it.Status, it.Delivered = held, status, came
		}
		d.OnHold = d.OnHold || held > 0
	}
	d.Status = shipmentStatus(d.Items)
	d.settleCancelled()
	d.settleCompleted()
	d.settleStages()
	d.settleClocks()
}

// settleCancelled notes when the last live unit was cancelled, in whatever order the cancellations arrived.
func (d *draft) settleCancelled() {
	if d.Status != cancelled {
		if d.Times.GetCancelled() != nil {
			d.ownTimes().Cancelled = nil
		}
		return
	}
	var last *ledgerv1.Moment
	for _, it := range d.Items {
		for _, c := range it.GetCancellations() {
			if c.GetRevived() < c.GetUnits() && (last == nil || before(last.GetAt(), c.GetAt().GetAt())) {
				last = c.GetAt()
			}
		}
	}
	if last != d.Times.GetCancelled() {
		d.ownTimes().Cancelled = last
	}
}

// settleCompleted notes when the shipment was completed: with the last of its live items.
func (d *draft) settleCompleted() {
	var at *ledgerv1.Moment
	if lowest(d.Items) >= rank(completed) {
		at = d.Times.GetItemCompleted()
	}
	if at != d.Times.GetCompleted() {
		d.ownTimes().Completed = at
	}
}

// settleStages notes the stages that all live units have reached. A stage is noted once and never removed, because a
// message about it may have been sent. Units that the courier brings back hold no stage up.
func (d *draft) settleStages() {
	low := lowest(d.Items)
	if low == rank(shipped) {
		low = max(low, lowestArriving(d.Items, d.Returns))
	}
	for stage, s := range [...]ledgerv1.Status{
		ledgerv1.Stage_STAGE_SHIPPED: shipped, ledgerv1.Stage_STAGE_DELIVERED: delivered,
		ledgerv1.Stage_STAGE_COMPLETED: completed,
	} {
		if s == unset || low < rank(s) {
			continue
		}
		if st := ledgerv1.Stage(stage); !slices.Contains(d.Stages, st) {
			d.Stages = append(slices.Clip(d.Stages), st)
		}
	}
}

// noteUpdate sets the time of the update, if the event has one.
func (d *draft) noteUpdate(at *timestamppb.Timestamp) {
	if at != nil {
		d.UpdatedAt = at
	}
}
