package marketplace

// Consequence is what happens to a notification, or to a part of it, because of one field.
type Consequence string

// The consequences. A rule reads every field that is Refused; nothing else is worth blocking the marketplace for.
const (
	// NoConsequence means that there is no such case.
	NoConsequence Consequence = ""
	// Refused means 400: nothing is stored, and the marketplace sends it again.
	Refused Consequence = "400"
	// Quarantined means 200, and a decision that applies nothing.
	Quarantined Consequence = "quarantined"
	// LineLeftOut means that the line is left out; if no good one is left, the notification is quarantined.
	LineLeftOut Consequence = "line left out"
	// LeftOut means that the field, or the element of an optional list, is left out as if it were absent.
	LeftOut Consequence = "left out"
)

// FieldType is how a field is written.
type FieldType string

// The types.
const (
	TypeText   FieldType = "string"
	TypeID     FieldType = "id"
	TypeTime   FieldType = "time"
	TypeUnits  FieldType = "units"
	TypeNumber FieldType = "number"
	TypeAmount FieldType = "amount"
	TypeFlag   FieldType = "boolean"
	TypeObject FieldType = "object"
	TypeList   FieldType = "list of objects"
	TypeTexts  FieldType = "list of strings"
)

// Field is a member of a notification that the ledger reads.
type Field struct {
	// Path has [] behind a list: attributes.orderItems[].quantity.
	Path string
	Type FieldType
	// Missing, Wrong and Senseless are what an absent field, another JSON type, and a value of the right type that makes
	// no sense lead to.
	Missing, Wrong, Senseless Consequence
	// Rule says that a rule reads it. Others are only stored and shown.
	Rule bool
	// Ours says that it is an extension: the marketplace does not send it.
	Ours bool
	// Meaning is a phrase for the documentation.
	Meaning string
	// Alias is another name of the member that is read too.
	Alias string
}

// EventTypes returns the types of notifications, in the order of a shipment's life. The last two are ours.
func EventTypes() []string {
	return []string{
		EventShipmentCreated, EventShipmentHold, EventShipmentUnhold, EventShipmentPacked, EventShipmentReady,
		EventShipmentPickedUp, EventShipmentShipped, EventShipmentDelivered, EventDispatchDatesChanged,
		EventShipmentCancelled, EventShipmentFormFailed, EventReturnCreated, EventReturnTrackingUpdate,
		EventReturnExpectedChanged, EventReturnPickedUp, EventReturnCompleted, EventReturnCancelled,
		EventShipmentObserved, EventReturnObserved,
	}
}

// EnvelopeFields returns the fields beside attributes. Of a return, shipmentId may be absent.
func EnvelopeFields() []Field {
	return []Field{
		{
			Path: "eventType", Type: TypeText, Missing: Refused, Wrong: Refused, Senseless: Quarantined, Rule: true,
			Meaning: "one of the types of this page",
		},
		{
			Path: "timestamp", Type: TypeTime, Missing: Refused, Wrong: Refused, Senseless: Refused, Rule: true,
			Meaning: "when it happened. A year before 1990, and a time of more than a day ahead, is quarantined",
		},
		{
			Path: "shipmentId", Type: TypeID, Missing: Refused, Wrong: Refused, Senseless: Quarantined, Rule: true,
			Meaning: "the shipment. A notification of a return may name only `returnId`",
		},
		{
			Path: "returnId", Type: TypeID, Wrong: Refused, Senseless: Quarantined, Rule: true,
			Meaning: "the return; mandatory there, here or in a line",
		},
		{Path: "locationId", Type: TypeID, Wrong: Refused, Senseless: LeftOut, Rule: true, Meaning: "the seller's location"},
		{
			Path: "source", Type: TypeText, Wrong: Refused, Rule: true,
			Meaning: "the channel, at most 64 bytes of it; that of the creation becomes `channelName`",
		},
		{
			Path: "sellerId", Type: TypeID, Wrong: Refused, Senseless: Quarantined, Rule: true, Ours: true,
			Meaning: "the seller, if neither the URL nor the credential names it",
		},
		{
			Path: "attributes", Type: TypeObject, Wrong: Refused, Rule: true,
			Meaning: "the rest. `null` is the same as absent, here and everywhere",
		},
	}
}

