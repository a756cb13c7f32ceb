package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// returnReported creates the lines of a return that are new, and updates those that are known. A return over several
// shipments has been split by its lines before it gets here, so an unknown item is really unknown.
func (x *decider) returnReported(f ReturnReported) {
	if !goodID(f.ReturnID) {
		x.quarantine(ReasonBadID, "The return's id is missing or too long.")
		return
	}
	if len(f.Lines) == 0 {
		x.quarantine(ReasonNoItems, "The return is reported without lines.")
		return
	}
	if len(f.Lines) > maxItems {
		x.quarantine(ReasonTooLarge, "The return has too many lines.")
		return
	}
	for _, l := range f.Lines {
		if !x.goodLine(l) {
			return
		}
	}
	at := reported(f.At)
	var unknown []string
	var fresh, again []*ledgerv1.Return
	isFresh := func(item string) bool {
		return slices.ContainsFunc(fresh, func(r *ledgerv1.Return) bool { return r.GetOrderItemId() == item })
	}
	for _, l := range f.Lines {
		r := l.Return.CloneVT()
		if r == nil {
			r = &ledgerv1.Return{}
		}
		r.ReturnId, r.Units = f.ReturnID, uint32(l.Quantity)
		switch {
		case indexOf(x.s.GetItems(), r.GetOrderItemId()) < 0:
			unknown = append(unknown, r.GetOrderItemId())
		case x.line(f.ReturnID, r.GetOrderItemId()) != nil || isFresh(r.GetOrderItemId()):
			again = append(again, r)
		default:
			fresh = append(fresh, r)
		}
	}
	x.makeReturn(fresh, at, f.Siblings)
	x.updateReturn(f.ReturnID, again, at)
	for _, l := range f.Lines {
		if l.TechVisit == nil {
			continue
		}
		v := *l.TechVisit
		v.ReturnID = f.ReturnID
		if v.OrderItemID == "" {
			v.OrderItemID = l.Return.GetOrderItemId()
		}
		if goodID(v.ServiceID) && x.promisable(v.DueAt) {
			x.reportedVisit(v, at)
		}
	}
	x.settle(unknown)
}

// goodLine quarantines a line that makes no sense. Its source is taken as reported and never derived from the state:
// the marketplace reports a cancellation between out-for-delivery and delivery as a customer return of a SHIPPED item.
func (x *decider) goodLine(l ReturnLine) bool {
	r := l.Return
	switch {
	case !goodID(r.GetOrderItemId()):
		x.quarantine(ReasonBadID, "A line of the return names no item.")
	case l.Quantity <= 0 || l.Quantity > maxUnits:
		x.quarantine(ReasonBadQuantity, "The return has an impossible number of units.")
	case r.GetSource() != fromCustomer && r.GetSource() != fromCourier:
		x.quarantine(ReasonBadBody, "The return is neither a customer return nor a courier return.")
	case !x.promisableStamp(r.GetExpectedDate()) || !x.promisableStamp(r.GetMarketplaceUpdatedAt()):
		x.quarantine(ReasonBadTime, "A date of the return is before 1990 or too far in the future.")
	default:
		return true
	}
	return false
}

// line finds a line of a return.
func (x *decider) line(returnID, item string) *ledgerv1.Return {
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() == returnID && r.GetOrderItemId() == item {
			return r
		}
	}
	return nil
}

// makeReturn emits ReturnCreated for new lines, each in its first state: CREATED in the standard flow, where the
// marketplace decides about returns, and REQUESTED in the self-ship flow, where the seller does. A courier return of a
// self-ship seller has nothing to decide and is approved at once.
func (x *decider) makeReturn(lines []*ledgerv1.Return, at *ledgerv1.Moment, siblings Siblings) {
	if len(lines) == 0 {
		return
	}
	t, b := &ledgerv1.Transition{}, &ledgerv1.ReturnCreated{At: at, Lines: lines}
	var ready []string
	for _, r := range lines {
		r.Status, r.Created = rmaCreated, at
		r.Approved, r.Rejected, r.PickedUp, r.Completed, r.Cancelled = nil, nil, nil, nil, nil
		r.PickupAttempts, r.LastPickupAttempt = 0, nil
		r.SiblingShipmentIds, r.SiblingCount = nil, 0
		if x.s.GetFulfilment() == selfShip {
			r.Status = rmaRequested
			if r.GetSource() == fromCourier {
				ready = append(ready, r.GetOrderItemId())
			}
		}
		var revived uint32
		revived, r.Irregular = x.cover(r)
		if revived > 0 {
			b.Revived = append(b.Revived, &ledgerv1.ItemUnits{OrderItemId: r.GetOrderItemId(), Units: revived})
		}
		t.Irregular = t.Irregular || r.Irregular
	}
	if siblings.Count > 1 && slices.Contains(siblings.ShipmentIDs, x.s.GetShipmentId()) {
		b.SiblingShipmentIds, b.SiblingCount = siblings.ShipmentIDs, siblings.Count
	}
	x.follow(&Event{Transition: t, Body: &ledgerv1.Event_ReturnCreated{ReturnCreated: b}}, at)
	if len(ready) > 0 {
		x.approve(lines[0].GetReturnId(), ready, "", at, nil)
	}
}

