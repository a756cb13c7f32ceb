package shipment

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// created begins a shipment, or updates it when the marketplace reports it again.
func (x *decider) created(f Created) {
	if !x.goodCreated(f) {
		return
	}
	if x.s != nil {
		x.createdAgain(f)
		return
	}
	at := reported(f.At)
	x.begin(f, at)
	unknown := x.foundFurther(f, at)
	x.settle(unknown)
}

// goodCreated quarantines a creation that makes no sense. Lines and dates that make none beside good ones are out of it
// already: see leftout.go.
func (x *decider) goodCreated(f Created) bool {
	seen := make(map[string]bool, len(f.Items))
	switch {
	case len(f.Items) == 0:
		x.quarantine(ReasonNoItems, "The shipment is reported without items.")
		return false
	case len(f.Items) > maxItems || len(f.Services) > maxItems || len(f.Forms) > maxItems:
		x.quarantine(ReasonTooLarge, "The shipment has too many items, services or forms.")
		return false
	case len(f.OrderID) > maxIDBytes:
		x.quarantine(ReasonBadID, "The id of the order is too long.")
		return false
	case !x.promisable(f.DispatchAfter, f.DispatchBy, f.DeliverBy, f.MarketUpdatedAt):
		x.quarantine(ReasonBadTime, "A date of the shipment is before 1990 or too far in the future.")
		return false
	}
	for _, it := range f.Items {
		switch {
		case !goodID(it.OrderItemID) || len(it.CancellationGroupID) > maxIDBytes || seen[it.OrderItemID]:
			x.quarantine(ReasonBadID, "The id of an item is missing, too long or repeated.")
			return false
		case it.Quantity == 0 || it.Quantity > maxUnits || it.Cancelled > it.Quantity:
			x.quarantine(ReasonBadQuantity, "Item "+it.OrderItemID+" has an impossible number of units.")
			return false
		case !x.promisableStamp(it.Details.GetOrderDate()):
			x.quarantine(ReasonBadTime,
				"The order date of item "+it.OrderItemID+" is before 1990 or too far in the future.")
			return false
		}
		seen[it.OrderItemID] = true
	}
	for _, v := range f.Services {
		if !goodID(v.ServiceID) {
			x.quarantine(ReasonBadID, "The id of a service is missing or too long.")
			return false
		}
		if !x.promisable(v.DueAt) {
			x.quarantine(ReasonBadTime, "The date of service "+v.ServiceID+" is before 1990 or too far in the future.")
			return false
		}
	}
	return true
}

// begin emits ShipmentCreated. A shipment always starts at APPROVED: further states get events of their own, so that
// readers who count transitions miss none.
func (x *decider) begin(f Created, at *ledgerv1.Moment) {
	seller := f.SellerID
	if seller == "" {
		seller = x.SellerID
	}
	s := &State{
		ShipmentId: f.ShipmentID, Version: 1, OrderId: f.OrderID, SellerId: seller, LocationId: f.LocationID,
		Fulfilment: x.fulfilment(f.ShipmentType), UpdatedAt: x.updated, MarketplaceUpdatedAt: stamp(f.MarketUpdatedAt),
		Times: &ledgerv1.Times{Created: at}, FirstRecordedAt: x.stamp, DispatchAfter: stamp(f.DispatchAfter),
		DispatchBy: stamp(f.DispatchBy), DeliverBy: stamp(f.DeliverBy), Details: x.createdDetails(f),
		Items: make([]*ledgerv1.Item, 0, len(f.Items)), History: x.History,
	}
	for _, l := range f.Items {
		s.Items = append(s.Items, newItem(l, at, f.Hold))
	}
	for _, form := range f.Forms {
		if form.GetName() != "" {
			s.Forms = append(s.Forms, form)
		}
	}
	for _, v := range f.Services {
		if indexOf(s.Items, v.OrderItemID) >= 0 && serviceIndex(s.Services, v.ServiceID) < 0 {
			s.Services = append(s.Services, newService(v, at))
		}
	}
	if s.DispatchAfter != nil || s.DispatchBy != nil || s.DeliverBy != nil {
		s.DatesReportedAt = at.GetAt()
	}
	if f.Hold {
		s.HoldReportedAt = at.GetAt()
	}
	d := draft{State: s, items: true, clocks: true, services: true, returns: true, times: true}
	d.report(clockDispatch, nil, s.DispatchBy, byMarketplace)
	d.report(clockDeliver, nil, s.DeliverBy, byMarketplace)
	d.finish()
	t := &ledgerv1.Transition{To: s.Status, Stages: s.Stages}
	for _, it := range s.Items {
		t.Items = append(t.Items, &ledgerv1.ItemTransition{OrderItemId: it.OrderItemId, To: it.Status, LiveAfter: live(it)})
	}
	x.s = s
	x.d.Events = append(x.d.Events, &Event{
		Transition: t, After: s, Body: &ledgerv1.Event_ShipmentCreated{ShipmentCreated: &ledgerv1.ShipmentCreated{At: at}},
	})
}

