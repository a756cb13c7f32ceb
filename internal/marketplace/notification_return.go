package marketplace

import (
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// readReturnItems calls line for each line of a return, and what it returns for each good line. It notes the shipments
// of the good ones, and sets the notification's return id, which may be only in the lines.
func readReturnItems(r *reader, n *Notification, attributes int32, line func(i int32) (keep func())) (count int) {
	count, _ = r.lines(attributes, "returnItems", func(i int32) {
		if id := r.lineID(i, "returnId"); n.ReturnID == "" {
			n.ReturnID = id
		}
		l := ReturnLine{OrderItemID: r.needID(i, "orderItemId"), ShipmentID: r.id(i, "shipmentId")}
		keep := line(i)
		if r.code != "" {
			n.spoilt = append(n.spoilt, i)
			return
		}
		n.addLine(i, l)
		keep()
	})
	if n.ReturnID == "" {
		r.invalid(none, shipment.ReasonBadBody, "no returnId")
	}
	return count
}

// readReturnCreated reads return_created. The return id goes into every line, because the ledger keys its lines by
// return and item, and a shipment may have several returns.
func readReturnCreated(r *reader, n *Notification, attributes int32) {
	var lines []shipment.ReturnLine
	count := readReturnItems(r, n, attributes, func(i int32) func() {
		line := readReturnLine(r, i)
		line.Return.ReturnId = n.ReturnID
		if line.TechVisit != nil {
			line.TechVisit.ReturnID = n.ReturnID
		}
		return func() { lines = append(lines, line) }
	})
	if count == 0 {
		r.invalid(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnReported{ReturnID: n.ReturnID, Lines: lines, Siblings: readSiblings(r)}
}

// readReturnLine reads a line of a return. Only its item, units and source can spoil it: the rules read no other text,
// and a return that is not recorded would be missing in every sum.
func readReturnLine(r *reader, i int32) shipment.ReturnLine {
	orderItemID := r.needID(i, "orderItemId")
	line := shipment.ReturnLine{
		Quantity: int64(r.units(i, "quantity", 1)),
		Return: &ledgerv1.Return{
			OrderItemId:            orderItemID,
			Source:                 readReturnSource(r, i),
			Reason:                 r.text(i, "reason"),
			SubReason:              r.text(i, "subReason"),
			Comments:               r.text(i, "comments"),
			Action:                 r.text(i, "action"),
			CourierName:            r.text(i, "courierName"),
			TrackingId:             r.text(i, "trackingId"),
			ReplacementOrderItemId: r.optionalID(i, "replacementOrderItemId"),
			ShipmentStatus:         r.text(i, "shipmentStatus"),
			Type:                   r.text(i, "type"),
			ProductId:              r.text(i, "productId"),
			ListingId:              r.text(i, "listingId"),
			ServiceProfile:         r.text(i, "serviceProfile"),
			ExpectedDate:           timestamp(r.optionalDue(i, "expectedDate")),
			MarketplaceUpdatedAt:   timestamp(r.optionalInstant(i, "updatedDate")),
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
	count := readReturnItems(r, n, attributes, func(i int32) func() {
		line := &ledgerv1.ReturnTracking{
			OrderItemId: r.needID(i, "orderItemId"),
			TrackingId:  r.text(i, "trackingId"), CourierName: r.text(i, "courierName"),
		}
		return func() { lines = append(lines, line) }
	})
	if count == 0 {
		r.invalid(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnTracked{ReturnID: n.ReturnID, Lines: lines}
}

// readReturnExpected reads return_expected_date_changed. A line without a date changes nothing, so it is invalid.
func readReturnExpected(r *reader, n *Notification, attributes int32) {
	var lines []*ledgerv1.ReturnExpectedDate
	count := readReturnItems(r, n, attributes, func(i int32) func() {
		expected := r.due(i, "expectedDate")
		if expected.IsZero() {
			r.invalid(i, shipment.ReasonBadTime, "no expectedDate")
		}
		line := &ledgerv1.ReturnExpectedDate{
			OrderItemId: r.needID(i, "orderItemId"), ExpectedDate: timestamp(expected),
		}
		return func() { lines = append(lines, line) }
	})
	if count == 0 {
		r.invalid(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnExpected{ReturnID: n.ReturnID, Lines: lines}
}

// readReturnReached reads a status of a return. No lines mean all of them.
func readReturnReached(r *reader, n *Notification, attributes int32, status ledgerv1.ReturnStatus) {
	var items []string
	readReturnItems(r, n, attributes, func(i int32) func() {
		id := r.needID(i, "orderItemId")
		return func() { items = append(items, id) }
	})
	n.body = shipment.ReturnReached{ReturnID: n.ReturnID, Status: status, OrderItemIDs: items}
}
