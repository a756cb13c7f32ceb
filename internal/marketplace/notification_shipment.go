package marketplace

import (
	"time"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// readCreated reads shipment_created, which has the whole shipment.
func readCreated(r *reader, n *Notification, attributes int32) {
	needShipment(r, n)
	if attributes == none {
		r.invalid(none, shipment.ReasonBadBody, "no attributes")
		return
	}
	extensions := r.optional(attributes, "extensions", kindObject)
	c := shipment.Created{
		ShipmentType:    r.text(attributes, "shipmentType"),
		DispatchAfter:   r.promise(attributes, "dispatchAfterDate").Time.UTC(),
		DispatchBy:      endOfDay(r.promise(attributes, "dispatchByDate")),
		DeliverBy:       readDeliverBy(r, attributes, extensions),
		MarketUpdatedAt: r.optionalInstant(attributes, "updatedAt"),
		Hold:            r.boolean(attributes, "hold"),
		Details: &ledgerv1.ShipmentDetails{
			PackagingPolicy:      r.text(attributes, "packagingPolicy"),
			Mps:                  r.boolean(attributes, "mps"),
			Source:               n.Source,
			SubShipments:         readSubShipments(r, attributes, "packageTitle", "packageSku"),
			DispatchServiceTier:  r.text(attributes, "dispatchServiceTier"),
			ServiceProfile:       r.text(attributes, "serviceProfile"),
			DispatchLocationJson: r.rawObject(attributes, "dispatchLocation"),
			DeliveryAddress:      readAddress(r, extensions, "deliveryAddress"),
			BillingAddress:       readAddress(r, extensions, "billingAddress"),
			Buyer:                readBuyer(r, extensions),
		},
		Forms:    readForms(r, attributes),
		Services: readServices(r, extensions, ""),
	}
	c.Details.ShipmentType = c.ShipmentType
	if extensions != none {
		c.Details.ExtensionsJson = r.raw(extensions)
	}
	seen := map[string]bool{}
	count, _ := r.lines(attributes, "orderItems", func(i int32) {
		item := readCreatedItem(r, i)
		if seen[item.OrderItemID] {
			r.invalid(i, shipment.ReasonBadID, "duplicate order item "+item.OrderItemID)
		}
		order := r.lineID(i, "orderId")
		if r.code != "" {
			return
		}
		seen[item.OrderItemID] = true
		c.Items = append(c.Items, item)
		if c.OrderID == "" {
			c.OrderID = order
		} else if order != "" && order != c.OrderID {
			r.leaveOut(r.member(i, "orderId"), "differs between items")
		}
	})
	if count == 0 {
		r.invalid(none, shipment.ReasonNoItems, "attributes.orderItems is missing or empty")
		return
	}
	c.Status = lowest(c.Items)
	n.body = c
}

// readDeliverBy reads the promised delivery, an extension of ours: beside the other dates, or among the extensions.
func readDeliverBy(r *reader, attributes, extensions int32) time.Time {
	t, other := r.optionalDue(attributes, "deliverByDate"), r.optionalDue(extensions, "deliverByDate")
	if t.IsZero() {
		return other
	}
	return t
}

// readCreatedItem reads an item. An absent status is APPROVED, the state in which the marketplace creates items.
func readCreatedItem(r *reader, i int32) shipment.CreatedItem {
	item := shipment.CreatedItem{
		OrderItemID:         r.needID(i, "orderItemId"),
		CancellationGroupID: r.lineID(i, "cancellationGroupId"),
		Quantity:            r.units(i, "quantity", 1),
		Status:              readStatus(r, i, "status"),
		Details: &ledgerv1.ItemDetails{
			OrderDate:      timestamp(r.optionalInstant(i, "orderDate")),
			PaymentType:    r.text(i, "paymentType"),
			Fsn:            r.text(i, "fsn"),
			Sku:            r.text(i, "sku"),
			ListingId:      r.text(i, "listingId"),
			Title:          r.text(i, "title"),
			Hsn:            r.text(i, "hsn"),
			PackageIds:     r.texts(i, "packageIds"),
			Price:          readPrice(r, r.optional(i, "priceComponents", kindObject)),
			ServiceProfile: r.text(i, "serviceProfile"),
			// The wire has is_replacement; some pages print isReplacement.
			IsReplacement:       r.boolean(i, "is_replacement") || r.boolean(i, "isReplacement"),
			DispatchServiceTier: r.text(i, "dispatchServiceTier"),
		},
	}
	if item.Status == ledgerv1.Status_STATUS_UNSPECIFIED {
		item.Status = ledgerv1.Status_STATUS_APPROVED
	}
	if extensions := r.optional(i, "extensions", kindObject); extensions != none {
		item.Details.ExtensionsJson = r.raw(extensions)
		item.Cancelled = r.optionalUnits(extensions, "cancelledQuantity")
		if item.Cancelled > item.Quantity {
			r.leaveOut(r.member(extensions, "cancelledQuantity"), "exceeds quantity")
			item.Cancelled = 0
		}
	}
	return item
}

// readPrice reads the amounts. Absent ones stay nil: 0 is a price, too.
func readPrice(r *reader, i int32) *ledgerv1.Price {
	if i == none {
		return nil
	}
	return &ledgerv1.Price{
		Currency:                 r.cfg.Currency,
		SellingMinor:             r.minor(i, "sellingPrice"),
		TotalMinor:               r.minor(i, "totalPrice"),
		ShippingMinor:            r.minor(i, "shippingCharge"),
		CustomerMinor:            r.minor(i, "customerPrice"),
		MarketplaceDiscountMinor: r.minor(i, "flipkartDiscount"),
	}
}

// readStatus reads one of the twelve states; unspecified if it is absent or unknown. A state that the marketplace adds
// must not hide the order: later facts move it on.
func readStatus(r *reader, object int32, name string) ledgerv1.Status {
	s := r.text(object, name)
	if s == "" {
		return ledgerv1.Status_STATUS_UNSPECIFIED
	}
	status, ok := ParseStatus(s)
	if !ok {
		r.leaveOut(r.member(object, name), "unknown order item state")
	}
	return status
}

// ParseStatus returns the state of this name in the marketplace.
func ParseStatus(s string) (ledgerv1.Status, bool) {
	if s == "UNSPECIFIED" {
		return ledgerv1.Status_STATUS_UNSPECIFIED, false
	}
	n, ok := ledgerv1.Status_value["STATUS_"+s]
	return ledgerv1.Status(n), ok
}

// lowest returns the lowest state of the items that are not cancelled, or CANCELLED if all are. The marketplace has no
// state of a shipment; the ledger takes that of the least advanced item.
func lowest(items []shipment.CreatedItem) ledgerv1.Status {
	status := ledgerv1.Status_STATUS_CANCELLED
	for i := range items {
		s := items[i].Status
		// The numbers of the states up to COMPLETED are in the order of progress, except that FORM_FAILED equals
		// PACKING_IN_PROGRESS and wins a tie, so that the seller sees it. The states of returns are above CANCELLED.
		switch {
		case s == ledgerv1.Status_STATUS_CANCELLED:
		case status == ledgerv1.Status_STATUS_CANCELLED,
			s < status,
			status == ledgerv1.Status_STATUS_PACKING_IN_PROGRESS && s == ledgerv1.Status_STATUS_FORM_FAILED:
			if status != ledgerv1.Status_STATUS_FORM_FAILED || s != ledgerv1.Status_STATUS_PACKING_IN_PROGRESS {
				status = s
			}
		}
	}
	return status
}

// readHold reads shipment_hold. No items mean the whole shipment.
func readHold(r *reader, n *Notification, attributes int32) {
	needShipment(r, n)
	h := shipment.Hold{}
	r.lines(attributes, "orderItems", func(i int32) {
		held := &ledgerv1.ItemUnits{OrderItemId: r.needID(i, "orderItemId"), Units: readHeldUnits(r, i)}
		if r.code == "" {
			h.Items = append(h.Items, held)
		}
	})
	n.body = h
}

// readHeldUnits reads holdQuantity. It is mandatory, because a hold of an unknown number of units can't be applied.
func readHeldUnits(r *reader, i int32) uint32 {
	if _, reported := r.integer(i, "holdQuantity"); !reported {
		r.invalid(i, shipment.ReasonBadQuantity, "no holdQuantity")
		return 0
	}
	return r.units(i, "holdQuantity", 0)
}

// readDatesChanged reads new dates. An absent one stays as it was, but at least one must be present.
func readDatesChanged(r *reader, n *Notification, attributes int32) {
	needShipment(r, n)
	d := shipment.DatesChanged{
		DispatchAfter: r.promise(attributes, "dispatchAfterDate").Time.UTC(),
		DispatchBy:    endOfDay(r.promise(attributes, "dispatchByDate")),
		DeliverBy:     readDeliverBy(r, attributes, r.optional(attributes, "extensions", kindObject)),
	}
	if d.DispatchAfter.IsZero() && d.DispatchBy.IsZero() && d.DeliverBy.IsZero() {
		code := shipment.ReasonBadBody
		if r.leftOut > 0 {
			code = shipment.ReasonBadTime
		}
		r.invalid(none, code, "attributes has no date")
	}
	n.body = d
}

// readCancelled reads shipment_cancelled. The quantity is that of this cancellation, not a total: the marketplace sends
// a notification when any item is cancelled, and another one for more units. No items mean everything.
func readCancelled(r *reader, n *Notification, attributes int32) {
	needShipment(r, n)
	c := shipment.Cancelled{}
	r.lines(attributes, "orderItems", func(i int32) {
		item := shipment.CancelledItem{
			OrderItemID: r.needID(i, "orderItemId"), Quantity: int64(r.units(i, "quantity", 1)),
			Reason: r.text(i, "reason"), SubReason: r.text(i, "subReason"),
		}
		if r.code == "" {
			c.Items = append(c.Items, item)
		}
	})
	n.body = c
}

// readFormFailed reads the names of the forms that failed.
func readFormFailed(r *reader, n *Notification, attributes int32) {
	needShipment(r, n)
	f := shipment.FormsFailed{Forms: r.texts(attributes, "forms")}
	if len(f.Forms) == 0 {
		r.invalid(none, shipment.ReasonBadBody, "attributes.forms is missing or empty")
	}
	n.body = f
}
