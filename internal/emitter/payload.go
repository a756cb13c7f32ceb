package emitter

// write752255250 writes a body as page 752255250 of the contract specifies it. The page has a sample and a table; where
// they contradict each other, the keys, their order and their nulls follow the sample. Two keys are only in the table:
// attribute8, which is written between its neighbours, and fulfilledQuantity, which is written once something was
// shipped, and stays when it falls to 0.
//
// docs/suborder-payload.md lists the source of each field.
func write752255250(w *writer, m *Message, o *suborder) {
	w.raw('{')
	w.text("locationCode", o.locationCode)
	w.integer("messageId", m.ID)
	w.text("orderCode", o.orderCode)
	w.text("parentOrderCode", o.parentOrderCode)
	w.time("orderTime", o.orderTime)
	w.time("startProcessingTime", o.startProcessing)
	w.time("requiredBy", o.requiredBy)
	payment := "NCOD"
	if o.cod {
		payment = "COD"
	}
	w.text("paymentMethod", payment)
	w.bool("isPriority", o.priority)
	w.text("channelName", o.channelName)
	w.text("eventType", m.Type)
	w.bool("onHold", o.onHold)
	w.key("orderCustomAttributes")
	w.attributes(&o.attributes)
	w.key("orderItems")
	start := len(w.b)
	w.raw('[')
	for i := range o.lines {
		w.comma()
		w.line752255250(&o.lines[i])
	}
	w.raw(']')
	end := len(w.b)
	w.key("subOrderItems")
	w.b = append(w.b, w.b[start:end]...)
	w.key("shippingAddress")
	w.address(o.shipping)
	w.key("billingAddress")
	w.address(o.billing)
	w.virtualSKUs(o.virtual)
	w.bundledSKUs(o.bundled)
	w.raw('}')
}

func (w *writer) line752255250(l *line) {
	w.raw('{')
	w.texts("orderItemCodes", l.orderItemCodes)
	w.text("clientSkuId", l.clientSKU)
	w.text("channelSkuCode", l.channelSKU)
	w.integer("orderedQuantity", int64(l.ordered))
	w.integer("cancelledQuantity", int64(l.cancelled))
	w.text("barcode", l.barcode)
	// The two add up to cancelledQuantity, null read as 0, unless it is unknown who cancelled some of the units.
	w.integerIf("customerCancelledQty", int64(l.byCustomer), l.byUnknown == 0)
	w.integerIf("sellerCancelledQty", int64(l.bySeller), l.bySeller > 0)
	w.null("sellerRejectQty")
	if l.wasFulfilled {
		w.integer("fulfilledQuantity", int64(l.fulfilled))
	}
	w.amount("channelDiscount", l.channelDiscount)
	w.amount("sellingPricePerUnit", l.sellingPrice)
	w.number("giftChargePerUnit", l.giftCharge)
	w.null("hoppedQuantity")
	w.number("sellerDiscount", l.sellerDiscount)
	w.amount("shippingCharge", l.shippingCharge)
	w.bool("isVirtual", l.isVirtual)
	w.texts("externalItemCodes", l.externalItemCodes)
	w.key("orderItemCustomAttributes")
	w.attributes(&l.attributes)
	w.raw('}')
}

func (w *writer) attributes(a *customAttributes) {
	w.raw('{')
	for i, text := range a.numbered {
		if text != "" {
			w.text(attributeKeys[i], text)
		}
	}
	if a.metadata != nil {
		w.key("channelMetadata")
		w.b = append(w.b, a.metadata...)
	}
	if a.currency != "" {
		w.text("currency", a.currency)
	}
	w.raw('}')
}

var attributeKeys = [...]string{ //nolint:gochecknoglobals // A table.
	"attribute1", "attribute2", "attribute3", "attribute4", "attribute5",
	"attribute6", "attribute7", "attribute8", "attribute9", "attribute10",
}

func (w *writer) address(a *address) {
	if a == nil {
		w.b = append(w.b, "null"...)
		return
	}
	w.raw('{')
	w.text("name", a.name)
	w.text("line1", a.line1)
	w.text("line2", a.line2)
	w.text("line3", a.line3)
	w.text("city", a.city)
	w.text("state", a.state)
	w.text("zip", a.zip)
	w.text("country", a.country)
	w.text("email", a.email)
	w.text("phone", a.phone)
	w.raw('}')
}

func (w *writer) virtualSKUs(definitions []skuDefinition) {
	w.key("virtualSkuDefinitions")
	w.raw('[')
	for _, d := range definitions {
		w.comma()
		w.raw('{')
		w.text("virtualParentChannelSkuId", d.parentSKU)
		w.text("virtualParentBarcode", d.parentBarcode)
		w.key("childSkus")
		w.raw('[')
		for _, child := range d.children {
			w.comma()
			w.raw('{')
			w.text("channelSkuCode", child.sku)
			w.text("barcode", child.barcode)
			w.quantity(child.quantity)
			w.raw('}')
		}
		w.raw(']')
		w.raw('}')
	}
	w.raw(']')
}

// bundledSKUs differs from virtualSKUs in the order of the keys, because the sample of the contract does.
func (w *writer) bundledSKUs(definitions []skuDefinition) {
	w.key("bundledSkuDefinitions")
	w.raw('[')
	for _, d := range definitions {
		w.comma()
		w.raw('{')
		w.key("childSkus")
		w.raw('[')
		for _, child := range d.children {
			w.comma()
			w.raw('{')
			w.text("barcode", child.barcode)
			w.text("channelSkuCode", child.sku)
			w.quantity(child.quantity)
			w.raw('}')
		}
		w.raw(']')
		w.text("bundledParentBarcode", d.parentBarcode)
		w.text("bundledParentChannelSkuId", d.parentSKU)
		w.raw('}')
	}
	w.raw(']')
}

func (w *writer) quantity(n *int64) {
	if n == nil {
		w.null("qty")
		return
	}
	w.integer("qty", *n)
}
