package marketplace_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestParseWhen(t *testing.T) {
	t.Parallel()
	want := time.Date(2017, 3, 28, 12, 33, 1, 0, time.UTC)
	for text, at := range map[string]time.Time{
		"2017-03-28T18:03:01+05:30":            want,
		"2017-03-28T18:03:01+0530":             want,
		"2017-03-28T12:33:01Z":                 want,
		"2017-03-28T12:33:01+0000":             want,
		"2017-03-28T12:33:01+00":               want,
		"2017-03-28T07:03:01-05:30":            want,
		"2017-03-28T18:03:01.000+05:30":        want,
		"2017-03-28T18:03:01.1234567891+05:30": want.Add(123456789),
		"2017-03-28T18:03:01":                  want,
		"2017-03-28 18:03:01":                  want,
		"2017-03-28T18:03+05:30":               want.Add(-time.Second),
		"2016-02-29T00:00:00Z":                 time.Date(2016, 2, 29, 0, 0, 0, 0, time.UTC),
		"2016-12-31T23:59:60Z":                 time.Date(2016, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		w, ok := marketplace.ParseWhen(text)
		require.True(t, ok, text)
		require.False(t, w.Day, text)
		require.True(t, at.Equal(w.Time), "%s: %s", text, w.Time)
	}
	w, ok := marketplace.ParseWhen("2017-03-28")
	require.True(t, ok)
	require.True(t, w.Day)
	require.True(t, time.Date(2017, 3, 27, 18, 30, 0, 0, time.UTC).Equal(w.Time), "midnight in IST")
	for _, text := range []string{
		"", "2017", "2017-3-28", "2017-02-29", "2017-13-01", "2017-00-01", "2017-01-00", "28-03-2017", "2017-03-28T", "2017-03-28T18", "2017-03-28T24:00:00Z",
		"2017-03-28T18:60:00Z", "2017-03-28T18:00:61Z", "2017-03-28T18:03:01.Z", "2017-03-28T18:03:01+5:30", "2017-03-28T18:03:01+05:60",
		"2017-03-28T18:03:01 IST", "2017-03-28X18:03:01Z", "1490704381", "Tue, 28 Mar 2017 12:33:01 GMT", "２０１７-03-28",
	} {
		_, ok := marketplace.ParseWhen(text)
		require.False(t, ok, text)
	}
}

func TestMoneyIsExact(t *testing.T) {
	t.Parallel()
	price := func(number, currency string) *int64 {
		settings := marketplace.DefaultSettings()
		settings.Currency = currency
		n, err := marketplace.ParseNotification([]byte(envelope("shipment_created", anyShipment,
			`{"orderItems":[{"orderItemId":"1","quantity":1,"priceComponents":{"sellingPrice":`+number+`}}]}`)), settings)
		require.NoError(t, err)
		c, ok := n.Input().(shipment.Created)
		if !ok {
			return nil
		}
		return c.Items[0].Details.GetPrice().SellingMinor
	}
	for number, want := range map[string]int64{
		"0": 0, "21.5": 2150, "159.00": 15900, "0.1": 10, "0.29": 29, "1.005": 101, "1.0049999": 100, "-3.5": -350, "-0.005": -1,
		"1e2": 10000, "1.5E+1": 1500, "12345e-3": 1235, "4.35": 435, "90071992547409.93": 9007199254740993, "0.0000001": 0, "1e-9": 0,
	} {
		got := price(number, "INR")
		require.NotNil(t, got, number)
		require.Equal(t, want, *got, number)
	}
	require.Equal(t, int64(160), *price("159.5", "JPY"))
	require.Equal(t, int64(159500), *price("159.5", "KWD"))
	for _, number := range []string{"1e30", "99999999999999999999", "1e400"} {
		require.Nil(t, price(number, "INR"), number)
	}
	require.Equal(t, "21.50", marketplace.FormatAmount(2150, "INR"))
	require.Equal(t, "-0.05", marketplace.FormatAmount(-5, "INR"))
	require.Equal(t, "7", marketplace.FormatAmount(7, "JPY"))
}

func action(t *testing.T, name string) marketplace.Action {
	t.Helper()
	for _, a := range marketplace.Actions() {
		if a.Name == name {
			return a
		}
	}
	require.Fail(t, "no action "+name)
	return marketplace.Action{}
}

func commands(t *testing.T, name, body string) []marketplace.Command {
	t.Helper()
	got, err := action(t, name).Read([]byte(body), marketplace.DefaultSettings())
	require.NoError(t, err)
	return got
}

func TestActionRead(t *testing.T) {
	t.Parallel()
	whenOf := func(text string) shipment.When {
		w, ok := marketplace.ParseWhen(text)
		require.True(t, ok)
		return w
	}
	for name, tc := range map[string]struct {
		body string
		want shipment.Input
	}{
		"dispatch": {`{"shipmentIds":["S1"],"locationId":"L"}`, shipment.Dispatch{LocationID: "L"}},
		"cancel": {
			`{"shipments":[{"shipmentId":"S1","locationId":"L","cancellationGroupIds":["g1","g2"],"reason":"b2b_order"}]}`,
			shipment.Cancel{LocationID: "L", GroupIDs: []string{"g1", "g2"}, Reason: "b2b_order"},
		},
		"update_ack": {
			`{"shipments":[{"shipmentId":"S1","forms":[{"name":"F","ackNumber":"7"}]}]}`,
			shipment.AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "F", AckNumber: "7"}}},
		},
		"self_ship_delivery": {
			`{"shipments":[{"shipmentId":"S1","locationId":"L","deliveryDate":"2017-03-28"}]}`,
			shipment.ConfirmDelivery{LocationID: "L", At: whenOf("2017-03-28")},
		},
		// The official client can't send failureAttributes.
		"self_ship_attempt": {
			`{"shipments":[{"shipmentId":"S1","locationId":"L","deliveryDate":"2017-03-28T10:00:00.123456789Z"}]}`,
			shipment.AttemptDelivery{LocationID: "L", At: whenOf("2017-03-28T10:00:00.123456789Z")},
		},
		"service_attempt": {
			`{"services":[{"serviceFulfilmentId":"V","deliveryDate":"2017-03-28","newDeliveryDate":"2017-04-01","reason":"r","subReason":"s","comments":"c"}]}`,
			shipment.AttemptService{ServiceID: "V", At: whenOf("2017-03-28"), NewDue: whenOf("2017-04-01"), Reason: "r", SubReason: "s", Comments: "c"},
		},
		"service_complete": {
			`{"services":[{"serviceFulfilmentId":"V","deliveryDate":"2017-03-28"}]}`,
			shipment.CompleteService{ServiceID: "V", At: whenOf("2017-03-28")},
		},
		"return_approve": {
			`{"locationId":"L","returns":[{"returnId":"R","comments":"c"}]}`, shipment.ApproveReturn{LocationID: "L", ReturnID: "R", Comments: "c"},
		},
		"return_reject": {
			`{"locationId":"L","returns":[{"returnId":"R","serviceFulfilmentId":"V","serviceDate":"2017-03-28","comments":"c"}]}`,
			shipment.RejectReturn{LocationID: "L", ReturnID: "R", ServiceID: "V", Comments: "c", VisitedAt: whenOf("2017-03-28")},
		},
		"return_complete": {`{"locationId":"L","returnIds":["R"]}`, shipment.CompleteReturn{LocationID: "L", ReturnID: "R"}},
		"return_cancel": {
			`{"locationId":"L","returnIds":["R"],"deliveryDate":"2017-03-28"}`,
			shipment.CancelReturn{LocationID: "L", ReturnID: "R", DeliveredAt: whenOf("2017-03-28")},
		},
		"return_pickup": {
			`{"locationId":"L","returns":[{"returnId":"R","pickupDate":"2017-03-28"}]}`,
			shipment.PickUpReturn{LocationID: "L", ReturnID: "R", At: whenOf("2017-03-28")},
		},
		"return_pickup_attempt": {
			`{"returns":[{"returnId":"R","locationId":"L","pickupDate":"2017-03-28","newPickupDate":"2017-04-01","reason":"r"}]}`,
			shipment.AttemptPickup{LocationID: "L", ReturnID: "R", At: whenOf("2017-03-28"), NewDue: whenOf("2017-04-01"), Reason: "r"},
		},
	} {
		got := commands(t, name, tc.body)
		require.Len(t, got, 1, name)
		require.Empty(t, got[0].Code, "%s: %s", name, got[0].Message)
		require.Equal(t, tc.want, got[0].Input, name)
	}
}

