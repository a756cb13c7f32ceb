package emitter

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenFolder = "testdata/752255250"

// sampleTime is the only time in the contract's sample.
var sampleTime = time.Date(2020, 10, 16, 20, 22, 28, 0, time.UTC)

// sampleShipment is the shipment of the contract's sample: somebody unknown had cancelled one of its two units before
// it was reported.
func sampleShipment(t testing.TB) *ledgerv1.Shipment {
	t.Helper()
	at := timestamppb.New(sampleTime)
	return &ledgerv1.Shipment{
		ShipmentId: "flipkart1234", Version: 1, OrderId: "flipkart1221", SellerId: "seller-1", LocationId: "IN132",
		Status: ledgerv1.Status_STATUS_APPROVED, UpdatedAt: at, DispatchAfter: at, DispatchBy: at,
		Times: &ledgerv1.Times{Created: &ledgerv1.Moment{At: at}},
		Items: []*ledgerv1.Item{{
			OrderItemId: "14974593958185", Status: ledgerv1.Status_STATUS_APPROVED, Forward: ledgerv1.Status_STATUS_APPROVED,
			Ordered: 2, CancelledUnknown: 1,
			Details: &ledgerv1.ItemDetails{
				OrderDate: at, PaymentType: "COD", Sku: "1000889888", Fsn: "FSN1", ListingId: "LST1",
				Price: &ledgerv1.Price{
					Currency: "INR", SellingMinor: new(int64(100000)), MarketplaceDiscountMinor: new(int64(10000)),
					ShippingMinor: new(int64(0)),
				},
				ExtensionsJson: readFile(t, "sample-item-extension.json"),
			},
		}},
		Details: &ledgerv1.ShipmentDetails{
			ShipmentType: "NORMAL", Source: "flipkart",
			DeliveryAddress: &ledgerv1.Address{
				FirstName: "Customer's", LastName: "Name", Line1: "Line Address 1", Line2: "Line Address 2",
				Landmark: "Line Address 3", City: "city", State: "state", Pincode: "zip", Country: "country",
				Email: "abc@gmail.com", Phone: "9999999999",
			},
			BillingAddress: &ledgerv1.Address{
				FirstName: "customer", Line1: "address line 1", Line2: "address line 2", Landmark: "address line 3",
				City: "Bengaluru", State: "Karnataka", Pincode: "560076", Country: "INDIA",
				Email: "abc@gmail.com", Phone: "9999999999",
			},
			ExtensionsJson: readFile(t, "sample-shipment-extension.json"),
		},
	}
}

func created(s *ledgerv1.Shipment) *ledgerv1.Event {
	return &ledgerv1.Event{
		Transition: &ledgerv1.Transition{To: s.GetStatus()}, After: s,
		Body: &ledgerv1.Event_ShipmentCreated{ShipmentCreated: &ledgerv1.ShipmentCreated{At: s.GetTimes().GetCreated()}},
	}
}

// recorded returns an event of lane 7 with the lane sequence 42.
func recorded(e *ledgerv1.Event) Recorded {
	return Recorded{Lane: 7, Event: e, Envelope: events.Envelope{
		Type: events.TypeOf(e), ShipmentID: e.GetAfter().GetShipmentId(), LaneSeq: 42, OccurredAt: sampleTime,
	}}
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(goldenFolder, name))
	require.NoError(t, err)
	return string(raw)
}

func TestTranslateContractSample(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	require.NoError(t, json.Compact(&want, []byte(readFile(t, "contract-sample.json"))))

	// The messageId of the sample, 12345, is that of profile 3 in lane 57.
	r := recorded(created(sampleShipment(t)))
	r.Envelope.LaneSeq, r.Lane = 0, 57
	profile := Profile752255250()
	profile.Number = 3
	m, ok := Translate(r, profile, &Channel{})

	require.True(t, ok)
	require.Equal(t, want.String(), string(m.Body))
	require.Equal(t, SuborderCreate, m.Type)
	require.Zero(t, m.Notes)
}

