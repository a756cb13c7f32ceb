package documents

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func packedShipment() (*ledgerv1.Shipment, *sellers.Live) {
	price := int64(1000)
	s := &ledgerv1.Shipment{
		ShipmentId: "S1", OrderId: "OD1", SellerId: "own", LocationId: "LOC1", DocumentRevision: 1,
		Details: &ledgerv1.ShipmentDetails{DeliveryAddress: &ledgerv1.Address{FirstName: "A", LastName: "B", StateCode: "KA"}},
		Items: []*ledgerv1.Item{{
			OrderItemId: "I1", Ordered: 3, CancelledSeller: 1,
			Details: &ledgerv1.ItemDetails{Sku: "SKU-1", Price: &ledgerv1.Price{TotalMinor: &price}},
		}},
		PackRequest: &ledgerv1.PackRequest{TaxItems: []*ledgerv1.TaxItem{{OrderItemId: "I1", TaxRate: 18}}},
	}
	directory := sellers.NewLive(sellers.Config{Sellers: []sellers.Seller{{
		ID: "own", Name: "Own Goods", GSTIN: "29ABC",
		Locations: []sellers.Location{{Location: marketplace.Location{ID: "LOC1", Address: []byte(`{"stateCode":"KA"}`)}}},
	}}})
	return s, directory
}

func TestPackInvoicesLiveUnits(t *testing.T) {
	t.Parallel()
	s, directory := packedShipment()
	at := time.Date(2024, 4, 1, 20, 0, 0, 0, time.UTC) // The second of April in India.
	got := pack(s, 2, directory.Current().Find("own"), at)
	require.True(t, got.EqualVT(pack(s, 2, directory.Current().Find("own"), at)), "a repeat decides the same")
	require.Equal(t, time.Date(2024, 4, 3, 4, 30, 0, 0, time.UTC), got.GetCourier().GetPickupFrom().AsTime())
	require.Regexp(t, `^[0-9a-f]{2}/[0-9a-f]{32}-2$`, got.GetDocumentsRef())
	line := got.GetInvoiceLines()[0]
	require.Equal(t, uint32(2), line.GetQuantity())
	require.Equal(t, int64(666), line.GetAmountMinor())
	require.Equal(t, []float64{9, 9, 0}, []float64{line.GetCgstRate(), line.GetSgstRate(), line.GetIgstRate()})

	abroad := pack(s, 2, nil, at).GetInvoiceLines()[0]
	require.InDelta(t, 18, abroad.GetIgstRate(), 0, "without the seller's address the goods leave the state")
	s.Items[0].CancelledCustomer = 2
	require.Empty(t, pack(s, 2, nil, at).GetInvoiceLines(), "nothing is left to invoice")
}

func TestGetRendersWhatTheFolderLacks(t *testing.T) {
	t.Parallel()
	s, directory := packedShipment()
	dir := t.TempDir()
	d, err := New(Config{Dir: dir, Currency: "INR"}, Deps{Sellers: directory})
	require.NoError(t, err)
	at := time.Date(2024, 4, 1, 20, 0, 0, 0, time.UTC)
	s.Packing = pack(s, 1, directory.Current().Find("own"), at)
	require.NoError(t, d.blobs.write(s.GetPacking().GetDocumentsRef(), newPage(s, s.GetPacking(), 1, directory.Current().Find("own"), "INR", at)))
	kept, err := os.ReadFile(filepath.Join(dir, s.GetPacking().GetDocumentsRef()+".pdf"))
	require.NoError(t, err)
	got, err := d.Get("own", []*ledgerv1.Shipment{s})
	require.NoError(t, err)
	require.Equal(t, kept, got)

	elsewhere, err := New(Config{Dir: t.TempDir(), Currency: "INR"}, Deps{Sellers: directory})
	require.NoError(t, err)
	got, err = elsewhere.Get("own", []*ledgerv1.Shipment{s})
	require.NoError(t, err)
	require.Equal(t, kept, got, "another machine renders the same bytes")

	s.Packing.DocumentsRef = "../S1"
	_, err = d.Get("own", []*ledgerv1.Shipment{s})
	require.ErrorContains(t, err, "not a name in the folder")
}

func TestPackingEventsPassEveryRequest(t *testing.T) {
	t.Parallel()
	passes := packingEvents().Filter()
	passed := 0
	for _, ceType := range events.Types() {
		full, empty := eventstest.Event(ceType), eventstest.Event(ceType) // Every field is set.
		if cancelled := empty.GetItemsCancelled(); cancelled != nil {
			cancelled.Revision = 0
		}
		for _, event := range []*ledgerv1.Event{full, empty} {
			r := eventstest.Record(eventstest.Envelope(ceType), event)
			if passes(&kgo.Record{Headers: kafka.AppendRecordHeaders(nil, r.Headers), Value: r.Value}) {
				passed++
			} else {
				require.Zero(t, requestedRevision(event), ceType)
			}
		}
	}
	require.Equal(t, 2*2+1, passed, "two types always, and the cancellation of items that renders again")
}
