package projections

import (
	"cmp"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// ShipmentRow is a row of shipments_state without the state itself; one field per column.
type ShipmentRow struct {
	ShipmentID, OrderID, SellerID, LocationID string
	Fulfilment, Status                        string
	OnHold                                    bool
	Type, ServiceProfile, DispatchTier        string
	MPS                                       bool
	VendorGroup                               string
	PickupFrom, PickupTo                      Time
	Ordered                                   Time
	Created, Packed, Ready, Shipped           Time
	Delivered, Completed, Cancelled           Time
	PackedLatest, ReadyLatest, ShippedLatest  Time // Bounds of steps that nobody reported.
	DeliveredLatest                           Time
	CompletedLatest, CancelledLatest          Time
	DispatchAfter, DispatchBy, DeliverBy      Time
	UnitsOrdered, UnitsCancelled              uint32
	Irregular                                 bool
	Version                                   uint64
	Updated                                   Time
}

// Shipment returns the row of a shipment in a state.
func Shipment(s *ledgerv1.Shipment) ShipmentRow {
	t := s.GetTimes()
	r := ShipmentRow{
		ShipmentID: s.GetShipmentId(), OrderID: s.GetOrderId(), SellerID: s.GetSellerId(), LocationID: s.GetLocationId(),
		Fulfilment: fulfilmentNames.of(int32(s.GetFulfilment())), Status: statusNames.of(int32(s.GetStatus())),
		OnHold: s.GetOnHold(),
		Type:   ShipmentType(s), ServiceProfile: ServiceProfile(s), DispatchTier: dispatchTier(s),
		MPS: s.GetDetails().GetMps(), VendorGroup: s.GetPacking().GetCourier().GetVendorGroup(),
		PickupFrom: stamp(s.GetPacking().GetCourier().GetPickupFrom()),
		PickupTo:   stamp(s.GetPacking().GetCourier().GetPickupTo()),
		Ordered:    ordered(s),
		Created:    moment(t.GetCreated()), Packed: moment(t.GetPacked()),
		Ready: moment(t.GetReady()), Shipped: moment(t.GetShipped()),
		Delivered: moment(t.GetDelivered()), Completed: moment(t.GetCompleted()), Cancelled: moment(t.GetCancelled()),
		PackedLatest: bound(t.GetPacked()), ReadyLatest: bound(t.GetReady()), ShippedLatest: bound(t.GetShipped()),
		DeliveredLatest: bound(t.GetDelivered()), CompletedLatest: bound(t.GetCompleted()),
		CancelledLatest: bound(t.GetCancelled()),
		DispatchAfter:   stamp(s.GetDispatchAfter()), DispatchBy: stamp(s.GetDispatchBy()),
		DeliverBy: stamp(s.GetDeliverBy()),
		Irregular: s.GetIrregular(), Version: s.GetVersion(), Updated: stamp(s.GetUpdatedAt()),
	}
	for _, i := range s.GetItems() {
		r.UnitsOrdered += i.GetOrdered()
		r.UnitsCancelled += events.CancelledUnits(i)
	}
	return r
}

// ShipmentType returns the type of a shipment: NORMAL, EXPRESS or SELF, or another one that was reported.
func ShipmentType(s *ledgerv1.Shipment) string {
	if s.GetFulfilment() == ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP {
		return "SELF"
	}
	return cmp.Or(s.GetDetails().GetShipmentType(), "NORMAL")
}

// ServiceProfile returns who stores and packs a shipment, in the words of a search: FBF, FBF_LITE or NON_FBF. Payloads
// have other words for the same. A shipment without a profile is the seller's.
func ServiceProfile(s *ledgerv1.Shipment) string {
	switch firstReported(s, s.GetDetails().GetServiceProfile(), (*ledgerv1.ItemDetails).GetServiceProfile) {
	case "FBF", "Flipkart_Fulfilment":
		return "FBF"
	case "FBF_LITE", "Smart_Fulfilment":
		return "FBF_LITE"
	default:
		return "NON_FBF"
	}
}

func dispatchTier(s *ledgerv1.Shipment) string {
	tier := firstReported(s, s.GetDetails().GetDispatchServiceTier(), (*ledgerv1.ItemDetails).GetDispatchServiceTier)
	switch {
	case tier != "":
		return tier
	case ShipmentType(s) == "EXPRESS":
		return "EXPRESS"
	default:
		return "REGULAR"
	}
}

// firstReported returns what was reported about a shipment, else about the first of its items that has it.
func firstReported(s *ledgerv1.Shipment, reported string, of func(*ledgerv1.ItemDetails) string) string {
	for _, i := range s.GetItems() {
		reported = cmp.Or(reported, of(i.GetDetails()))
	}
	return reported
}

// ordered returns when the customer ordered. A shipment is reported when its order is placed, so its creation stands in
// for an order date that nobody reported.
func ordered(s *ledgerv1.Shipment) Time {
	first := Unknown
	for _, i := range s.GetItems() {
		if at := stamp(i.GetDetails().GetOrderDate()); first == Unknown || at != Unknown && at < first {
			first = at
		}
	}
	if first == Unknown {
		return ended(s.GetTimes().GetCreated())
	}
	return first
}

// ItemRow is a row of order_items_state, one field per column.
type ItemRow struct {
	ShipmentID, OrderItemID, OrderID, SellerID string
	SKU, FSN, ListingID, Title                 string
	Status                                     string
	OrderDate                                  Time
	Ordered, Held, Cancelled                   uint32
	CancelledBy                                []string // One for each cancellation; their times are beside.
	CancellationTimes                          []Time
	Shipped, Delivered, Returned               uint32
	PriceMinor                                 int64
	HasPrice                                   bool
	Currency                                   string
	Version                                    uint64
	Updated                                    Time
}

// AppendItems appends the rows of the items of a shipment in a state.
func AppendItems(dst []ItemRow, s *ledgerv1.Shipment) []ItemRow {
	for _, i := range s.GetItems() {
		d := i.GetDetails()
		p := d.GetPrice()
		by, times := cancellations(i)
		dst = append(dst, ItemRow{
			ShipmentID: s.GetShipmentId(), OrderItemID: i.GetOrderItemId(), OrderID: s.GetOrderId(), SellerID: s.GetSellerId(),
			SKU: d.GetSku(), FSN: d.GetFsn(), ListingID: d.GetListingId(), Title: d.GetTitle(),
			Status: statusNames.of(int32(i.GetStatus())), OrderDate: stamp(d.GetOrderDate()),
			Ordered: i.GetOrdered(), Held: i.GetHeld(), Cancelled: events.CancelledUnits(i),
			CancelledBy: by, CancellationTimes: times,
			Shipped: i.GetShipped(), Delivered: i.GetDelivered(), Returned: returned(s, i),
			PriceMinor: p.GetSellingMinor(), HasPrice: p != nil && p.SellingMinor != nil, Currency: p.GetCurrency(),
			Version: s.GetVersion(), Updated: stamp(s.GetUpdatedAt()),
		})
	}
	return dst
}

// cancellations returns who cancelled units of an item, and when. An unknown time is that of 1970: an array in
// ClickHouse would need another type for NULL.
func cancellations(i *ledgerv1.Item) (by []string, times []Time) {
	for _, c := range i.GetCancellations() {
		by, times = append(by, cancellerNames.of(int32(c.GetBy()))), append(times, max(ended(c.GetAt()), 0))
	}
	return by, times
}

// returned returns the units of an item in completed returns. Only those count: a return can be cancelled or rejected
// until then. A return may be reported with more units than there are; no more come back than were shipped.
func returned(s *ledgerv1.Shipment, item *ledgerv1.Item) uint32 {
	var units uint64
	for _, r := range s.GetReturns() {
		if r.GetOrderItemId() == item.GetOrderItemId() &&
			r.GetStatus() == ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED {
			units += uint64(r.GetUnits())
		}
	}
	return uint32(min(units, uint64(item.GetShipped())))
}
