package marketplace

import (
	"crypto/sha256"
	"math"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// location reads the location of an item: its own, or that of the call. Pages and clients disagree on where it belongs.
func (r *reader) location(root, item int32) string {
	if id := r.id(item, "locationId"); id != "" {
		return id
	}
	return r.id(root, "locationId")
}

// mandatory marks the item as invalid if a member is missing. The marketplace answers UNPROCESSABLE_ENTITY then.
func (r *reader) mandatory(item int32, name string, there bool) {
	if !there {
		r.invalid(item, shipment.CodeInvalidRequest, name+" is mandatory")
	}
}

// packItem reads a request for labels. An invoiceNumber may be empty or "0": clients send these if the marketplace
// issues the invoice.
func packItem(r *reader, root, item int32) shipment.Input {
	request := &ledgerv1.PackRequest{
		TaxItems:      readTaxItems(r, item),
		SerialNumbers: readSerialNumbers(r, item, "serialNumbers"),
		SubShipments:  readSubShipments(r, item, "packageTitle", "packageSku"),
		IgnoreWarning: r.boolean(item, "ignoreWarning"),
	}
	for i, _ := r.list(item, "invoices", kindObject); i != none; i = r.nodes[i].next {
		// The official client sends no orderId, and a plain date; the order is the shipment's.
		request.Invoices = append(request.Invoices, &ledgerv1.InvoiceRequest{
			OrderId: r.id(i, "orderId"), InvoiceNumber: r.text(i, "invoiceNumber"),
			InvoiceDate: moment(r.when(i, "invoiceDate")),
		})
	}
	return shipment.RequestLabels{LocationID: r.location(root, item), Request: request}
}

// readTaxItems reads what invoices are made of. It is strict, unlike the facts: a wrong rate would stand on a printed
// invoice, and the caller sees the answer.
func readTaxItems(r *reader, item int32) []*ledgerv1.TaxItem {
	var out []*ledgerv1.TaxItem
	for i, _ := r.list(item, "taxItems", kindObject); i != none; i = r.nodes[i].next {
		t := &ledgerv1.TaxItem{
			OrderItemId: r.id(i, "orderItemId"), TaxRate: r.number(i, "taxRate"), PurchasePrice: r.number(i, "purchasePrice"),
		}
		if t.GetOrderItemId() == "" {
			r.invalid(i, shipment.CodeInvalidItemID, "orderItemId is mandatory")
		}
		// 0 is a valid rate: clients send it if the marketplace issues the invoice.
		if rate := t.GetTaxRate(); rate < 0 || rate > 100 || math.IsNaN(rate) {
			r.invalid(i, shipment.CodeInvalidTax, "taxRate must be from 0 to 100")
		}
		if _, reported := r.integer(i, "quantity"); reported {
			t.Quantity = r.units(i, "quantity", 1)
		}
		out = append(out, t)
	}
	return out
}

// readSerialNumbers reads one list of lists per line: the outer list has an element per unit, the inner one the numbers
// of that unit, such as the two IMEIs of a phone.
func readSerialNumbers(r *reader, item int32, name string) []*ledgerv1.SerialNumbers {
	var out []*ledgerv1.SerialNumbers
	for i, _ := r.list(item, name, kindObject); i != none; i = r.nodes[i].next {
		out = append(out, &ledgerv1.SerialNumbers{OrderItemId: r.id(i, "orderItemId"), Units: readUnitSerials(r, i)})
	}
	return out
}

func readUnitSerials(r *reader, item int32) []*ledgerv1.UnitSerials {
	var out []*ledgerv1.UnitSerials
	for unit, _ := r.list(item, "serialNumbers", kindArray); unit != none; unit = r.nodes[unit].next {
		u := &ledgerv1.UnitSerials{}
		for i := r.nodes[unit].child; i != none; i = r.nodes[i].next {
			if r.nodes[i].kind != kindString {
				r.malformed(i, ProblemType, "want a string, got "+r.nodes[i].kind.String())
				return nil
			}
			u.SerialNumbers = append(u.SerialNumbers, r.stringOf(i))
		}
		out = append(out, u)
	}
	return out
}

// dispatchItem reads a bare shipment id. The location is that of the call, so one call covers one location.
func dispatchItem(r *reader, root, item int32) shipment.Input {
	return shipment.Dispatch{LocationID: r.location(root, item)}
}

// cancelItem reads a cancellation. A seller cancels whole cancellation groups; only the marketplace cancels single
// units.
func cancelItem(r *reader, root, item int32) shipment.Input {
	return shipment.Cancel{
		LocationID: r.location(root, item),
		GroupIDs:   r.texts(item, "cancellationGroupIds"),
		Reason:     r.text(item, "reason"),
	}
}

// ackItem reads acknowledgements of forms. The numbers come from a government portal, so any text is valid.
func ackItem(r *reader, _, item int32) shipment.Input {
	var in shipment.AcknowledgeForms
	for i, _ := r.list(item, "forms", kindObject); i != none; i = r.nodes[i].next {
		f := &ledgerv1.FormAcknowledgement{Name: r.text(i, "name"), AckNumber: r.text(i, "ackNumber")}
		r.mandatory(i, "name", f.GetName() != "")
		r.mandatory(i, "ackNumber", f.GetAckNumber() != "")
		in.Forms = append(in.Forms, f)
	}
	r.mandatory(item, "forms", len(in.Forms) > 0)
	return in
}

// selfShipItem reads the dispatch of a self-ship shipment. deliveryPartnerCode is optional: the current page calls it
// mandatory, and the official client can't send it.
func selfShipItem(r *reader, root, item int32) shipment.Input {
	invoice := r.object(item, "invoice")
	in := shipment.DispatchSelfShip{
		LocationID:        r.location(root, item),
		DispatchedAt:      r.when(item, "dispatchDate"),
		TentativeDelivery: r.when(item, "tentativeDeliveryDate"),
		Courier: &ledgerv1.Courier{
			VendorName: r.text(item, "deliveryPartner"), VendorCode: r.text(item, "deliveryPartnerCode"),
			TrackingId: r.text(item, "trackingId"),
		},
		InvoiceNumber:        r.text(invoice, "invoiceNumber"),
		InvoiceDate:          r.when(invoice, "invoiceDate"),
		DispatchLocationJSON: r.rawObject(item, "dispatchLocation"),
	}
	for i, _ := r.list(invoice, "items", kindObject); i != none; i = r.nodes[i].next {
		in.InvoiceLines = append(in.InvoiceLines, &ledgerv1.InvoiceLine{
			OrderItemId: r.needID(i, "orderItemId"), Quantity: r.units(i, "quantity", 1), SerialNumbers: readUnitSerials(r, i),
		})
	}
	r.mandatory(item, "dispatchDate", !in.DispatchedAt.Time.IsZero())
	r.mandatory(item, "tentativeDeliveryDate", !in.TentativeDelivery.Time.IsZero())
	r.mandatory(item, "invoice", invoice != none)
	r.mandatory(item, "invoice.items", len(in.InvoiceLines) > 0)
	return in
}

// deliveryItem reads a delivery. Older pages have a plain day as its date, newer ones a time; both are valid.
func deliveryItem(r *reader, root, item int32) shipment.Input {
	in := shipment.ConfirmDelivery{LocationID: r.location(root, item), At: r.when(item, "deliveryDate")}
	r.mandatory(item, "deliveryDate", !in.At.Time.IsZero())
	return in
}

// deliveryAttemptItem reads an attempt. failureAttributes is optional, although the pages call it mandatory: the
// official client can't send it.
func deliveryAttemptItem(r *reader, root, item int32) shipment.Input {
	failure := r.object(item, "failureAttributes")
	in := shipment.AttemptDelivery{
		LocationID: r.location(root, item), At: r.when(item, "deliveryDate"),
		Reason: r.text(failure, "reason"), SubReason: r.text(failure, "subReason"),
		NewDue: r.when(failure, "newDeliveryDate"),
	}
	r.mandatory(item, "deliveryDate", !in.At.Time.IsZero())
	return in
}

// ReadUpdate reads the body of /v3/shipments/{shipmentId}/update, which changes courier and tracking number of a
// self-ship shipment. It is the only call whose members are in snake case.
func ReadUpdate(shipmentID string, body []byte, settings Settings) (Command, error) {
	update := Action{Name: "self_ship_update", list: "items", item: updateItem}
	doc, problem := parseDocument(body)
	if problem != nil {
		return Command{}, problem
	}
	defer doc.release()
	r := &reader{document: doc, cfg: settings.withDefaults()}
	if r.nodes[0].kind != kindObject {
		r.malformed(0, ProblemType, "want an object, got "+r.nodes[0].kind.String())
		return Command{}, r.problem
	}
	c := update.command(r, 0, 0)
	// The id is in the path; the body may repeat it as shipment_id.
	c.ID, c.ShipmentID = shipmentID, shipmentID
	c.Hash = sha256.Sum256(r.appendCanonical([]byte("orderledger.command.v1\x00"+update.Name+"\x00"), 0))
	if r.problem != nil {
		return Command{}, r.problem
	}
	return c, nil
}

// updateItem reads the new courier and tracking number.
func updateItem(r *reader, _, item int32) shipment.Input {
	// Action.command found no shipmentId in the body and made the command invalid. Here the id is in the path.
	if r.code == shipment.CodeInvalidRequest {
		r.code, r.message = "", ""
	}
	return shipment.UpdateTracking{
		Courier: &ledgerv1.Courier{
			VendorName: r.text(item, "delivery_partner"), VendorCode: r.text(item, "delivery_partner_code"),
			TrackingId: r.text(item, "tracking_id"),
		},
		TentativeDelivery: r.when(item, "tentative_delivery_date"),
	}
}
