package marketplace

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Details is the shipping details of a shipment: the recipient and the courier.
type Details struct {
	OrderID         string          `json:"orderId"`
	ShipmentID      string          `json:"shipmentId"`
	LocationID      string          `json:"locationId"`
	OrderItems      []detailItem    `json:"orderItems"`
	DeliveryAddress *address        `json:"deliveryAddress"`
	BillingAddress  *address        `json:"billingAddress"`
	BuyerDetails    *buyer          `json:"buyerDetails"`
	SellerAddress   json.RawMessage `json:"sellerAddress"`
	ReturnAddress   json.RawMessage `json:"returnAddress"`
	SubShipments    []subShipment   `json:"subShipments"`
	// CourierDetails holds the couriers in v2 responses; v3 has them in SubShipments.
	CourierDetails *couriers `json:"courierDetails,omitempty"`
	WeighingNeeded bool      `json:"weighingRequired"`
}

// detailItem has the id twice: live responses have id, and the official client reads orderItemId.
type detailItem struct {
	ID          string `json:"id"`
	OrderItemID string `json:"orderItemId"`
}

// address has the pincode in both spellings: the official client reads pinCode, other clients read pincode.
type address struct {
	FirstName     string `json:"firstName"`
	LastName      string `json:"lastName"`
	AddressLine1  string `json:"addressLine1"`
	AddressLine2  string `json:"addressLine2"`
	Landmark      string `json:"landmark"`
	City          string `json:"city"`
	State         string `json:"state"`
	StateCode     string `json:"stateCode"`
	StateName     string `json:"stateName"`
	Pincode       string `json:"pincode"`
	PinCode       string `json:"pinCode"`
	ContactNumber string `json:"contactNumber,omitempty"`
}

type buyer struct {
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
}

type couriers struct {
	PickupDetails   courier `json:"pickupDetails"`
	DeliveryDetails courier `json:"deliveryDetails"`
}

type courier struct {
	VendorName string `json:"vendorName"`
	TrackingID string `json:"trackingId"`
}

// Location is the configuration of a seller's location.
type Location struct {
	ID string `json:"id"`
	// Address and ReturnAddress are copied verbatim into responses.
	Address       json.RawMessage `json:"address,omitempty"`
	ReturnAddress json.RawMessage `json:"returnAddress,omitempty"`
	// WeighingRequired means that parcels are weighed at this location.
	WeighingRequired bool `json:"weighingRequired,omitempty"`
}

// RenderDetails converts a shipment's state to its shipping details. Only self-ship sellers get phone numbers: for the
// others the marketplace delivers.
func RenderDetails(s *ledgerv1.Shipment, at Location) Details {
	d := s.GetDetails()
	self := s.GetFulfilment() == ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP
	out := Details{
		OrderID: s.GetOrderId(), ShipmentID: s.GetShipmentId(), LocationID: s.GetLocationId(), OrderItems: []detailItem{},
		DeliveryAddress: renderAddress(d.GetDeliveryAddress(), self),
		BillingAddress:  renderAddress(d.GetBillingAddress(), self),
		SellerAddress:   orNull(at.Address), ReturnAddress: orNull(at.ReturnAddress),
		SubShipments: renderSubShipments(s), CourierDetails: renderCourier(s.GetPacking().GetCourier()),
		WeighingNeeded: at.WeighingRequired,
	}
	for _, item := range s.GetItems() {
		out.OrderItems = append(out.OrderItems, detailItem{ID: item.GetOrderItemId(), OrderItemID: item.GetOrderItemId()})
	}
	if b := d.GetBuyer(); b != nil {
		out.BuyerDetails = &buyer{FirstName: b.GetFirstName(), LastName: b.GetLastName()}
	}
	return out
}

// renderAddress has state and pincode under each of the names by which clients read them. The caller says whether the
// phone is shown: it is a person's, and few answers need it.
func renderAddress(a *ledgerv1.Address, phone bool) *address {
	if a == nil {
		return nil
	}
	out := &address{
		FirstName: a.GetFirstName(), LastName: a.GetLastName(), AddressLine1: a.GetLine1(), AddressLine2: a.GetLine2(),
		Landmark: a.GetLandmark(), City: a.GetCity(),
		State: a.GetState(), StateCode: a.GetStateCode(), StateName: a.GetState(),
		Pincode: a.GetPincode(), PinCode: a.GetPincode(),
	}
	if phone {
		out.ContactNumber = a.GetPhone()
	}
	return out
}