func TestActionReadLabels(t *testing.T) {
	t.Parallel()
	// The official client's invoices have no orderId and a plain date.
	got := commands(t, "labels", `{"shipments":[{"shipmentId":"S1","locationId":"L","taxItems":[{"orderItemId":"1","taxRate":0,"quantity":2,"purchasePrice":1.5}],
		"serialNumbers":[{"orderItemId":"1","serialNumbers":[["a","b"],["c"]]}],
		"invoices":[{"shipmentId":"S1","invoiceDate":"2017-03-28","invoiceNumber":"0","fssaiLicenseNo":null,"orderItems":[]}],
		"subShipments":[{"subShipmentId":"SS-1","dimensions":{"length":1,"width":2,"height":3,"weight":0.5}}],"ignoreWarning":true}]}`)
	in, ok := got[0].Input.(shipment.RequestLabels)
	require.True(t, ok, got[0].Message)
	require.Equal(t, uint32(2), in.Request.GetTaxItems()[0].GetQuantity())
	require.Equal(t, []string{"a", "b"}, in.Request.GetSerialNumbers()[0].GetUnits()[0].GetSerialNumbers())
	require.True(t, in.Request.GetInvoices()[0].GetInvoiceDate().GetDay())
	require.InDelta(t, 2, in.Request.GetSubShipments()[0].GetDimensions().GetBreadth(), 0)
	require.True(t, in.Request.GetIgnoreWarning())
}

