package projector

import (
	"github.com/ClickHouse/ch-go/proto"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/projections"
)

// shipmentTable is the columns of shipments_state.
type shipmentTable struct {
	clickhouse.Table
	shipment, order, seller, state                                                  clickhouse.Text
	location, fulfilment, status                                                    clickhouse.Dict
	hold, irregular                                                                 proto.ColBool
	created, packed, ready, shipped, delivered, completed, cancelled, after, by, dl nullTime
	ordered, off                                                                    proto.ColUInt32
	version                                                                         proto.ColUInt64
	updated                                                                         clickhouse.Time
	lane                                                                            proto.ColUInt16
}

func newShipmentTable() *shipmentTable {
	t := &shipmentTable{
		created: newNullTime(), packed: newNullTime(), ready: newNullTime(), shipped: newNullTime(), delivered: newNullTime(),
		completed: newNullTime(), cancelled: newNullTime(), after: newNullTime(), by: newNullTime(), dl: newNullTime(),
	}
	t.Table = clickhouse.Table{Name: tableShipments, Columns: proto.Input{
		col("shipment_id", &t.shipment), col("order_id", &t.order), col("seller_id", &t.seller), col("location_id", &t.location),
		col("fulfilment", &t.fulfilment), col("status", &t.status), col("on_hold", &t.hold), col("created_at", t.created),
		col("packed_at", t.packed), col("ready_at", t.ready), col("shipped_at", t.shipped), col("delivered_at", t.delivered),
		col("completed_at", t.completed), col("cancelled_at", t.cancelled), col("dispatch_after", t.after),
		col("dispatch_by", t.by), col("deliver_by", t.dl), col("units_ordered", &t.ordered), col("units_cancelled", &t.off),
		col("irregular", &t.irregular), col("version", &t.version), col("updated_at", &t.updated), col("lane", &t.lane),
		col("state", &t.state),
	}}
	return t
}

func (t *shipmentTable) add(lane int32, r projections.ShipmentRow, state []byte) {
	t.shipment.Append(r.ShipmentID)
	t.order.Append(r.OrderID)
	t.seller.Append(r.SellerID)
	t.location.Append(r.LocationID)
	t.fulfilment.Append(r.Fulfilment)
	t.status.Append(r.Status)
	t.hold.Append(r.OnHold)
	t.created.add(r.Created)
	t.packed.add(r.Packed)
	t.ready.add(r.Ready)
	t.shipped.add(r.Shipped)
	t.delivered.add(r.Delivered)
	t.completed.add(r.Completed)
	t.cancelled.add(r.Cancelled)
	t.after.add(r.DispatchAfter)
	t.by.add(r.DispatchBy)
	t.dl.add(r.DeliverBy)
	t.ordered.Append(r.UnitsOrdered)
	t.off.Append(r.UnitsCancelled)
	t.irregular.Append(r.Irregular)
	t.version.Append(r.Version)
	t.updated.Append(stampOf(r.Updated))
	t.lane.Append(uint16(lane))
	t.state.AppendBytes(state)
}

// itemTable is the columns of order_items_state.
type itemTable struct {
	clickhouse.Table
	shipment, item, order, seller, sku, fsn, listing, title clickhouse.Text
	status, currency                                        clickhouse.Dict
	ordered                                                 nullTime
	units, held, cancelled, shipped, delivered, returned    proto.ColUInt32
	price                                                   *clickhouse.Null
	version                                                 proto.ColUInt64
	updated                                                 clickhouse.Time
}

func newItemTable() *itemTable {
	t := &itemTable{ordered: newNullTime(), price: clickhouse.NullInt64()}
	t.Table = clickhouse.Table{Name: tableItems, Columns: proto.Input{
		col("shipment_id", &t.shipment), col("order_item_id", &t.item), col("order_id", &t.order), col("seller_id", &t.seller),
		col("sku", &t.sku), col("fsn", &t.fsn), col("listing_id", &t.listing), col("title", &t.title), col("status", &t.status),
		col("order_date", t.ordered), col("units_ordered", &t.units), col("units_held", &t.held),
		col("units_cancelled", &t.cancelled), col("units_shipped", &t.shipped), col("units_delivered", &t.delivered),
		col("units_returned", &t.returned), col("price_minor", t.price), col("currency", &t.currency),
		col("version", &t.version), col("updated_at", &t.updated),
	}}
	return t
}