// cover decides which units of its item a new line covers. A courier return takes units that were cancelled on the way
// first, a customer return live ones first; what is left takes units that were cancelled before they were shipped,
// which must then have been shipped: they are revived. A line for more units than were ordered is irregular. The
// reported number is kept; sums are capped by what was shipped.
func (x *decider) cover(line *ledgerv1.Return) (revived uint32, irregular bool) {
	i := indexOf(x.s.GetItems(), line.GetOrderItemId())
	if i < 0 {
		return 0, true
	}
	it := x.s.Items[i]
	n := uint64(line.GetUnits())
	for _, r := range x.s.GetReturns() {
		if r.GetOrderItemId() == line.GetOrderItemId() && counts(r) {
			n += uint64(r.GetUnits())
		}
	}
	var gone uint64
	for _, c := range it.GetCancellations() {
		if !c.GetAfterShipped() {
			gone += uint64(standing(c))
		}
	}
	left := uint64(it.GetOrdered()) - min(gone, uint64(it.GetOrdered()))
	return uint32(min(n-min(n, left), gone, uint64(line.GetUnits()))), n > uint64(it.GetOrdered())
}

// updateReturn emits ReturnUpdated for lines whose fields differ or are confirmed, or whose creation a pull had found
// and is reported now. A report that is older than the pull fills unknown fields and replaces nothing.
func (x *decider) updateReturn(returnID string, lines []*ledgerv1.Return, at *ledgerv1.Moment) {
	b := &ledgerv1.ReturnUpdated{At: at, ReturnId: returnID}
	p, late := &patch{at: at.GetAt()}, false
	for _, line := range lines {
		known := x.line(returnID, line.GetOrderItemId())
		if known == nil {
			continue
		}
		p.prefix = line.GetOrderItemId() + "."
		p.reported, p.confirmed = lineReported(known), nil
		p.confirms = at.GetCertainty() != inferred ||
			pullConfirms(known.GetMarketplaceUpdatedAt(), line.GetMarketplaceUpdatedAt())
		diff := diffReturn(p, known, line)
		b.Confirmed = appendConfirmed(b.Confirmed, line.GetOrderItemId(), p)
		if fills(known.GetCreated(), at) {
			if diff == nil {
				diff = &ledgerv1.Return{OrderItemId: known.GetOrderItemId()}
			}
			diff.Created, late = at, true
			p.note("created")
		}
		if diff != nil {
			b.Lines = append(b.Lines, diff)
		}
	}
	if len(b.Lines) == 0 && len(b.Confirmed) == 0 {
		x.outranked = x.outranked || p.outdated
		x.seen = x.seen || len(lines) > 0 && !p.outdated
		return
	}
	b.Changed = p.changed
	x.emit(&Event{Body: &ledgerv1.Event_ReturnUpdated{ReturnUpdated: b}, Transition: &ledgerv1.Transition{Late: late}})
}

// reportedVisit requests a tech visit that the marketplace reports; false if its return is not known.
func (x *decider) reportedVisit(v RequestTechVisit, at *ledgerv1.Moment) (id string, ok bool) {
	var line *ledgerv1.Return
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() == v.ReturnID && (v.OrderItemID == "" || v.OrderItemID == r.GetOrderItemId()) {
			line = r
			break
		}
	}
	switch {
	case line == nil:
		return v.OrderItemID, false
	case serviceIndex(x.s.GetServices(), v.ServiceID) >= 0:
		x.seen = true
	case line.GetStatus() != rmaRequested && line.GetStatus() != rmaCreated:
		x.outranked = true
	default:
		x.requestVisit(v, line, at)
	}
	return "", true
}

// returnKnown quarantines a fact about a return that the shipment does not have. It must not wait: the resolver sends a
// fact here only after it has found the return's shipment, so nothing would ever end the wait.
func (x *decider) returnKnown(id string) bool {
	for _, r := range x.s.GetReturns() {
		if r.GetReturnId() == id && id != "" {
			return true
		}
	}
	x.quarantine(ReasonUnknownReturn, "It has no return "+clip(id)+".")
	return false
}

