package projections

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// ShipmentRow is a row of shipments_state without the state itself; one field per column.
type ShipmentRow struct {
	ShipmentID, OrderID, SellerID, LocationID string
	Fulfilment, Status                        string
	OnHold                                    bool
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
		OnHold:  s.GetOnHold(),
		Created: moment(t.GetCreated()), Packed: moment(t.GetPacked()),
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

// ItemRow is a row of order_items_state, one field per column.
type ItemRow struct {
	ShipmentID, OrderItemID, OrderID, SellerID string
	SKU, FSN, ListingID, Title                 string
	Status                                     string
	OrderDate                                  Time
	Ordered, Held, Cancelled                   uint32
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
		dst = append(dst, ItemRow{
			ShipmentID: s.GetShipmentId(), OrderItemID: i.GetOrderItemId(), OrderID: s.GetOrderId(), SellerID: s.GetSellerId(),
			SKU: d.GetSku(), FSN: d.GetFsn(), ListingID: d.GetListingId(), Title: d.GetTitle(),
			Status: statusNames.of(int32(i.GetStatus())), OrderDate: stamp(d.GetOrderDate()),
			Ordered: i.GetOrdered(), Held: i.GetHeld(), Cancelled: events.CancelledUnits(i),
			Shipped: i.GetShipped(), Delivered: i.GetDelivered(), Returned: returned(s, i),
			PriceMinor: p.GetSellingMinor(), HasPrice: p != nil && p.SellingMinor != nil, Currency: p.GetCurrency(),
			Version: s.GetVersion(), Updated: stamp(s.GetUpdatedAt()),
		})
	}
	return dst
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
