package marketplace

import (
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// returnItems walks the lines of a return, notes which shipment each names, and gives the notification its return id,
// which may stand in the lines only.
func (r *reader) returnItems(n *Notification, attributes int32, line func(i int32)) (count int) {
	first, count := r.list(attributes, "returnItems", kindObject)
	for i := first; i != none; i = r.nodes[i].next {
		if n.ReturnID == "" {
			n.ReturnID = r.id(i, "returnId")
		}
		n.name(r.id(i, "shipmentId"))
		line(i)
	}
	if n.ReturnID == "" {
		r.odd(none, shipment.ReasonBadBody, "no returnId")
	}
	return count
}

func (r *reader) returnTold(n *Notification, attributes int32) {
	var lines []shipment.ReturnLine
	count := r.returnItems(n, attributes, func(i int32) {
		line := r.returnLine(i)
		line.Return.ReturnId = n.ReturnID
		if line.TechVisit != nil {
			line.TechVisit.ReturnID = n.ReturnID
		}
		lines = append(lines, line)
	})
	if count == 0 {
		r.odd(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnReported{ReturnID: n.ReturnID, Lines: lines}
}

func (r *reader) returnLine(i int32) shipment.ReturnLine {
	orderItemID := r.needID(i, "orderItemId")
	quantity, told := r.integer(i, "quantity")
	if !told || quantity <= 0 {
		r.odd(i, shipment.ReasonBadQuantity, "a return needs a quantity above zero")
	}
	line := shipment.ReturnLine{
		Quantity: quantity,
		Return: &ledgerv1.Return{
			OrderItemId:            orderItemID,
			Source:                 r.returnSource(i),
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
	for _, s := range r.services(i, orderItemID) {
		// One visit a line is what the aggregate knows; a second one would be told by a pull.
		line.TechVisit = &shipment.RequestTechVisit{
			ServiceID: s.ServiceID, OrderItemID: orderItemID, Description: s.Description, DueAt: s.DueAt,
		}
		break
	}
	return line
}

// returnSource reads which way the goods come back; it is told, never derived.
func (r *reader) returnSource(i int32) ledgerv1.ReturnSource {
	switch r.text(i, "source") {
	case "customer_return":
		return ledgerv1.ReturnSource_RETURN_SOURCE_CUSTOMER
	case "courier_return":
		return ledgerv1.ReturnSource_RETURN_SOURCE_COURIER
	default:
		r.odd(i, shipment.ReasonBadBody, "the source is neither customer_return nor courier_return")
		return ledgerv1.ReturnSource_RETURN_SOURCE_UNSPECIFIED
	}
}

func (r *reader) returnTracked(n *Notification, attributes int32) {
	var lines []*ledgerv1.ReturnTracking
	count := r.returnItems(n, attributes, func(i int32) {
		lines = append(lines, &ledgerv1.ReturnTracking{
			OrderItemId: r.needID(i, "orderItemId"), TrackingId: r.text(i, "trackingId"), CourierName: r.text(i, "courierName"),
		})
	})
	if count == 0 {
		r.odd(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnTracked{ReturnID: n.ReturnID, Lines: lines}
}

func (r *reader) returnExpected(n *Notification, attributes int32) {
	var lines []*ledgerv1.ReturnExpectedDate
	count := r.returnItems(n, attributes, func(i int32) {
		expected := r.due(i, "expectedDate")
		if expected.IsZero() {
			r.odd(i, shipment.ReasonBadTime, "no expectedDate")
		}
		lines = append(lines, &ledgerv1.ReturnExpectedDate{
			OrderItemId: r.needID(i, "orderItemId"), ExpectedDate: timestamp(expected),
		})
	})
	if count == 0 {
		r.odd(none, shipment.ReasonNoItems, "attributes.returnItems is missing or empty")
	}
	n.body = shipment.ReturnExpected{ReturnID: n.ReturnID, Lines: lines}
}

func (r *reader) returnReached(n *Notification, attributes int32, status ledgerv1.ReturnStatus) {
	var items []string
	r.returnItems(n, attributes, func(i int32) {
		items = append(items, r.needID(i, "orderItemId"))
	})
	n.body = shipment.ReturnReached{ReturnID: n.ReturnID, Status: status, OrderItemIDs: items}
}