func TestActionReadInvalidItems(t *testing.T) {
	t.Parallel()
	got := commands(t, "labels", `{"shipments":[
		{"shipmentId":"S1"},
		{"locationId":"L"},
		{"shipmentId":"S3","taxItems":[{"orderItemId":"1","taxRate":101}]},
		{"shipmentId":"S4","invoices":[{"invoiceDate":"soon"}]},
		{"shipmentId":"a\u0007"},
		{"shipmentId":"S6","taxItems":[{"orderItemId":"1","taxRate":5,"quantity":0}]}]}`)
	codes := make([]shipment.Code, len(got))
	for i := range got {
		codes[i] = got[i].Code
		require.Equal(t, codes[i] == "", got[i].Input != nil)
	}
	require.Equal(t, []shipment.Code{
		"", "UNPROCESSABLE_ENTITY", "INVALID_REQUEST_TAX", "INVALID_REQUEST_DATE_FORMAT", "INVALID_SHIPMENTS", "QUANTITY_MISMATCH_ERROR",
	}, codes)
}

func TestCommandHash(t *testing.T) {
	t.Parallel()
	body := func(location, first string) string {
		return `{"shipmentIds":["` + first + `","S2"],"locationId":"` + location + `"}`
	}
	one, two, three := commands(t, "dispatch", body("L", "S1")), commands(t, "dispatch", body("M", "S1")), commands(t, "dispatch", body("L", "S9"))
	require.NotEqual(t, one[0].Hash, one[1].Hash)
	require.NotEqual(t, one[1].Hash, two[1].Hash, "another location is another request")
	require.Equal(t, one[1].Hash, three[1].Hash, "the hash does not cover the other items")
	require.Equal(t, one, commands(t, "dispatch", ` {"locationId":"L" , "shipmentIds":[ "S1","S2"]}`))
	returns := commands(t, "return_complete", `{"returnIds":["S2"],"locationId":"L"}`)
	require.NotEqual(t, one[1].Hash, returns[0].Hash, "another action")
}

func TestCommandWithService(t *testing.T) {
	t.Parallel()
	got := commands(t, "service_complete", `{"services":[{"shipmentId":"S1","locationId":"L","deliveryDate":"2017-03-28"}]}`)[0]
	require.Empty(t, got.ID)
	require.Equal(t, "S1", got.ShipmentID)
	in, ok := got.WithService("V1").Input.(shipment.CompleteService)
	require.True(t, ok)
	require.Equal(t, "V1", in.ServiceID)
	nameless := commands(t, "service_complete", `{"services":[{"deliveryDate":"2017-03-28"}]}`)[0]
	require.Equal(t, shipment.CodeInvalidRequest, nameless.Code)
}

func TestReadUpdate(t *testing.T) {
	t.Parallel()
	got, err := marketplace.ReadUpdate("S1", []byte(`{"shipment_id":"S1","tracking_id":"T","delivery_partner":"P","tentative_delivery_date":"2017-03-28"}`), marketplace.DefaultSettings())
	require.NoError(t, err)
	in, ok := got.Input.(shipment.UpdateTracking)
	require.True(t, ok, got.Message)
	require.Equal(t, "T", in.Courier.GetTrackingId())
	require.True(t, in.TentativeDelivery.Day)
	require.Equal(t, "S1", got.ShipmentID)
}

