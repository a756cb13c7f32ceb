package documents

import (
	"time"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// page is the printed page of a shipment: label above, invoice below. It is kept beside its PDF, so that any set of
// shipments can be printed as one file in which each page is the same as in all others. It has many fields, because
// each is printed.
type page struct {
	ShipmentID    string     `json:"shipment_id"`
	OrderID       string     `json:"order_id"`
	Revision      uint32     `json:"revision"`
	Seller        string     `json:"seller"`
	GSTIN         string     `json:"gstin,omitempty"`
	From          string     `json:"from"`
	To            []string   `json:"to"`
	Vendor        string     `json:"vendor"`
	TrackingID    string     `json:"tracking_id"`
	COD           bool       `json:"cod"`
	Fragile       bool       `json:"fragile,omitempty"`
	InvoiceNumber string     `json:"invoice_number"`
	InvoiceDate   string     `json:"invoice_date"`
	Lines         []pageLine `json:"lines"`
	Currency      string     `json:"currency"`
	TotalMinor    int64      `json:"total_minor"`
	// At is not printed: it is the date of the PDF file, the same for the same revision.
	At time.Time `json:"at"`
}

type pageLine struct {
	SKU         string  `json:"sku"`
	Title       string  `json:"title"`
	HSN         string  `json:"hsn,omitempty"`
	Quantity    uint32  `json:"quantity"`
	TaxRate     float64 `json:"tax_rate"`
	AmountMinor int64   `json:"amount_minor"`
}

// newPage describes the page of a shipment. who is nil for a seller that is not listed.
func newPage(
	s *ledgerv1.Shipment, p *ledgerv1.Packing, revision uint32, who *sellers.Seller, currency string, at time.Time,
) page {
	invoiced := p.GetInvoiceDate().GetAt().AsTime().In(marketplace.IST)
	d := page{
		ShipmentID: s.GetShipmentId(), OrderID: s.GetOrderId(), Revision: revision, From: s.GetLocationId(),
		Vendor: p.GetCourier().GetVendorName(), TrackingID: p.GetCourier().GetTrackingId(),
		InvoiceNumber: p.GetInvoiceNumber(), InvoiceDate: invoiced.Format(time.DateOnly),
		Currency: currency, At: at.UTC(), Seller: s.GetSellerId(),
	}
	if who != nil {
		d.GSTIN = who.GSTIN
		if who.Name != "" {
			d.Seller = who.Name
		}
	}
	if a := s.GetDetails().GetDeliveryAddress(); a != nil {
		for _, line := range []string{
			a.GetFirstName() + " " + a.GetLastName(), a.GetLine1(), a.GetLine2(), a.GetLandmark(),
			a.GetCity() + " " + a.GetPincode(), a.GetState(),
		} {
			if len(line) > 1 {
				d.To = append(d.To, line)
			}
		}
	}
	items := map[string]*ledgerv1.Item{}
	for _, item := range s.GetItems() {
		items[item.GetOrderItemId()] = item
		d.COD = d.COD || item.GetDetails().GetPaymentType() == "COD"
	}
	for _, line := range p.GetInvoiceLines() {
		details := items[line.GetOrderItemId()].GetDetails()
		d.Lines = append(d.Lines, pageLine{
			SKU: details.GetSku(), Title: details.GetTitle(), HSN: details.GetHsn(), Quantity: line.GetQuantity(),
			TaxRate: line.GetTaxRate(), AmountMinor: line.GetAmountMinor(),
		})
		d.TotalMinor += line.GetAmountMinor()
	}
	return d
}