func (t *itemTable) add(r *projections.ItemRow) {
	t.shipment.Append(r.ShipmentID)
	t.item.Append(r.OrderItemID)
	t.order.Append(r.OrderID)
	t.seller.Append(r.SellerID)
	t.sku.Append(r.SKU)
	t.fsn.Append(r.FSN)
	t.listing.Append(r.ListingID)
	t.title.Append(r.Title)
	t.status.Append(r.Status)
	t.ordered.add(r.OrderDate)
	t.units.Append(r.Ordered)
	t.held.Append(r.Held)
	t.cancelled.Append(r.Cancelled)
	t.shipped.Append(r.Shipped)
	t.delivered.Append(r.Delivered)
	t.returned.Append(r.Returned)
	t.price.Append(r.PriceMinor, r.HasPrice)
	t.currency.Append(r.Currency)
	t.version.Append(r.Version)
	t.updated.Append(stampOf(r.Updated))
}

// serviceTable is the columns of services_state.
type serviceTable struct {
	clickhouse.Table
	shipment, service, item, ret                 clickhouse.Text
	kind, status                                 clickhouse.Dict
	firstDue, due, started, completed, cancelled nullTime
	attempts                                     proto.ColUInt32
	version                                      proto.ColUInt64
	updated                                      clickhouse.Time
}

func newServiceTable() *serviceTable {
	t := &serviceTable{
		firstDue: newNullTime(), due: newNullTime(), started: newNullTime(), completed: newNullTime(), cancelled: newNullTime(),
	}
	t.Table = clickhouse.Table{Name: tableServices, Columns: proto.Input{
		col("shipment_id", &t.shipment), col("service_id", &t.service), col("order_item_id", &t.item), col("return_id", &t.ret),
		col("kind", &t.kind), col("status", &t.status), col("first_due_at", t.firstDue), col("due_at", t.due),
		col("attempts", &t.attempts), col("started_at", t.started), col("completed_at", t.completed),
		col("cancelled_at", t.cancelled), col("version", &t.version), col("updated_at", &t.updated),
	}}
	return t
}

func (t *serviceTable) add(r *projections.ServiceRow) {
	t.shipment.Append(r.ShipmentID)
	t.service.Append(r.ServiceID)
	t.item.Append(r.OrderItemID)
	t.ret.Append(r.ReturnID)
	t.kind.Append(r.Kind)
	t.status.Append(r.Status)
	t.firstDue.add(r.FirstDue)
	t.due.add(r.Due)
	t.attempts.Append(r.Attempts)
	t.started.add(r.Started)
	t.completed.add(r.Completed)
	t.cancelled.add(r.Cancelled)
	t.version.Append(r.Version)
	t.updated.Append(stampOf(r.Updated))
}

// returnTable is the columns of returns_state.
type returnTable struct {
	clickhouse.Table
	ret, item, shipment, seller, reason, sub, tracking, courier           clickhouse.Text
	source, status                                                        clickhouse.Dict
	units                                                                 proto.ColUInt32
	created, approved, rejected, pickedUp, completed, cancelled, expected nullTime
	irregular                                                             proto.ColBool
	version                                                               proto.ColUInt64
	updated                                                               clickhouse.Time
}

func newReturnTable() *returnTable {
	t := &returnTable{
		created: newNullTime(), approved: newNullTime(), rejected: newNullTime(), pickedUp: newNullTime(),
		completed: newNullTime(), cancelled: newNullTime(), expected: newNullTime(),
	}
	t.Table = clickhouse.Table{Name: tableReturns, Columns: proto.Input{
		col("return_id", &t.ret), col("order_item_id", &t.item), col("shipment_id", &t.shipment), col("seller_id", &t.seller),
		col("source", &t.source), col("status", &t.status), col("units", &t.units), col("reason", &t.reason),
		col("sub_reason", &t.sub), col("created_at", t.created), col("approved_at", t.approved), col("rejected_at", t.rejected),
		col("picked_up_at", t.pickedUp), col("completed_at", t.completed), col("cancelled_at", t.cancelled),
		col("expected_at", t.expected), col("tracking_id", &t.tracking), col("courier", &t.courier),
		col("irregular", &t.irregular), col("version", &t.version), col("updated_at", &t.updated),
	}}
	return t
}

func (t *returnTable) add(r *projections.ReturnRow) {
	t.ret.Append(r.ReturnID)
	t.item.Append(r.OrderItemID)
	t.shipment.Append(r.ShipmentID)
	t.seller.Append(r.SellerID)
	t.source.Append(r.Source)
	t.status.Append(r.Status)
	t.units.Append(r.Units)
	t.reason.Append(r.Reason)
	t.sub.Append(r.SubReason)
	t.created.add(r.Created)
	t.approved.add(r.Approved)
	t.rejected.add(r.Rejected)
	t.pickedUp.add(r.PickedUp)
	t.completed.add(r.Completed)
	t.cancelled.add(r.Cancelled)
	t.expected.add(r.Expected)
	t.tracking.Append(r.TrackingID)
	t.courier.Append(r.Courier)
	t.irregular.Append(r.Irregular)
	t.version.Append(r.Version)
	t.updated.Append(stampOf(r.Updated))
}