func TestSplitIDs(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "b", "c"}, marketplace.SplitIDs(" a,b,,a , c,"))
	require.Empty(t, marketplace.SplitIDs(" , "))
}

// aState is a shipment with everything that a client can see.
func aState() *ledgerv1.Shipment {
	at := func(day, hour int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(2017, 4, day, hour, 4, 5, 678e6, time.UTC))
	}
	selling, total, shipping := int64(15600), int64(15900), int64(300)
	return &ledgerv1.Shipment{
		ShipmentId: "a8b6c5f6-5eb5-4c44-9c40-e5a1a2dd8b87", Version: 4, OrderId: "OD1", SellerId: "own", LocationId: "LOC1234",
		Fulfilment: ledgerv1.Fulfilment_FULFILMENT_STANDARD, Status: ledgerv1.Status_STATUS_PACKED, OnHold: true,
		UpdatedAt: at(3, 1), DispatchAfter: at(2, 1), DispatchBy: at(10, 1),
		Items: []*ledgerv1.Item{
			{
				OrderItemId: "1", Status: ledgerv1.Status_STATUS_PACKED, Ordered: 3, CancelledCustomer: 1, CancellationGroupId: "grp1",
				Cancellations: []*ledgerv1.Cancellation{{Units: 1, Reason: "order_cancelled", SubReason: "delivery_time_long", At: &ledgerv1.Moment{At: at(2, 5)}}},
				Details: &ledgerv1.ItemDetails{
					OrderDate: at(1, 1), PaymentType: "COD", Fsn: "FSN", Sku: "SKU", ListingId: "LST", Title: `A "thing" <b>`, PackageIds: []string{"PKG1"},
					Price: &ledgerv1.Price{Currency: "INR", SellingMinor: &selling, TotalMinor: &total, ShippingMinor: &shipping}, IsReplacement: true,
				},
			},
			{
				OrderItemId: "2", Status: ledgerv1.Status_STATUS_CANCELLED, Ordered: 2, CancelledSeller: 2, CancellationGroupId: "grp2",
				Details: &ledgerv1.ItemDetails{Hsn: "8517"}, CourierReturn: true,
			},
		},
		Services: []*ledgerv1.Service{
			{ServiceId: "SF1", OrderItemId: "1", Kind: ledgerv1.ServiceKind_SERVICE_KIND_FORWARD, Status: ledgerv1.ServiceStatus_SERVICE_STATUS_ACTIVATED, DueAt: at(20, 1)},
			{ServiceId: "TV1", OrderItemId: "1", Kind: ledgerv1.ServiceKind_SERVICE_KIND_TECH_VISIT},
		},
		Forms: []*ledgerv1.Form{{Name: "Form-A", Link: "https://forms.example/a", Status: ledgerv1.FormStatus_FORM_STATUS_IN_PROGRESS}},
		Details: &ledgerv1.ShipmentDetails{
			ShipmentType: "EXPRESS", PackagingPolicy: "GREEN_PACKAGE", Mps: true, DispatchLocationJson: `{"a":1}`,
			SubShipments:    []*ledgerv1.SubShipment{{SubShipmentId: "SS-1", Packages: []*ledgerv1.Package{{PackageId: "PKG1", Title: "Box"}}}},
			DeliveryAddress: &ledgerv1.Address{FirstName: "A", Line1: "1 Road", Pincode: "560001", Phone: "+91 1"},
			Buyer:           &ledgerv1.Buyer{FirstName: "A", LastName: "B"},
		},
		PackRequest: &ledgerv1.PackRequest{SubShipments: []*ledgerv1.SubShipment{{SubShipmentId: "SS-1", Dimensions: &ledgerv1.Dimensions{Length: 1, Breadth: 2, Height: 3, Weight: 0.5}}}},
		Packing: &ledgerv1.Packing{
			Courier: &ledgerv1.Courier{VendorName: "V", TrackingId: "T"}, InvoiceNumber: "INV-1", InvoiceDate: &ledgerv1.Moment{At: at(3, 20)},
			InvoiceLines: []*ledgerv1.InvoiceLine{{
				OrderItemId: "1", Quantity: 2, AmountMinor: 10600, TaxRate: 18, CgstRate: 9, SgstRate: 9,
				SerialNumbers: []*ledgerv1.UnitSerials{{SerialNumbers: []string{"i1", "i2"}}},
			}},
		},
	}
}