func TestTranslateGolden(t *testing.T) {
	t.Parallel()
	for name, e := range goldenEvents(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channel := Channel{Name: "flipkart", Currency: "INR", Country: "INDIA"}
			m, ok := Translate(recorded(e), Profile752255250(), &channel)
			require.True(t, ok)
			require.True(t, json.Valid(m.Body))
			again, _ := Translate(recorded(e), Profile752255250(), &channel)
			require.Equal(t, m, again, "a repeat must have the same bytes")

			file := filepath.Join(goldenFolder, name+".json")
			if *update {
				require.NoError(t, os.WriteFile(file, append(m.Body, '\n'), 0o600))
			}
			require.Equal(t, readFile(t, name+".json"), string(m.Body)+"\n")
		})
	}
}

// goldenEvents returns one event for each event type of the contract. They are of an ordinary shipment with two items.
func goldenEvents(t testing.TB) map[string]*ledgerv1.Event {
	t.Helper()
	at := &ledgerv1.Moment{At: timestamppb.New(sampleTime.Add(90 * time.Minute))}
	plain := func() *ledgerv1.Shipment {
		s := sampleShipment(t)
		s.Details.ExtensionsJson, s.Details.BillingAddress = "", nil
		s.Details.DeliveryAddress = nil
		s.DispatchBy = timestamppb.New(sampleTime.Add(26*time.Hour + 250*time.Millisecond))
		s.Items[0].CancelledUnknown, s.Items[0].Details.ExtensionsJson = 0, ""
		second := s.Items[0].CloneVT()
		second.OrderItemId, second.Ordered = "14974593958186", 3
		second.Details.Sku, second.Details.PaymentType = "1000889889", "PREPAID"
		second.Details.Price = &ledgerv1.Price{Currency: "INR", SellingMinor: new(int64(6450)), ShippingMinor: new(int64(4005))}
		s.Items = append(s.Items, second)
		return s
	}
	cancelled := &ledgerv1.Event_ItemsCancelled{ItemsCancelled: &ledgerv1.ItemsCancelled{At: at}}

	partial := plain()
	partial.Items[0].CancelledSeller = 1
	partial.Items[1].CancelledCustomer, partial.Items[1].CancelledMarketplace = 1, 1

	all := plain()
	all.Items[0].CancelledSeller, all.Items[1].CancelledUnknown = 2, 3

	shipped := plain()
	shipped.Items[0].Shipped, shipped.Items[1].Shipped = 2, 2
	shipped.Items[1].CancelledCustomer = 1
	shipped.Stages = []ledgerv1.Stage{ledgerv1.Stage_STAGE_SHIPPED}

	address := plain()
	address.Details.DeliveryAddress = sampleShipment(t).Details.DeliveryAddress
	address.Details.DeliveryAddress.Country = ""
	address.OnHold = true

	return map[string]*ledgerv1.Event{
		"create":         created(plain()),
		"partial-cancel": {After: partial, Transition: &ledgerv1.Transition{}, Body: cancelled},
		"cancel":         {After: all, Transition: &ledgerv1.Transition{}, Body: cancelled},
		"complete": {
			After: shipped, Transition: &ledgerv1.Transition{Stages: []ledgerv1.Stage{ledgerv1.Stage_STAGE_SHIPPED}},
			Body: &ledgerv1.Event_ShipmentShipped{ShipmentShipped: &ledgerv1.ShipmentShipped{At: at}},
		},
		"properties-update": {
			After: address, Transition: &ledgerv1.Transition{},
			Body: &ledgerv1.Event_PropertiesUpdated{PropertiesUpdated: &ledgerv1.PropertiesUpdated{
				At: at, Details: &ledgerv1.ShipmentDetails{DeliveryAddress: address.Details.DeliveryAddress},
			}},
		},
	}
}