// AttributeFields returns the fields below attributes of a type; none if it needs none.
func AttributeFields(eventType string) []Field {
	switch eventType {
	case EventShipmentCreated:
		return createdFields()
	case EventShipmentHold:
		return []Field{
			{
				Path: "orderItems", Type: TypeList, Wrong: Refused, Rule: true,
				Meaning: "absent or empty: all units of the shipment",
			},
			itemID("orderItems[]"),
			{
				Path: "orderItems[].holdQuantity",
				Type: TypeUnits, Missing: LineLeftOut, Wrong: Refused, Senseless: LineLeftOut, Rule: true,
				Meaning: "units on hold from now on, absolute; 0 releases",
			},
		}
	case EventShipmentUnhold:
		return []Field{state("status", "PACKED moves the shipment there; a lower state is ignored")}
	case EventDispatchDatesChanged:
		return append(dates(), Field{
			Path: "extensions", Type: TypeObject, Wrong: LeftOut, Ours: true,
			Meaning: "only `deliverByDate` is read",
		},
			extensionDeliverBy())
	case EventShipmentCancelled:
		return []Field{
			{
				Path: "orderItems", Type: TypeList, Wrong: Refused, Rule: true,
				Meaning: "absent or empty: everything that is left",
			},
			itemID("orderItems[]"),
			{
				Path: "orderItems[].quantity",
				Type: TypeUnits, Missing: LineLeftOut, Wrong: Refused, Senseless: LineLeftOut, Rule: true,
				Meaning: "units cancelled by this notification, on top of earlier ones",
			},
			ruleText("orderItems[].reason", "says who cancelled: `seller_cancellation`, or one of the configured reasons"),
			text("orderItems[].subReason", "shown"),
		}
	case EventShipmentFormFailed:
		return []Field{
			{
				Path: "forms", Type: TypeTexts, Missing: Quarantined, Wrong: Quarantined, Rule: true,
				Meaning: "names of the forms that failed",
			},
		}
	case EventReturnCreated:
		return returnFields()
	case EventReturnTrackingUpdate:
		return append(returnLines(Quarantined),
			text("returnItems[].trackingId", "the new number"), text("returnItems[].courierName", "the new courier"))
	case EventReturnExpectedChanged:
		return append(returnLines(Quarantined), Field{
			Path: "returnItems[].expectedDate",
			Type: TypeTime, Missing: LineLeftOut, Wrong: Refused, Senseless: LineLeftOut, Rule: true,
			Meaning: "the new date",
		})
	case EventReturnPickedUp, EventReturnCompleted, EventReturnCancelled:
		return returnLines(NoConsequence)
	case EventShipmentObserved:
		return append([]Field{
			state("status", "one of the twelve states that the shipment, or the items, have reached"),
			{
				Path: "orderItems", Type: TypeList, Wrong: Refused, Rule: true,
				Meaning: "absent or empty: all items of the shipment",
			},
			itemID("orderItems[]"),
		}, observedServices("services", "services after the delivery, such as an installation")...)
	case EventReturnObserved:
		return append([]Field{
			state("status", "`RETURN_` and the state of the return, such as RETURN_APPROVED and RETURN_REJECTED"),
		}, observedServices("services", "tech visits of the return")...)
	}
	return nil
}

// observedServices are the fields of services that a read shows.
func observedServices(path, meaning string) []Field {
	return []Field{
		{Path: path, Type: TypeList, Wrong: LeftOut, Rule: true, Meaning: meaning},
		ourID(path+"[].serviceFulfilmentId", "its id; without it the service is left out"),
		ourID(path+"[].orderItemId", "its item; without it the service is left out"),
		{
			Path: path + "[].serviceByDate", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Ours: true,
			Meaning: "due of the service",
		},
		ourText(path+"[].description", "", "shown"),
	}
}

