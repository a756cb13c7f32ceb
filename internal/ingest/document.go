package ingest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-pdf/fpdf"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// document is what stands on the page of a shipment: label above, invoice below. It is kept beside the PDF, so that any
// set of shipments can be printed as one file, and each page is the same in all of them.
type document struct {
	ShipmentID    string         `json:"shipment_id"`
	OrderID       string         `json:"order_id"`
	Revision      uint32         `json:"revision"`
	Seller        string         `json:"seller"`
	GSTIN         string         `json:"gstin,omitempty"`
	From          string         `json:"from"`
	To            []string       `json:"to"`
	Vendor        string         `json:"vendor"`
	TrackingID    string         `json:"tracking_id"`
	COD           bool           `json:"cod"`
	Fragile       bool           `json:"fragile,omitempty"`
	InvoiceNumber string         `json:"invoice_number"`
	InvoiceDate   string         `json:"invoice_date"`
	Lines         []documentLine `json:"lines"`
	Currency      string         `json:"currency"`
	TotalMinor    int64          `json:"total_minor"`
	// At is printed nowhere; it is the PDF's own date, the same for the same revision.
	At time.Time `json:"at"`
}

type documentLine struct {
	SKU         string  `json:"sku"`
	Title       string  `json:"title"`
	HSN         string  `json:"hsn,omitempty"`
	Quantity    uint32  `json:"quantity"`
	TaxRate     float64 `json:"tax_rate"`
	AmountMinor int64   `json:"amount_minor"`
}

// newDocument describes the documents of a shipment as they are packed.
func newDocument(s *ledgerv1.Shipment, p *ledgerv1.Packing, revision uint32, who *seller, currency string, at time.Time) document {
	d := document{
		ShipmentID: s.GetShipmentId(), OrderID: s.GetOrderId(), Revision: revision, From: s.GetLocationId(),
		Vendor: p.GetCourier().GetVendorName(), TrackingID: p.GetCourier().GetTrackingId(),
		InvoiceNumber: p.GetInvoiceNumber(), InvoiceDate: p.GetInvoiceDate().GetAt().AsTime().In(marketplace.IST).Format(time.DateOnly),
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
		d.Lines = append(d.Lines, documentLine{
			SKU: details.GetSku(), Title: details.GetTitle(), HSN: details.GetHsn(), Quantity: line.GetQuantity(),
			TaxRate: line.GetTaxRate(), AmountMinor: line.GetAmountMinor(),
		})
		d.TotalMinor += line.GetAmountMinor()
	}
	return d
}

// renderPDF prints documents, a page each. The same documents give the same bytes, whenever and wherever.
func renderPDF(documents ...document) ([]byte, error) {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetAutoPageBreak(false, 10)
	pdf.SetProducer("orderledger", true)
	at := time.Unix(0, 0).UTC()
	if len(documents) > 0 {
		at = documents[0].At
		pdf.SetTitle("Shipment "+documents[0].ShipmentID, true)
	}
	pdf.SetCreationDate(at)
	pdf.SetModificationDate(at)
	text := pdf.UnicodeTranslatorFromDescriptor("") // The core fonts know cp1252; what it lacks is printed as a dot.
	for _, d := range documents {
		d.print(pdf, text)
	}
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("render documents: %w", err)
	}
	return out.Bytes(), nil
}

func (d *document) print(pdf *fpdf.Fpdf, text func(string) string) {
	pdf.AddPage()
	line := func(size float64, style, s string) {
		pdf.SetFont("Helvetica", style, size)
		pdf.CellFormat(0, size*0.5, text(clipped(s)), "", 1, "L", false, 0, "")
	}
	line(16, "B", d.Vendor)
	line(12, "", "AWB "+d.TrackingID)
	bars(pdf, d.TrackingID)
	payment := "PREPAID"
	if d.COD {
		payment = "COD"
	}
	line(14, "B", payment)
	line(9, "", "Ship to")
	for _, l := range d.To {
		line(11, "", l)
	}
	if len(d.To) == 0 {
		line(11, "", "address with the courier")
	}
	line(9, "", "From "+d.Seller+", "+d.From)
	line(9, "", "Shipment "+d.ShipmentID+"   Order "+d.OrderID)
	pdf.Ln(4)
	pdf.Line(10, pdf.GetY(), 200, pdf.GetY())
	pdf.Ln(4)
	line(14, "B", "Tax invoice "+d.InvoiceNumber)
	line(9, "", "Date "+d.InvoiceDate+"   Seller "+d.Seller+"   GSTIN "+d.GSTIN)
	pdf.Ln(2)
	d.table(pdf, text)
}

// maxLines is how many lines fit on the page.
const maxLines = 22

func (d *document) table(pdf *fpdf.Fpdf, text func(string) string) {
	widths := []float64{40, 78, 22, 14, 14, 22}
	row := func(style string, cells ...string) {
		pdf.SetFont("Helvetica", style, 8)
		for i, cell := range cells {
			align := "L"
			if i >= 3 {
				align = "R"
			}
			pdf.CellFormat(widths[i], 5, text(clipped(cell)), "B", 0, align, false, 0, "")
		}
		pdf.Ln(5)
	}
	row("B", "SKU", "Title", "HSN", "Qty", "Tax %", d.Currency)
	for i, l := range d.Lines {
		if i == maxLines {
			row("", fmt.Sprintf("and %d more", len(d.Lines)-i), "", "", "", "", "")
			break
		}
		row("", l.SKU, l.Title, l.HSN, fmt.Sprint(l.Quantity), marketplace.FormatRate(l.TaxRate), marketplace.FormatAmount(l.AmountMinor, d.Currency))
	}
	row("B", "Total", "", "", "", "", marketplace.FormatAmount(d.TotalMinor, d.Currency))
}

// clipped keeps a cell inside its line.
func clipped(s string) string {
	runes := []rune(s)
	if len(runes) > 60 {
		return string(runes[:59]) + "…"
	}
	return s
}

// bars draws the tracking number so that a scanner test has something to aim at. What format the marketplace prints is
// not known; these are the bits of the text, a bar for each one.
func bars(pdf *fpdf.Fpdf, s string) {
	x, y := pdf.GetX(), pdf.GetY()+2
	for i, c := range []byte(s) {
		for bit := range 8 {
			if c>>(7-bit)&1 == 1 {
				pdf.Rect(x+float64(i*8+bit)*0.8, y, 0.5, 12, "F")
			}
		}
	}
	pdf.Ln(18)
}

// documentRef names the documents of a revision: a path below the blob folder that says nothing of the shipment's id,
// which may have any characters.
func documentRef(shipmentID string, revision uint32) string {
	sum := digest(shipmentID)
	name := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s/%s-%d", name[:2], name, revision)
}

func (d *document) encode() ([]byte, error) { return json.Marshal(d) }