// renderCourier shows one courier for pickup and delivery: the ledger knows one per parcel.
func renderCourier(c *ledgerv1.Courier) *couriers {
	if c == nil {
		return nil
	}
	one := courier{VendorName: c.GetVendorName(), TrackingID: c.GetTrackingId()}
	return &couriers{PickupDetails: one, DeliveryDetails: one}
}

// orNull keeps a body valid JSON: an empty raw message would make the encoder fail for the whole answer.
func orNull(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("null")
	}
	return raw
}

// ShipmentForms is the forms of one shipment.
type ShipmentForms struct {
	ShipmentID string `json:"shipmentId"`
	Forms      []form `json:"forms"`
}

// RenderForms converts the forms of a shipment.
func RenderForms(s *ledgerv1.Shipment) ShipmentForms {
	return ShipmentForms{ShipmentID: s.GetShipmentId(), Forms: renderForms(s)}
}

// Invoice is the invoice of one shipment.
type Invoice struct {
	ShipmentID    string        `json:"shipmentId"`
	InvoiceDate   *string       `json:"invoiceDate"`
	InvoiceNumber string        `json:"invoiceNumber"`
	OrderItems    []invoiceLine `json:"orderItems"`
}

// invoiceLine has no amount and no taxes if nobody reported them.
type invoiceLine struct {
	OrderItemID   string      `json:"orderItemId"`
	Quantity      uint32      `json:"quantity"`
	InvoiceAmount json.Number `json:"invoiceAmount,omitempty"`
	TaxRate       *float64    `json:"taxRate,omitempty"`
	SerialNumbers [][]string  `json:"serialNumbers"`
	TaxDetails    *taxDetails `json:"taxDetails,omitempty"`
}

type taxDetails struct {
	CGST float64 `json:"cgstRate"`
	SGST float64 `json:"sgstRate"`
	IGST float64 `json:"igstRate"`
}

// RenderInvoice converts the invoice of a packed or dispatched shipment; ok is false before that. Its date is a plain
// day, the only form that the official client reads there.
func RenderInvoice(s *ledgerv1.Shipment, settings Settings) (out Invoice, ok bool) {
	p := s.GetPacking()
	if p == nil {
		return out, false
	}
	out = Invoice{ShipmentID: s.GetShipmentId(), InvoiceNumber: p.GetInvoiceNumber(), OrderItems: []invoiceLine{}}
	if at := p.GetInvoiceDate().GetAt(); at != nil {
		d := day(at.AsTime())
		out.InvoiceDate = &d
	}
	digits := MinorDigits(settings.withDefaults().Currency)
	for _, line := range p.GetInvoiceLines() {
		one := invoiceLine{
			OrderItemID: line.GetOrderItemId(), Quantity: line.GetQuantity(), SerialNumbers: [][]string{},
		}
		// The seller of a self-ship shipment makes the invoice, and the dispatch has no member for amounts and taxes.
		if s.GetFulfilment() != ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP {
			rate := line.GetTaxRate()
			one.InvoiceAmount, one.TaxRate = json.Number(formatMinor(line.GetAmountMinor(), digits)), &rate
			one.TaxDetails = &taxDetails{CGST: line.GetCgstRate(), SGST: line.GetSgstRate(), IGST: line.GetIgstRate()}
		}
		for _, unit := range line.GetSerialNumbers() {
			one.SerialNumbers = append(one.SerialNumbers, unit.GetSerialNumbers())
		}
		out.OrderItems = append(out.OrderItems, one)
	}
	return out, true
}

// FormatAmount formats an amount in minor units with all its decimals, for people: 2150 INR becomes 21.50.
func FormatAmount(minor int64, currency string) string {
	digits := MinorDigits(currency)
	s := formatMinor(minor, digits)
	if digits == 0 {
		return s
	}
	whole, part, _ := strings.Cut(s, ".")
	return whole + "." + part + strings.Repeat("0", digits-len(part))
}

// FormatRate formats a tax rate for people.
func FormatRate(rate float64) string { return strconv.FormatFloat(rate, 'f', -1, 64) }
