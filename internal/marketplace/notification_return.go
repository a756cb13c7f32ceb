package marketplace

import (
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// readReturnItems calls line for each line of a return and notes its shipment. It also sets the notification's return
// id, which may be only in the lines.
func readReturnItems(r *reader, n *Notification, attributes int32, line func(i int32)) (count int) {
	first, count := r.list(attributes, "returnItems", kindObject)
	for i := first; i != none; i = r.nodes[i].next {
		if n.ReturnID == "" {
			n.ReturnID = r.id(i, "returnId")
		}
		n.addLine(ReturnLine{OrderItemID: r.id(i, "orderItemId"), ShipmentID: r.id(i, "shipmentId")})
		line(i)
	}
	if n.ReturnID == "" {
		r.invalid(none, shipment.ReasonBadBody, "no returnId")
	}
	return count
}

// readReturnCreated reads return_created. The return id goes into every line, because the ledger keys its lines by
// return and item, and a shipment may have several returns.
func readReturnCreated(r *reader, n *Notification, attributes int32) {
	var lines []shipment.ReturnLine
	count := readReturnItems(r, n, attributes, func(i int32) {
		line := readReturnLine(r, i)
		line.Return.ReturnId = n.ReturnID
		if line.TechVisit != nil {
			line.TechVisit.ReturnID = n.ReturnID
		}
		lines = append(lines, line)
	})
	if count == 0 {
		r.invalid(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnReported{ReturnID: n.ReturnID, Lines: lines, Siblings: readSiblings(r)}
}

func readReturnLine(r *reader, i int32) shipment.ReturnLine {
	orderItemID := r.needID(i, "orderItemId")
	quantity, reported := r.integer(i, "quantity")
	if !reported || quantity <= 0 {
		r.invalid(i, shipment.ReasonBadQuantity, "quantity must be above zero")
	}
	line := shipment.ReturnLine{
		Quantity: quantity,
		Return: &ledgerv1.Return{
			OrderItemId:            orderItemID,
			Source:                 readReturnSource(r, i),
			Reason:                 r.text(i, "reason"),
			SubReason:              r.text(i, "subReason"),
			Comments:               r.text(i, "comments"),
			Action:                 r.text(i, "action"),
			CourierName:            r.text(i, "courierName"),
			TrackingId:             r.text(i, "trackingId"),
			ReplacementOrderItemId: r.id(i, "replacementOrderItemId"),
			ShipmentStatus:         r.text(i, "shipmentStatus"),
			Type:                   r.text(i, "type"),
			ProductId:              r.text(i, "productId"),
			ListingId:              r.text(i, "listingId"),
			ServiceProfile:         r.text(i, "serviceProfile"),
			ExpectedDate:           timestamp(r.due(i, "expectedDate")),
			MarketplaceUpdatedAt:   timestamp(r.instant(i, "updatedDate")),
		},
	}
	for _, s := range readServices(r, i, orderItemID) {
		// The aggregate has one visit per line; further ones would have to be pulled from the marketplace's API.
		line.TechVisit = &shipment.RequestTechVisit{
			ServiceID: s.ServiceID, OrderItemID: orderItemID, Description: s.Description, DueAt: s.DueAt,
		}
		break
	}
	return line
}

// readReturnSource reads how the goods come back. It is never derived from the status of the shipment: the marketplace
// counts a cancellation between out-for-delivery and delivered as a customer return.
func readReturnSource(r *reader, i int32) ledgerv1.ReturnSource {
	switch r.text(i, "source") {
	case "customer_return":
		return ledgerv1.ReturnSource_RETURN_SOURCE_CUSTOMER
	case "courier_return":
		return ledgerv1.ReturnSource_RETURN_SOURCE_COURIER
	default:
		r.invalid(i, shipment.ReasonBadBody, "source must be customer_return or courier_return")
		return ledgerv1.ReturnSource_RETURN_SOURCE_UNSPECIFIED
	}
}

func readReturnTracked(r *reader, n *Notification, attributes int32) {
	var lines []*ledgerv1.ReturnTracking
	count := readReturnItems(r, n, attributes, func(i int32) {
		lines = append(lines, &ledgerv1.ReturnTracking{
			OrderItemId: r.needID(i, "orderItemId"),
			TrackingId:  r.text(i, "trackingId"), CourierName: r.text(i, "courierName"),
		})
	})
	if count == 0 {
		r.invalid(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnTracked{ReturnID: n.ReturnID, Lines: lines}
}

// readReturnExpected reads return_expected_date_changed. A line without a date changes nothing, so it is invalid.
func readReturnExpected(r *reader, n *Notification, attributes int32) {
	var lines []*ledgerv1.ReturnExpectedDate
	count := readReturnItems(r, n, attributes, func(i int32) {
		expected := r.due(i, "expectedDate")
		if expected.IsZero() {
			r.invalid(i, shipment.ReasonBadTime, "no expectedDate")
		}
		lines = append(lines, &ledgerv1.ReturnExpectedDate{
			OrderItemId: r.needID(i, "orderItemId"), ExpectedDate: timestamp(expected),
		})
	})
	if count == 0 {
		r.invalid(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnExpected{ReturnID: n.ReturnID, Lines: lines}
}

// readReturnReached reads a status of a return. No lines mean all of them.
func readReturnReached(r *reader, n *Notification, attributes int32, status ledgerv1.ReturnStatus) {
	var items []string
	readReturnItems(r, n, attributes, func(i int32) {
		items = append(items, r.needID(i, "orderItemId"))
	})
	n.body = shipment.ReturnReached{ReturnID: n.ReturnID, Status: status, OrderItemIDs: items}
}