func golden(t *testing.T, name string, document any) {
	t.Helper()
	got, err := json.MarshalIndent(document, "", "  ")
	require.NoError(t, err)
	path := "testdata/" + name
	if *update {
		require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got)+"\n")
}

func TestRenderGolden(t *testing.T) {
	t.Parallel()
	golden(t, "shipment.json", marketplace.RenderShipment(aState()))
	golden(t, "details.json", marketplace.RenderDetails(aState(), marketplace.Location{ID: "LOC1234", Address: json.RawMessage(`{"sellerName":"Own"}`)}))
	invoice, ok := marketplace.RenderInvoice(aState(), marketplace.DefaultSettings())
	require.True(t, ok)
	golden(t, "invoice.json", invoice)
	_, ok = marketplace.RenderInvoice(&ledgerv1.Shipment{}, marketplace.DefaultSettings())
	require.False(t, ok)
}

// The dispatch of a self-ship shipment has no amounts and no taxes: 0 would be an amount that nobody reported.
func TestRenderInvoiceLeavesOutWhatNobodyReported(t *testing.T) {
	t.Parallel()
	text := func(s *ledgerv1.Shipment) string {
		invoice, ok := marketplace.RenderInvoice(s, marketplace.DefaultSettings())
		require.True(t, ok)
		b, err := json.Marshal(invoice.OrderItems)
		require.NoError(t, err)
		return string(b)
	}
	s := aState()
	line := s.Packing.InvoiceLines[0]
	line.AmountMinor, line.TaxRate, line.CgstRate, line.SgstRate = 0, 0, 0, 0
	require.JSONEq(t, `[{"orderItemId":"1","quantity":2,"invoiceAmount":0,"taxRate":0,"serialNumbers":[["i1","i2"]],`+
		`"taxDetails":{"cgstRate":0,"sgstRate":0,"igstRate":0}}]`, text(s), "the invoice that we print of a gift says 0")
	s.Fulfilment = ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP
	require.JSONEq(t, `[{"orderItemId":"1","quantity":2,"serialNumbers":[["i1","i2"]]}]`, text(s))
}

func TestRenderDetailsPhones(t *testing.T) {
	t.Parallel()
	text := func(s *ledgerv1.Shipment) string {
		b, err := json.Marshal(marketplace.RenderDetails(s, marketplace.Location{}))
		require.NoError(t, err)
		return string(b)
	}
	s := aState()
	require.NotContains(t, text(s), "+91 1")
	s.Fulfilment = ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP
	require.Contains(t, text(s), "+91 1")
	require.Equal(t, "SELF", marketplace.RenderShipment(s).ShipmentType)
}

func TestRenderResults(t *testing.T) {
	t.Parallel()
	results := []marketplace.Result{{ID: "1", OK: true}, {ID: "2", Code: "CODE", Message: "why"}}
	body, err := marketplace.RenderResults(marketplace.SubjectReturn, results)
	require.NoError(t, err)
	require.JSONEq(t, `{"returns":[
		{"returnId":"1","status":"SUCCESS","processingStatus":"SUCCESS","errorCode":null,"errorMessage":null},
		{"returnId":"2","status":"FAILURE","processingStatus":"FAILURE","errorCode":"CODE","errorMessage":"why"}]}`, string(body))
	body, err = marketplace.RenderResults(marketplace.SubjectService, results[1:])
	require.NoError(t, err)
	require.JSONEq(t, `{"services":[{"serviceFulfilmentId":"2","status":"FAILURE","processingStatus":"FAILURE","errorCode":"CODE","errorMessage":"why","failureReason":"CODE: why"}]}`, string(body))
}

func FuzzReadCommands(f *testing.F) {
	f.Add([]byte(`{"shipments":[{"shipmentId":"S1","invoices":[{"invoiceDate":"2017-03-28"}]}],"shipmentIds":["a"],"returnIds":["b"],"returns":[{"returnId":"c"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, a := range marketplace.Actions() {
			got, err := a.Read(body, marketplace.DefaultSettings())
			if err != nil {
				require.Empty(t, got)
				continue
			}
			for _, c := range got {
				require.Equal(t, c.Code == "", c.Input != nil)
			}
		}
		_, _ = marketplace.ReadFilter(body, marketplace.DefaultSettings())
		_, _ = marketplace.ReadUpdate("S1", body, marketplace.DefaultSettings())
	})
}