// appendConfirmed adds what a report confirms of a line.
func appendConfirmed(
	list []*ledgerv1.ReturnConfirmation, item string, p *patch,
) []*ledgerv1.ReturnConfirmation {
	if len(p.confirmed) == 0 {
		return list
	}
	return append(list, &ledgerv1.ReturnConfirmation{OrderItemId: item, Fields: p.confirmed})
}

// confirmReturn emits ReturnUpdated for fields that a report only confirms.
func (x *decider) confirmReturn(returnID string, at *ledgerv1.Moment, list []*ledgerv1.ReturnConfirmation) {
	if len(list) > 0 {
		x.emit(&Event{Body: &ledgerv1.Event_ReturnUpdated{ReturnUpdated: &ledgerv1.ReturnUpdated{
			At: at, ReturnId: returnID, Confirmed: list,
		}}})
	}
}

// returnTracked updates the tracking of a return.
func (x *decider) returnTracked(f ReturnTracked) {
	if !x.returnKnown(f.ReturnID) {
		return
	}
	b := &ledgerv1.ReturnTrackingUpdated{At: reported(f.At), ReturnId: f.ReturnID}
	var unknown []string
	var confirmed []*ledgerv1.ReturnConfirmation
	for _, l := range f.Lines {
		r := x.line(f.ReturnID, l.GetOrderItemId())
		if r == nil {
			unknown = append(unknown, l.GetOrderItemId())
			continue
		}
		p := &patch{at: b.At.GetAt(), reported: lineReported(r), confirms: true}
		line := &ledgerv1.ReturnTracking{OrderItemId: l.GetOrderItemId()}
		p.text("tracking_id", r.GetTrackingId(), l.GetTrackingId(), &line.TrackingId)
		p.text("courier_name", r.GetCourierName(), l.GetCourierName(), &line.CourierName)
		x.outranked = x.outranked || p.outdated
		confirmed = appendConfirmed(confirmed, l.GetOrderItemId(), p)
		if len(p.changed) > 0 {
			b.Lines = append(b.Lines, line)
		} else {
			x.seen = x.seen || !p.outdated
		}
	}
	if len(b.Lines) > 0 {
		x.emit(&Event{Body: &ledgerv1.Event_ReturnTrackingUpdated{ReturnTrackingUpdated: b}})
	}
	x.confirmReturn(f.ReturnID, b.At, confirmed)
	x.settleLines(len(f.Lines), unknown)
}

// returnExpected updates the date on which a return is expected.
func (x *decider) returnExpected(f ReturnExpected) {
	if !x.returnKnown(f.ReturnID) {
		return
	}
	b := &ledgerv1.ReturnExpectedDateChanged{At: reported(f.At), ReturnId: f.ReturnID}
	var unknown []string
	var confirmed []*ledgerv1.ReturnConfirmation
	for _, l := range f.Lines {
		if !x.goodExpected(l.GetExpectedDate()) {
			return
		}
		r := x.line(f.ReturnID, l.GetOrderItemId())
		if r == nil {
			unknown = append(unknown, l.GetOrderItemId())
			continue
		}
		p := &patch{at: b.At.GetAt(), reported: lineReported(r), confirms: true}
		line := &ledgerv1.ReturnExpectedDate{OrderItemId: l.GetOrderItemId()}
		p.time("expected_date", r.GetExpectedDate(), l.GetExpectedDate(), &line.ExpectedDate)
		x.outranked = x.outranked || p.outdated
		confirmed = appendConfirmed(confirmed, l.GetOrderItemId(), p)
		if len(p.changed) > 0 {
			b.Lines = append(b.Lines, line)
		} else {
			x.seen = x.seen || !p.outdated
		}
	}
	if len(b.Lines) > 0 {
		x.emit(&Event{Body: &ledgerv1.Event_ReturnExpectedDateChanged{ReturnExpectedDateChanged: b}})
	}
	x.confirmReturn(f.ReturnID, b.At, confirmed)
	x.settleLines(len(f.Lines), unknown)
}

// goodExpected quarantines a fact without a usable date: the date is all that it reports.
func (x *decider) goodExpected(t *timestamppb.Timestamp) bool {
	if t != nil && x.promisableStamp(t) {
		return true
	}
	x.quarantine(ReasonBadTime, "The expected date is missing, before 1990 or too far in the future.")
	return false
}

// settleLines ends a fact about lines of a return, which must name some.
func (x *decider) settleLines(n int, unknown []string) {
	if n == 0 {
		x.quarantine(ReasonNoItems, "The fact names no items.")
		return
	}
	x.settle(unknown)
}