// newService is a service that was reported with its shipment. The state of ShipmentCreated holds it from the start, so
// it needs no event of its own.
func newService(v ActivateService, at *ledgerv1.Moment) *ledgerv1.Service {
	dueAt := stamp(v.DueAt)
	return &ledgerv1.Service{
		ServiceId: v.ServiceID, OrderItemId: v.OrderItemID, Kind: kindForward, Status: serviceActivated,
		FirstDueAt: dueAt, DueAt: dueAt, Activated: at, Description: v.Description,
	}
}

// fulfilment is the flow of a new shipment: that of its type, else the configured one, else standard. It never changes.
func (x *decider) fulfilment(shipmentType string) ledgerv1.Fulfilment {
	switch {
	case shipmentType == "SELF":
		return selfShip
	case shipmentType != "":
		return standard
	case x.Policy.Fulfilment == selfShip:
		return selfShip
	default:
		return standard
	}
}

// createdDetails fills gaps of the details from the notification itself.
func (x *decider) createdDetails(f Created) *ledgerv1.ShipmentDetails {
	details := f.Details
	if f.Source != "" && details.GetSource() == "" || f.ShipmentType != "" && details.GetShipmentType() == "" {
		details = mergeDetails(details, &ledgerv1.ShipmentDetails{Source: f.Source, ShipmentType: f.ShipmentType})
		setText(&details.Source, f.Details.GetSource())
		setText(&details.ShipmentType, f.Details.GetShipmentType())
	}
	return details
}

// foundFurther emits the states that items have already reached when they are reported for the first time,
// cancellations first, then by rank. Nobody knows when they were reached: the times are inferred, and a later
// notification can still correct them.
func (x *decider) foundFurther(f Created, at *ledgerv1.Moment) (unknown []string) {
	x.foundStates(f, withCertainty(at, inferred), func(string) bool { return true })
	x.followUps(at)
	for _, v := range f.Services {
		if indexOf(x.s.GetItems(), v.OrderItemID) < 0 && !slices.Contains(unknown, v.OrderItemID) {
			unknown = append(unknown, v.OrderItemID)
		}
	}
	return unknown
}

// foundStates emits the states of the chosen items.
func (x *decider) foundStates(f Created, guess *ledgerv1.Moment, chosen func(id string) bool) {
	byStatus := map[ledgerv1.Status][]string{}
	for _, l := range f.Items {
		if !chosen(l.OrderItemID) {
			continue
		}
		s := l.Status
		if s == unset {
			s = f.Status
		}
		if s == requested || s == returned {
			// A return implies no more than that the goods were shipped. The return itself is reported with its id.
			s = shipped
		}
		byStatus[s] = append(byStatus[s], l.OrderItemID)
	}
	order := []ledgerv1.Status{
		cancelled, formFailed, packing, packed, ready, pickedUp, shipped, delivered, completed,
	}
	for _, s := range order {
		ids := byStatus[s]
		if len(ids) == 0 {
			continue
		}
		if len(ids) == len(x.s.GetItems()) {
			ids = nil
		}
		x.observedStatus(s, guess, ids, nil)
	}
}

// createdAgain updates the fields that differ from what is known, and adds items that are new. It never moves a state:
// only facts that report a state do.
func (x *decider) createdAgain(f Created) {
	var unknown []string
	b := &ledgerv1.PropertiesUpdated{At: reported(f.At)}
	p := x.patchOf(f.Fact)
	if known := x.s.GetMarketplaceUpdatedAt(); known != nil && !f.MarketUpdatedAt.IsZero() {
		p.tieOlder = f.MarketUpdatedAt.Before(known.AsTime())
	}
	b.Details = diffDetails(p, x.s.GetDetails(), f.Details)
	for _, l := range f.Items {
		i := indexOf(x.s.GetItems(), l.OrderItemID)
		if i < 0 && len(x.s.GetItems())+len(b.AddedItems) < maxItems {
			b.AddedItems = append(b.AddedItems, x.addedItem(l, b.At))
			p.note(pathItems + l.OrderItemID)
			continue
		}
		if i < 0 {
			unknown = append(unknown, l.OrderItemID)
			continue
		}
		x.diffItem(p, b, i, l.Details)
	}
	x.diffForms(p, b, f.Forms)
	dates := x.diffDates(p, f.DispatchAfter, f.DispatchBy, f.DeliverBy)
	b.DispatchAfter, b.DispatchBy, b.DeliverBy = dates.after, dates.by, dates.deliver
	b.EarlierDispatchBy, b.EarlierDeliverBy = dates.earlierBy, dates.earlierDeliver
	x.outranked = p.outdated
	x.emitPatch(p, b, stamp(f.MarketUpdatedAt))
	if len(b.AddedItems) > 0 {
		x.foundStates(f, withCertainty(b.At, inferred), func(id string) bool {
			return slices.ContainsFunc(b.AddedItems, func(it *ledgerv1.Item) bool { return it.GetOrderItemId() == id })
		})
		x.followUps(b.At)
	}
	x.settle(append(unknown, x.foundServices(f.Services, reported(f.At))...))
}

