package documents

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// pack decides courier, invoice and lines. All of it follows from the shipment, the revision and the time of the
// request, so that a repeat decides the same. who is nil for a seller that is not listed.
func pack(s *ledgerv1.Shipment, revision uint32, who *sellers.Seller, at time.Time) *ledgerv1.Packing {
	sum := sha256.Sum256([]byte(s.GetShipmentId()))
	code := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10])
	tomorrow := at.In(marketplace.IST).AddDate(0, 0, 1)
	pickup := time.Date(tomorrow.Year(), tomorrow.Month(), tomorrow.Day(), 10, 0, 0, 0, marketplace.IST)
	out := &ledgerv1.Packing{
		Courier: &ledgerv1.Courier{
			VendorName: "Ledger Logistics", VendorCode: "LEDGER", VendorGroup: "Ledger Logistics", TrackingId: "LGR" + code[:12],
			PickupFrom: timestamppb.New(pickup), PickupTo: timestamppb.New(pickup.Add(4 * time.Hour)),
		},
		// A sequence without gaps would need one writer per seller. The digest of the shipment's id needs none, and is as
		// unique.
		InvoiceNumber: "INV-" + code,
		InvoiceDate:   &ledgerv1.Moment{At: timestamppb.New(at)},
		DocumentsRef:  documentsRef(s.GetShipmentId(), revision),
	}
	if earlier := s.GetPacking(); earlier.GetRevision() > 0 {
		// Fewer units are left, but the parcel and its invoice are the same.
		out.Courier, out.InvoiceNumber, out.InvoiceDate = earlier.Courier, earlier.InvoiceNumber, earlier.InvoiceDate
	}
	request := s.GetPackRequest()
	for _, invoice := range request.GetInvoices() {
		if n := invoice.GetInvoiceNumber(); n != "" && n != "0" {
			out.InvoiceNumber = n
		}
		if d := invoice.GetInvoiceDate(); d != nil {
			out.InvoiceDate = d
		}
	}
	rates, serials := map[string]float64{}, map[string][]*ledgerv1.UnitSerials{}
	for _, item := range request.GetTaxItems() {
		rates[item.GetOrderItemId()] = item.GetTaxRate()
	}
	for _, item := range request.GetSerialNumbers() {
		serials[item.GetOrderItemId()] = item.GetUnits()
	}
	within := withinState(s, who)
	for _, item := range s.GetItems() {
		if line := invoiceLine(item, rates[item.GetOrderItemId()], within); line != nil {
			line.SerialNumbers = serials[item.GetOrderItemId()]
			out.InvoiceLines = append(out.InvoiceLines, line)
		}
	}
	return out
}

// documentsRef names the documents of a revision: a path below the folder. It is a digest, because a shipment's id may
// contain any characters.
func documentsRef(shipmentID string, revision uint32) string {
	sum := sha256.Sum256([]byte(shipmentID))
	name := hex.EncodeToString(sum[:16])
	return fmt.Sprintf("%s/%s-%d", name[:2], name, revision)
}

// invoiceLine returns the invoice line of an item's live units; nil if it has none.
func invoiceLine(item *ledgerv1.Item, rate float64, within bool) *ledgerv1.InvoiceLine {
	ordered := item.GetOrdered()
	live := ordered - min(ordered, events.CancelledUnits(item))
	if live == 0 {
		return nil
	}
	price := item.GetDetails().GetPrice()
	total := price.GetSellingMinor() + price.GetShippingMinor()
	if price != nil && price.TotalMinor != nil {
		total = price.GetTotalMinor()
	}
	line := &ledgerv1.InvoiceLine{
		OrderItemId: item.GetOrderItemId(), Quantity: live, TaxRate: rate,
		// The marketplace prices the line, not the unit. The share of the live units is rounded down to the minor unit.
		AmountMinor: total * int64(live) / int64(ordered),
	}
	if live == ordered {
		line.AmountMinor = total
	}
	if within {
		line.CgstRate, line.SgstRate = rate/2, rate/2
	} else {
		line.IgstRate = rate
	}
	return line
}

// withinState reports whether the goods stay in the seller's state: then the tax is split between state and union.
// Without both addresses they count as leaving it.
func withinState(s *ledgerv1.Shipment, who *sellers.Seller) bool {
	to := s.GetDetails().GetDeliveryAddress().GetStateCode()
	if who == nil || to == "" {
		return false
	}
	var from struct {
		StateCode string `json:"stateCode"`
	}
	if json.Unmarshal(who.Location(s.GetLocationId()).Address, &from) != nil {
		return false
	}
	return from.StateCode == to
}
