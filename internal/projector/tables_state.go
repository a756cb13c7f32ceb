package projector

import "github.com/orderledger/orderledger/projections"

// shipmentRow is a row of shipments_state: what the projection shows of a state, and the state itself.
type shipmentRow struct {
	projections.ShipmentRow
	lane  int32
	state []byte
}

func newShipmentTable() *table[shipmentRow] {
	return newTable(tableShipments, func(r *shipmentRow) []column {
		return []column{
			text("shipment_id", &r.ShipmentID),
			text("order_id", &r.OrderID),
			text("seller_id", &r.SellerID),
			dict("location_id", &r.LocationID),
			dict("fulfilment", &r.Fulfilment),
			dict("status", &r.Status),
			boolean("on_hold", &r.OnHold),
			nullTime("created_at", &r.Created),
			nullTime("packed_at", &r.Packed),
			nullTime("packed_at_latest", &r.PackedLatest),
			nullTime("ready_at", &r.Ready),
			nullTime("ready_at_latest", &r.ReadyLatest),
			nullTime("shipped_at", &r.Shipped),
			nullTime("shipped_at_latest", &r.ShippedLatest),
			nullTime("delivered_at", &r.Delivered),
			nullTime("delivered_at_latest", &r.DeliveredLatest),
			nullTime("completed_at", &r.Completed),
			nullTime("completed_at_latest", &r.CompletedLatest),
			nullTime("cancelled_at", &r.Cancelled),
			nullTime("cancelled_at_latest", &r.CancelledLatest),
			nullTime("dispatch_after", &r.DispatchAfter),
			nullTime("dispatch_by", &r.DispatchBy),
			nullTime("deliver_by", &r.DeliverBy),
			count("units_ordered", &r.UnitsOrdered),
			count("units_cancelled", &r.UnitsCancelled),
			boolean("irregular", &r.Irregular),
			number("version", &r.Version),
			timestamp("updated_at", &r.Updated),
			partitionNumber("lane", &r.lane),
			bytes("state", &r.state),
		}
	})
}

func newItemTable() *table[projections.ItemRow] {
	return newTable(tableItems, func(r *projections.ItemRow) []column {
		return []column{
			text("shipment_id", &r.ShipmentID),
			text("order_item_id", &r.OrderItemID),
			text("order_id", &r.OrderID),
			text("seller_id", &r.SellerID),
			text("sku", &r.SKU),
			text("fsn", &r.FSN),
			text("listing_id", &r.ListingID),
			text("title", &r.Title),
			dict("status", &r.Status),
			nullTime("order_date", &r.OrderDate),
			count("units_ordered", &r.Ordered),
			count("units_held", &r.Held),
			count("units_cancelled", &r.Cancelled),
			count("units_shipped", &r.Shipped),
			count("units_delivered", &r.Delivered),
			count("units_returned", &r.Returned),
			nullInt("price_minor", &r.PriceMinor, &r.HasPrice),
			dict("currency", &r.Currency),
			number("version", &r.Version),
			timestamp("updated_at", &r.Updated),
		}
	})
}

func newServiceTable() *table[projections.ServiceRow] {
	return newTable(tableServices, func(r *projections.ServiceRow) []column {
		return []column{
			text("shipment_id", &r.ShipmentID),
			text("service_id", &r.ServiceID),
			text("order_item_id", &r.OrderItemID),
			text("return_id", &r.ReturnID),
			dict("kind", &r.Kind),
			dict("status", &r.Status),
			nullTime("first_due_at", &r.FirstDue),
			nullTime("due_at", &r.Due),
			count("failed_attempts", &r.FailedAttempts),
			nullTime("started_at", &r.Started),
			nullTime("completed_at", &r.Completed),
			nullTime("cancelled_at", &r.Cancelled),
			number("version", &r.Version),
			timestamp("updated_at", &r.Updated),
		}
	})
}

func newReturnTable() *table[projections.ReturnRow] {
	return newTable(tableReturns, func(r *projections.ReturnRow) []column {
		return []column{
			text("return_id", &r.ReturnID),
			text("order_item_id", &r.OrderItemID),
			text("shipment_id", &r.ShipmentID),
			text("seller_id", &r.SellerID),
			dict("source", &r.Source),
			dict("status", &r.Status),
			count("units", &r.Units),
			text("reason", &r.Reason),
			text("sub_reason", &r.SubReason),
			nullTime("created_at", &r.Created),
			nullTime("created_at_latest", &r.CreatedLatest),
			nullTime("approved_at", &r.Approved),
			nullTime("approved_at_latest", &r.ApprovedLatest),
			nullTime("rejected_at", &r.Rejected),
			nullTime("rejected_at_latest", &r.RejectedLatest),
			nullTime("picked_up_at", &r.PickedUp),
			nullTime("picked_up_at_latest", &r.PickedUpLatest),
			nullTime("completed_at", &r.Completed),
			nullTime("completed_at_latest", &r.CompletedLatest),
			nullTime("cancelled_at", &r.Cancelled),
			nullTime("cancelled_at_latest", &r.CancelledLatest),
			nullTime("expected_at", &r.Expected),
			text("tracking_id", &r.TrackingID),
			text("courier", &r.Courier),
			boolean("irregular", &r.Irregular),
			number("version", &r.Version),
			timestamp("updated_at", &r.Updated),
		}
	})
}

func newClockTable() *table[projections.ClockRow] {
	return newTable(tableClocks, func(r *projections.ClockRow) []column {
		return []column{
			text("shipment_id", &r.ShipmentID),
			text("seller_id", &r.SellerID),
			dict("location_id", &r.LocationID),
			dict("clock", &r.Clock),
			text("subject_id", &r.SubjectID),
			nullTime("started_at", &r.Started),
			nullTime("first_due_at", &r.FirstDue),
			nullTime("due_at", &r.Due),
			nullTime("done_at", &r.Done),
			boolean("done_day", &r.DoneDay),
			dict("done_certainty", &r.DoneCertainty),
			nullTime("cancelled_at", &r.Cancelled),
			count("failed_attempts", &r.FailedAttempts),
			count("extensions", &r.Extensions),
			number("version", &r.Version),
			timestamp("updated_at", &r.Updated),
		}
	})
}
