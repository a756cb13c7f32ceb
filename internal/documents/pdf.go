package documents

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-pdf/fpdf"

	"github.com/orderledger/orderledger/internal/marketplace"
)

// renderPDF prints pages. The same pages give the same bytes, whenever and wherever they are printed.
func renderPDF(pages ...page) ([]byte, error) {
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetAutoPageBreak(false, 10)
	pdf.SetProducer("orderledger", true)
	at := time.Unix(0, 0).UTC()
	if len(pages) > 0 {
		at = pages[0].At
		pdf.SetTitle("Shipment "+pages[0].ShipmentID, true)
	}
	pdf.SetCreationDate(at)
	pdf.SetModificationDate(at)
	// The core fonts are cp1252. A character outside it prints as a dot.
	text := pdf.UnicodeTranslatorFromDescriptor("")
	for _, d := range pages {
		d.print(pdf, text)
	}
	var out bytes.Buffer
	if err := pdf.Output(&out); err != nil {
		return nil, fmt.Errorf("render pages: %w", err)
	}
	return out.Bytes(), nil
}

func (d *page) print(pdf *fpdf.Fpdf, text func(string) string) {
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

// maxLines is how many invoice lines fit on a page.
const maxLines = 22

func (d *page) table(pdf *fpdf.Fpdf, text func(string) string) {
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
		row("", l.SKU, l.Title, l.HSN, fmt.Sprint(l.Quantity),
			marketplace.FormatRate(l.TaxRate), marketplace.FormatAmount(l.AmountMinor, d.Currency))
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

// bars draws the tracking number as bars, one for each bit that is set, so that a scanner test has something to read.
// The marketplace's barcode format is not public.
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