// addedItem is an item that a later report of the shipment adds. It is as far as the others: a shipment moves as one,
// and the report may be older than the facts that moved it.
func (x *decider) addedItem(l CreatedItem, at *ledgerv1.Moment) *ledgerv1.Item {
	it := newItem(l, at, false) // Holds come with facts of their own.
	low := lowest(x.s.GetItems())
	for _, other := range x.s.GetItems() {
		if live(other) > 0 && rank(other.GetForward()) == low {
			it.Forward = other.GetForward()
		}
	}
	if rank(it.Forward) >= rank(shipped) {
		it.Shipped = live(it)
	}
	return it
}

// newItem is an item as it is first reported: APPROVED, whatever its state is; see begin.
func newItem(l CreatedItem, at *ledgerv1.Moment, hold bool) *ledgerv1.Item {
	it := &ledgerv1.Item{
		OrderItemId: l.OrderItemID, Forward: approved, Ordered: l.Quantity, CancelledUnknown: l.Cancelled,
		CancellationGroupId: l.CancellationGroupID, Details: l.Details,
	}
	if l.Cancelled > 0 {
		it.Cancellations = []*ledgerv1.Cancellation{{Units: l.Cancelled, At: at}}
	}
	if hold {
		it.Held, it.HoldReportedAt = l.Quantity-l.Cancelled, at.GetAt()
	}
	return it
}

// patchOf begins the comparison of a fact's fields with those that are known.
func (x *decider) patchOf(f Fact) *patch {
	return &patch{at: stamp(f.At), reported: x.shipmentReported, confirms: true}
}

// diffItem adds the details of an item that differ or are confirmed.
func (x *decider) diffItem(p *patch, b *ledgerv1.PropertiesUpdated, i int, details *ledgerv1.ItemDetails) {
	it := x.s.Items[i]
	ofShipment := *p
	p.prefix, p.reported, p.confirmed = pathItems+it.GetOrderItemId()+".", x.itemReported(it), nil
	diff := diffItem(p, it.GetDetails(), details)
	if diff != nil || len(p.confirmed) > 0 {
		b.Items = append(b.Items, &ledgerv1.ItemPatch{
			OrderItemId: it.GetOrderItemId(), Details: diff, Confirmed: p.confirmed,
		})
	}
	p.prefix, p.reported, p.confirmed = ofShipment.prefix, ofShipment.reported, ofShipment.confirmed
}

// diffForms adds forms that are new or have a new link. A link is never removed: the marketplace leaves out what it
// does not repeat.
func (x *decider) diffForms(p *patch, b *ledgerv1.PropertiesUpdated, forms []*ledgerv1.Form) {
	for _, f := range forms {
		if f.GetName() == "" {
			continue
		}
		i := slices.IndexFunc(x.s.GetForms(), func(g *ledgerv1.Form) bool { return g.GetName() == f.GetName() })
		if i >= 0 {
			g := x.s.Forms[i]
			known := f.GetLink() == "" || f.GetLink() == g.GetLink()
			newer := f.GetLink() != "" && p.takes(pathForms+f.GetName(), g.GetLink() == "", known)
			if !newer && (!f.GetAutomated() || g.GetAutomated()) {
				continue
			}
			if !newer {
				f = &ledgerv1.Form{Name: f.GetName(), Automated: true}
			}
		}
		b.Forms = append(b.Forms, f)
	}
	if len(b.Forms) > 0 {
		p.note("forms")
	}
}

// emitPatch emits PropertiesUpdated if anything differs or is confirmed. A new marketplace update time alone is no
// reason for an event: every pull shows one.
func (x *decider) emitPatch(p *patch, b *ledgerv1.PropertiesUpdated, updated *timestamppb.Timestamp) {
	if len(p.changed) == 0 && len(p.confirmed) == 0 && len(b.Items) == 0 &&
		b.EarlierDispatchBy == nil && b.EarlierDeliverBy == nil {
		return
	}
	if old := x.s.GetMarketplaceUpdatedAt(); updated != nil && (old == nil || before(old, updated)) {
		b.MarketplaceUpdatedAt = updated
		p.note("marketplace_updated_at")
	}
	b.Changed, b.Confirmed = p.changed, p.confirmed
	x.emit(&Event{Body: &ledgerv1.Event_PropertiesUpdated{PropertiesUpdated: b}})
}