func text(path, meaning string) Field {
	return Field{Path: path, Type: TypeText, Wrong: LeftOut, Meaning: meaning}
}

func ruleText(path, meaning string) Field {
	return Field{Path: path, Type: TypeText, Wrong: LeftOut, Rule: true, Meaning: meaning}
}

func state(path, meaning string) Field {
	return Field{Path: path, Type: TypeText, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Meaning: meaning}
}

func itemID(list string) Field {
	return Field{
		Path: list + ".orderItemId", Type: TypeID, Missing: LineLeftOut, Wrong: Refused, Senseless: LineLeftOut, Rule: true,
		Meaning: "the item",
	}
}

// dates are the promised dates of a shipment.
func dates() []Field {
	return []Field{
		{
			Path: "dispatchAfterDate", Type: TypeTime, Wrong: Refused, Senseless: LeftOut, Rule: true,
			Meaning: "labels and dispatch are refused before; a plain day begins at 00:00 IST",
		},
		{
			Path: "dispatchByDate", Type: TypeTime, Wrong: Refused, Senseless: LeftOut, Rule: true,
			Meaning: "due of dispatch; a plain day ends at 24:00 IST",
		},
		{
			Path: "deliverByDate", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Ours: true,
			Meaning: "due of delivery",
		},
	}
}

func extensionDeliverBy() Field {
	return Field{
		Path: "extensions.deliverByDate", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Ours: true,
		Meaning: "the same, if `attributes` has none",
	}
}

func createdFields() []Field {
	fields := append(dates(),
		Field{
			Path: "updatedAt", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut, Rule: true,
			Meaning: "the marketplace's time of the last change; orders repeated reports",
		},
		ruleText("shipmentType", "`SELF` is self-ship, anything else is not; absent: the seller's configuration"),
		Field{Path: "hold", Type: TypeFlag, Wrong: LeftOut, Rule: true, Meaning: "true: all units are on hold"},
		Field{Path: "mps", Type: TypeFlag, Wrong: LeftOut, Meaning: "shown"},
		text("packagingPolicy", "shown"), text("dispatchServiceTier", "`EXPRESS` sets `isPriority`"),
		text("serviceProfile", "shown"),
		Field{Path: "dispatchLocation", Type: TypeObject, Wrong: LeftOut, Meaning: "kept as it is"},
		Field{Path: "subShipments", Type: TypeList, Wrong: LeftOut, Meaning: "the parcels"},
		optionalID("subShipments[].subShipmentId"),
	)
	fields = append(fields, dimensionFields("subShipments[].")...)
	fields = append(fields,
		Field{Path: "subShipments[].packages", Type: TypeList, Wrong: LeftOut, Meaning: "what is in the parcel"},
		optionalID("subShipments[].packages[].packageId"),
		text("subShipments[].packages[].packageTitle", "shown"), text("subShipments[].packages[].packageSku", "shown"))
	fields = append(fields, dimensionFields("subShipments[].packages[].")...)
	fields = append(fields,
		Field{Path: "forms", Type: TypeList, Wrong: LeftOut, Meaning: "forms that the goods need"},
		Field{
			Path: "forms[].name", Type: TypeText, Missing: LeftOut, Wrong: LeftOut, Rule: true,
			Meaning: "acknowledgements name the form; without it the form is left out",
		},
		text("forms[].link", "shown"),
		Field{Path: "forms[].automated", Type: TypeFlag, Wrong: LeftOut, Meaning: "shown"},
		text("forms[].status", "shown"),
		Field{
			Path: "orderItems", Type: TypeList, Missing: Quarantined, Wrong: Refused, Rule: true,
			Meaning: "the lines, at most 1,000",
		},
	)
	fields = append(fields, createdItemFields()...)
	return append(fields, createdExtensions()...)
}

func createdItemFields() []Field {
	const line = "orderItems[]."
	fields := []Field{
		itemID("orderItems[]"),
		{
			Path: line + "orderId", Type: TypeID, Wrong: Refused, Senseless: LeftOut, Rule: true,
			Meaning: "the order; that of the first line is the shipment's",
		},
		{
			Path: line + "cancellationGroupId", Type: TypeID, Wrong: Refused, Senseless: LeftOut, Rule: true,
			Meaning: "a seller cancels whole groups",
		},
		{
			Path: line + "quantity", Type: TypeUnits, Missing: LineLeftOut, Wrong: Refused, Senseless: LineLeftOut, Rule: true,
			Meaning: "units ordered, 1 to 1,000,000",
		},
		state(line+"status", "one of the twelve states; absent or unknown: APPROVED"),
		{Path: line + "orderDate", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut, Meaning: "when the customer ordered"},
		text(line+"paymentType", "COD or PREPAID"), text(line+"fsn", "the product"), text(line+"sku", "the seller's SKU"),
		text(line+"listingId", "the listing"), text(line+"title", "shown and printed"), text(line+"hsn", "printed"),
		{Path: line + "packageIds", Type: TypeTexts, Wrong: LeftOut, Meaning: "shown"},
		{
			Path: line + "priceComponents", Type: TypeObject, Wrong: LeftOut,
			Meaning: "amounts of the line in major units, such as rupees",
		},
	}
	for _, name := range []string{"sellingPrice", "totalPrice", "shippingCharge", "customerPrice", "flipkartDiscount"} {
		fields = append(fields, Field{
			Path: line + "priceComponents." + name, Type: TypeAmount, Wrong: LeftOut, Senseless: LeftOut,
			Meaning: "an amount",
		})
	}
	return append(fields,
		text(line+"serviceProfile", "shown"),
		Field{Path: line + "is_replacement", Alias: "isReplacement", Type: TypeFlag, Wrong: LeftOut, Meaning: "shown"},
		text(line+"dispatchServiceTier", "shown"),
		Field{
			Path: line + "extensions", Type: TypeObject, Wrong: LeftOut, Ours: true,
			Meaning: "kept as it is; see [SUBORDER](suborder-payload.md) for the members that messages use",
		},
		Field{
			Path: line + "extensions.cancelledQuantity",
			Type: TypeUnits, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Ours: true,
			Meaning: "units cancelled before the shipment was reported, by an unknown party",
		},
	)
}

func createdExtensions() []Field {
	fields := []Field{
		{
			Path: "extensions", Type: TypeObject, Wrong: LeftOut, Ours: true,
			Meaning: "kept as it is; see [SUBORDER](suborder-payload.md) for the members that messages use",
		},
		extensionDeliverBy(),
		{
			Path: "extensions.services", Type: TypeList, Wrong: LeftOut, Rule: true, Ours: true,
			Meaning: "services after the delivery, such as an installation",
		},
		ourID("extensions.services[].serviceFulfilmentId", "its id; without it the service is left out"),
		ourID("extensions.services[].orderItemId", "its item; without it the service is left out"),
		{
			Path: "extensions.services[].serviceByDate",
			Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Ours: true,
			Meaning: "due of the service",
		},
		ourText("extensions.services[].description", "", "shown"),
	}
	for _, address := range []string{"deliveryAddress", "billingAddress"} {
		path := "extensions." + address
		fields = append(fields, Field{
			Path: path, Type: TypeObject, Wrong: LeftOut, Ours: true,
			Meaning: "an address; parts that are absent are null in messages",
		})
		for _, part := range [][2]string{
			{"firstName"},
			{"lastName"},
			{"addressLine1", "address1"},
			{"addressLine2", "address2"},
			{"landmark"},
			{"city"},
			{"state", "stateName"},
			{"stateCode"},
			{"pincode", "pinCode"},
			{"contactNumber", "phone"},
			{"email"},
			{"country"},
		} {
			fields = append(fields, ourText(path+"."+part[0], part[1], "shown and printed"))
		}
	}
	return append(fields,
		Field{Path: "extensions.buyerDetails", Type: TypeObject, Wrong: LeftOut, Ours: true, Meaning: "the buyer"},
		ourText("extensions.buyerDetails.firstName", "", "shown"), ourText("extensions.buyerDetails.lastName", "", "shown"))
}

func ourText(path, alias, meaning string) Field {
	return Field{Path: path, Alias: alias, Type: TypeText, Wrong: LeftOut, Ours: true, Meaning: meaning}
}

func ourID(path, meaning string) Field {
	return Field{
		Path: path, Type: TypeID, Missing: LeftOut, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Ours: true,
		Meaning: meaning,
	}
}

func optionalID(path string) Field {
	return Field{Path: path, Type: TypeID, Wrong: LeftOut, Senseless: LeftOut, Meaning: "shown"}
}

// dimensionFields are in centimetres and kilograms.
func dimensionFields(of string) []Field {
	path := of + "dimensions"
	fields := []Field{{Path: path, Type: TypeObject, Wrong: LeftOut, Meaning: "shown"}}
	for _, side := range [][2]string{{"length"}, {"breadth", "width"}, {"height"}} {
		fields = append(fields, Field{
			Path: path + "." + side[0], Alias: side[1], Type: TypeNumber, Wrong: LeftOut,
			Meaning: "centimetres",
		})
	}
	return append(fields, Field{Path: path + ".weight", Type: TypeNumber, Wrong: LeftOut, Meaning: "kilograms"})
}

// returnLines are the fields by which every line of a return identifies itself.
func returnLines(missing Consequence) []Field {
	meaning := "absent or empty: all lines of the return"
	if missing != NoConsequence {
		meaning = "the lines, at most 1,000"
	}
	return []Field{
		{Path: "returnItems", Type: TypeList, Missing: missing, Wrong: Refused, Rule: true, Meaning: meaning},
		itemID("returnItems[]"),
		{
			Path: "returnItems[].shipmentId", Type: TypeID, Wrong: Refused, Senseless: LineLeftOut, Rule: true,
			Meaning: "the shipment of the line, if the envelope names none; absent: the ledger looks it up",
		},
		{
			Path: "returnItems[].returnId", Type: TypeID, Wrong: Refused, Senseless: LeftOut, Rule: true,
			Meaning: "the return, if the envelope names none",
		},
	}
}

func returnFields() []Field {
	const line = "returnItems[]."
	fields := append(returnLines(Quarantined),
		Field{
			Path: line + "quantity", Type: TypeUnits, Missing: LineLeftOut, Wrong: Refused, Senseless: LineLeftOut, Rule: true,
			Meaning: "units of the return",
		},
		Field{
			Path: line + "source", Type: TypeText, Missing: LineLeftOut, Wrong: LineLeftOut, Senseless: LineLeftOut, Rule: true,
			Meaning: "`customer_return` or `courier_return`",
		},
	)
	for _, name := range []string{
		"reason", "subReason", "comments", "action", "courierName", "trackingId", "shipmentStatus", "type", "productId",
		"listingId", "serviceProfile",
	} {
		fields = append(fields, text(line+name, "shown"))
	}
	return append(fields,
		optionalID(line+"replacementOrderItemId"),
		Field{
			Path: line + "expectedDate", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut,
			Meaning: "when the goods are expected",
		},
		Field{
			Path: line + "updatedDate", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut,
			Meaning: "the marketplace's time of the last change",
		},
		Field{
			Path: line + "services", Type: TypeList, Wrong: LeftOut, Rule: true, Ours: true,
			Meaning: "the first is the tech visit of the return",
		},
		ourID(line+"services[].serviceFulfilmentId", "its id; without it the visit is left out"),
		Field{
			Path: line + "services[].serviceByDate", Type: TypeTime, Wrong: LeftOut, Senseless: LeftOut, Rule: true, Ours: true,
			Meaning: "due of the visit",
		},
		ourText(line+"services[].description", "", "shown"),
	)
}
