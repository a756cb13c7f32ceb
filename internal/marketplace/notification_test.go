package marketplace_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const createdJSON = `{
  "eventType": "shipment_created", "source": "flipkart", "version": "v3", "timestamp": "2017-03-28T18:03:01+05:30",
  "locationId": "LOC1234", "shipmentId": "a8b6c5f6-5eb5-4c44-9c40-e5a1a2dd8b87",
  "attributes": {
    "dispatchByDate": "2017-04-10T10:00:00.000+05:30", "dispatchAfterDate": "2017-03-29T10:00:00+0530",
    "updatedAt": "2017-03-28T12:33:01Z", "hold": false, "mps": true, "packagingPolicy": "DEFAULT", "shipmentType": "NORMAL",
    "deliverByDate": "2017-04-15",
    "subShipments": [{"subShipmentId": "SS-1", "packages": [{"packageId": "PKG1", "packageTitle": "Box", "packageSku": "B-1",
      "dimensions": {"length": 10.5, "breadth": 5, "height": 3, "weight": 0.25}}]}],
    "orderItems": [
      {"orderItemId": "1730000000000001", "orderId": "OD1730000000000001", "cancellationGroupId": "grp1730000000000001",
       "orderDate": "2017-03-28T17:58:01.123+05:30", "paymentType": "COD", "status": "APPROVED", "quantity": 2.0,
       "fsn": "MOBXYZ1234567890", "sku": "sku-\u00e9\ud83d\ude00", "listingId": "LST1", "title": "Phone", "hsn": null,
       "packageIds": ["PKG1"], "serviceProfile": "Seller_Fulfilment", "is_replacement": true,
       "priceComponents": {"sellingPrice": 156, "totalPrice": 159.00, "shippingCharge": 3.005, "customerPrice": 1.59e2, "flipkartDiscount": 0},
       "extensions": {"cancelledQuantity": 1, "giftChargePerUnit": 2}},
      {"orderItemId": "1730000000000002", "orderId": "OD1730000000000001", "quantity": 1, "status": "PACKED"}],
    "forms": [{"name": "Form-A", "link": "https://forms.example/a", "automated": false, "status": "In-progress"}],
    "dispatchLocation": null,
    "extensions": {"services": [{"serviceFulfilmentId": "SF1", "orderItemId": "1730000000000001", "serviceByDate": "2017-04-20T00:00:00Z"}],
      "deliveryAddress": {"firstName": "A", "pinCode": "560001", "addressLine1": "1 Road"}}
  }
}`

func read(tb testing.TB, body string) marketplace.Notification {
	tb.Helper()
	n, err := marketplace.ParseNotification([]byte(body), marketplace.DefaultSettings())
	require.NoError(tb, err)
	return n
}

// envelope returns an envelope with this type, id member and attributes.
func envelope(eventType, id, attributes string) string {
	return fmt.Sprintf(`{"eventType":%q,"timestamp":"2017-03-28T18:03:01Z","source":"flipkart",%s,"attributes":%s}`, eventType, id, attributes)
}

const (
	anyShipment = `"shipmentId":"S1"`
	anyReturn   = `"returnId":"R1"`
)

func TestParseNotificationCreated(t *testing.T) {
	t.Parallel()
	n := read(t, createdJSON)
	require.Equal(t, "a8b6c5f6-5eb5-4c44-9c40-e5a1a2dd8b87", n.ShipmentID)
	require.Equal(t, time.Date(2017, 3, 28, 12, 33, 1, 0, time.UTC), n.At)
	c, ok := n.Input().(shipment.Created)
	require.True(t, ok, "%T", n.Input())
	require.Equal(t, shipment.Fact{ShipmentID: n.ShipmentID, LocationID: "LOC1234", At: n.At, Source: "flipkart"}, c.Fact)
	require.Equal(t, "OD1730000000000001", c.OrderID)
	require.Equal(t, ledgerv1.Status_STATUS_APPROVED, c.Status)
	require.Equal(t, time.Date(2017, 3, 29, 4, 30, 0, 0, time.UTC), c.DispatchAfter)
	require.Equal(t, time.Date(2017, 4, 10, 4, 30, 0, 0, time.UTC), c.DispatchBy)
	require.Equal(t, time.Date(2017, 4, 15, 18, 29, 59, 999e6, time.UTC), c.DeliverBy, "a plain day means its end in IST")
	require.Len(t, c.Items, 2)
	first := c.Items[0]
	require.Equal(t, uint32(2), first.Quantity)
	require.Equal(t, uint32(1), first.Cancelled)
	require.Equal(t, "sku-é😀", first.Details.GetSku())
	require.JSONEq(t, `{"cancelledQuantity":1,"giftChargePerUnit":2}`, first.Details.GetExtensionsJson())
	require.True(t, first.Details.GetIsReplacement())
	price := first.Details.GetPrice()
	require.Equal(t, "INR", price.GetCurrency())
	require.Equal(t, []int64{15600, 15900, 301, 15900, 0}, []int64{
		price.GetSellingMinor(), price.GetTotalMinor(), price.GetShippingMinor(), price.GetCustomerMinor(),
		price.GetMarketplaceDiscountMinor(),
	})
	require.Nil(t, c.Items[1].Details.GetPrice(), "an absent price is no price")
	require.Equal(t, ledgerv1.Status_STATUS_PACKED, c.Items[1].Status)
	require.Equal(t, "B-1", c.Details.GetSubShipments()[0].GetPackages()[0].GetSku())
	require.InDelta(t, 10.5, c.Details.GetSubShipments()[0].GetPackages()[0].GetDimensions().GetLength(), 0)
	require.Equal(t, "560001", c.Details.GetDeliveryAddress().GetPincode())
	require.Equal(t, ledgerv1.FormStatus_FORM_STATUS_IN_PROGRESS, c.Forms[0].GetStatus())
	require.Equal(t, []shipment.ActivateService{{
		ServiceID: "SF1", OrderItemID: "1730000000000001", DueAt: time.Date(2017, 4, 20, 0, 0, 0, 0, time.UTC),
	}}, c.Services)
}

func TestParseNotificationEventTypes(t *testing.T) {
	t.Parallel()
	fact := shipment.Fact{ShipmentID: "S1", At: time.Date(2017, 3, 28, 18, 3, 1, 0, time.UTC), Source: "flipkart"}
	reached := func(s ledgerv1.Status) shipment.Input { return shipment.StatusReached{Fact: fact, Status: s} }
	for body, want := range map[string]shipment.Input{
		envelope("shipment_hold", anyShipment, `{"orderItems":[{"orderItemId":"1","holdQuantity":2}]}`): shipment.Hold{
			Fact: fact, Items: []*ledgerv1.ItemUnits{{OrderItemId: "1", Units: 2}},
		},
		envelope("shipment_hold", anyShipment, `{}`):                           shipment.Hold{Fact: fact},
		envelope("shipment_unhold", anyShipment, `{"status":"PACKED"}`):        shipment.Unhold{Fact: fact, Status: ledgerv1.Status_STATUS_PACKED},
		envelope("shipment_packed", anyShipment, `{"status":"PACKED"}`):        reached(ledgerv1.Status_STATUS_PACKED),
		envelope("shipment_ready_to_dispatch", anyShipment, `{}`):              reached(ledgerv1.Status_STATUS_READY_TO_DISPATCH),
		envelope("shipment_pickup_complete", anyShipment, `{}`):                reached(ledgerv1.Status_STATUS_PICKUP_COMPLETE),
		envelope("shipment_shipped", anyShipment, `{"status":"SHIPPED"}`):      reached(ledgerv1.Status_STATUS_SHIPPED),
		envelope("shipment_delivered", anyShipment, `null`):                    reached(ledgerv1.Status_STATUS_DELIVERED),
		envelope("shipment_form_failed", anyShipment, `{"forms":["F1","F2"]}`): shipment.FormsFailed{Fact: fact, Forms: []string{"F1", "F2"}},
		envelope("shipment_dispatch_dates_changed", anyShipment, `{"dispatchByDate":"2017-04-01T00:00:00Z"}`): shipment.DatesChanged{
			Fact: fact, DispatchBy: time.Date(2017, 4, 1, 0, 0, 0, 0, time.UTC),
		},
		envelope("shipment_cancelled", anyShipment, `{"status":"CANCELLED","orderItems":[{"orderItemId":"1","quantity":1,"reason":"order_cancelled","subReason":"x"}]}`): shipment.Cancelled{
			Fact: fact, Items: []shipment.CancelledItem{{OrderItemID: "1", Quantity: 1, Reason: "order_cancelled", SubReason: "x"}},
		},
		envelope("return_item_tracking_id_update", anyReturn+","+anyShipment, `{"returnItems":[{"orderItemId":"1","trackingId":"T","courierName":"C"}]}`): shipment.ReturnTracked{
			Fact: fact, ReturnID: "R1", Lines: []*ledgerv1.ReturnTracking{{OrderItemId: "1", TrackingId: "T", CourierName: "C"}},
		},
		envelope("return_picked_up", anyReturn+","+anyShipment, `{"returnItems":[{"orderItemId":"1"}]}`): shipment.ReturnReached{
			Fact: fact, ReturnID: "R1", Status: ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP, OrderItemIDs: []string{"1"},
		},
		envelope("return_completed", anyReturn+","+anyShipment, `{}`): shipment.ReturnReached{
			Fact: fact, ReturnID: "R1", Status: ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED,
		},
		envelope("return_cancelled", anyReturn+","+anyShipment, `{}`): shipment.ReturnReached{
			Fact: fact, ReturnID: "R1", Status: ledgerv1.ReturnStatus_RETURN_STATUS_CANCELLED,
		},
	} {
		n := read(t, body)
		require.Equal(t, want, n.Input(), body)
		require.Equal(t, []string{"S1"}, n.ShipmentIDs())
	}
	n := read(t, envelope("return_expected_date_changed", anyReturn+","+anyShipment, `{"returnItems":[{"orderItemId":"1","expectedDate":"2017-04-01T00:00:00Z"}]}`))
	expected, ok := n.Input().(shipment.ReturnExpected)
	require.True(t, ok)
	require.Equal(t, time.Date(2017, 4, 1, 0, 0, 0, 0, time.UTC), expected.Lines[0].GetExpectedDate().AsTime())
}

func TestNotificationForSplitsReturn(t *testing.T) {
	t.Parallel()
	n := read(t, envelope("return_created", anyReturn, `{"returnItems":[
		{"orderItemId":"1","quantity":1,"source":"customer_return","shipmentId":"S1","services":[{"serviceFulfilmentId":"V1"}]},
		{"orderItemId":"2","quantity":1,"source":"customer_return","shipmentId":"S2"},
		{"orderItemId":"3","quantity":2,"source":"customer_return","shipmentId":"S1"}]}`))
	require.Equal(t, []string{"S1", "S2"}, n.ShipmentIDs())
	one, two := n.For("S1", ""), n.For("S2", "seller")
	require.NotEqual(t, one.Key(), two.Key(), "both may be in one lane")
	first, ok := one.Input().(shipment.ReturnReported)
	require.True(t, ok)
	require.Len(t, first.Lines, 2)
	require.Equal(t, "R1", first.Lines[0].Return.GetReturnId())
	require.Equal(t, &shipment.RequestTechVisit{ReturnID: "R1", ServiceID: "V1", OrderItemID: "1"}, first.Lines[0].TechVisit)
	second, ok := two.Input().(shipment.ReturnReported)
	require.True(t, ok)
	require.Len(t, second.Lines, 1)
	require.Equal(t, shipment.Fact{ShipmentID: "S2", SellerID: "seller", At: n.At, Source: "flipkart"}, second.Fact)

	only := read(t, envelope("return_completed", anyReturn, `{"returnItems":[{"orderItemId":"1"}]}`))
	require.Empty(t, only.ShipmentIDs(), "only the resolver knows the shipment")
	resolved := only.For("S9", "seller")
	require.Equal(t, "return_completed/R1@S9/2017-03-28T18:03:01Z/", resolved.Key()[:len(resolved.Key())-32])
}

func TestNotificationKeyIgnoresSpelling(t *testing.T) {
	t.Parallel()
	one := read(t, envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1,"reason":"a"}]}`))
	for name, same := range map[string]string{
		"order and space": `{ "attributes": {"orderItems": [ {"reason":"a","quantity":1,"orderItemId":"1"} ]}, "source":"flipkart",
			"shipmentId":"S1","eventType":"shipment_cancelled","timestamp":"2017-03-28T18:03:01Z"}`,
		"escapes":          strings.Replace(envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1,"reason":"\u0061"}]}`), "S1", `\u00531`, 1),
		"the same instant": strings.Replace(envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1,"reason":"a"}]}`), "18:03:01Z", "23:33:01+05:30", 1),
	} {
		again := read(t, same)
		require.Equal(t, one.Key(), again.Key(), name)
		require.Equal(t, one.Hash, again.Hash, name)
	}
	for name, other := range map[string]string{
		"another item":   envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"2","quantity":1,"reason":"a"}]}`),
		"a new member":   envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1,"reason":"a","new":null}]}`),
		"text, not null": envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1,"reason":"a","new":"z"}]}`),
		"another time":   strings.Replace(envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1,"reason":"a"}]}`), "01Z", "02Z", 1),
	} {
		n := read(t, other)
		require.NotEqual(t, one.Key(), n.Key(), name)
	}
}

func TestParseNotificationMalformed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body    string
		problem marketplace.Problem
		path    string
		offset  int
	}{
		"empty body":            {"", marketplace.ProblemNotJSON, "", 0},
		"not JSON":              {"eventType=shipment_created", marketplace.ProblemNotJSON, "", 0},
		"cut off":               {`{"eventType":"shipment_cr`, marketplace.ProblemNotJSON, "", 25},
		"two values":            {`{} {}`, marketplace.ProblemNotJSON, "", 3},
		"trailing comma":        {`{"a":1,}`, marketplace.ProblemNotJSON, "", 7},
		"leading zero":          {`{"a":01}`, marketplace.ProblemNotJSON, "", 6},
		"unknown escape":        {`{"a":"\x"}`, marketplace.ProblemNotJSON, "", 6},
		"invalid UTF-8":         {"{\"a\":\"\xff\"}", marketplace.ProblemUTF8, "", 6},
		"an array":              {`[]`, marketplace.ProblemType, "", 0},
		"too deep":              {strings.Repeat("[", 100) + strings.Repeat("]", 100), marketplace.ProblemTooDeep, "", 65},
		"no event type":         {`{"timestamp":"2017-03-28T18:03:01Z","shipmentId":"S1"}`, marketplace.ProblemMissing, "", 0},
		"no id":                 {`{"eventType":"shipment_created","timestamp":"2017-03-28T18:03:01Z"}`, marketplace.ProblemMissing, "", 0},
		"no time":               {`{"eventType":"shipment_created","shipmentId":"S1"}`, marketplace.ProblemMissing, "", 0},
		"an empty time":         {`{"eventType":"shipment_created","shipmentId":"S1","timestamp":""}`, marketplace.ProblemMissing, "", 0},
		"not a time":            {`{"eventType":"x","shipmentId":"S1","timestamp":"yesterday"}`, marketplace.ProblemTime, "timestamp", strings.Index(`{"eventType":"x","shipmentId":"S1","timestamp":"yesterday"}`, `"yest`)},
		"a number for an id":    {`{"eventType":"shipment_created","shipmentId":17,"timestamp":"2017-03-28T18:03:01Z"}`, marketplace.ProblemType, "shipmentId", 45},
		"string for attributes": {envelope("shipment_created", anyShipment, `"x"`), marketplace.ProblemType, "attributes", 118},
		"string for a quantity": {
			envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1},{"orderItemId":"1","quantity":"1"}]}`),
			marketplace.ProblemType, "attributes.orderItems[1].quantity", 198,
		},
		"duplicate member": {envelope("shipment_hold", anyShipment, `{"a":{"b":1,"b":2}}`), marketplace.ProblemDuplicate, "attributes.a.b", 0},
	} {
		_, err := marketplace.ParseNotification([]byte(tc.body), marketplace.DefaultSettings())
		var problem *marketplace.ProblemError
		require.ErrorAs(t, err, &problem, name)
		require.Equal(t, tc.problem, problem.Problem, name)
		require.Equal(t, tc.path, problem.Path, name)
		if tc.offset > 0 {
			require.Equal(t, tc.offset, problem.Offset, name)
		}
	}
}

// Half a surrogate pair, which senders make that cut a text, reads as U+FFFD everywhere but in ids.
func TestParseNotificationHalfSurrogate(t *testing.T) {
	t.Parallel()
	body := func(id, title, key string) string {
		return envelope("shipment_created", `"shipmentId":"`+id+`"`, `{"orderItems":[{"orderItemId":"1","quantity":1,
			"title":"`+title+`","extensions":{"`+key+`":"`+title+`"}}]}`)
	}
	for title, want := range map[string]string{
		`Mug \ud83c`: "Mug \ufffd", `\ud83cMug`: "\ufffdMug", `\udf75`: "\ufffd", `\ud83c\ud83c\udf75!`: "\ufffd🍵!",
		`\ud83c\n`: "\ufffd\n", `\\ud83c`: `\ud83c`, `\ud83c\udf75`: "🍵", `\ud83c\u0041`: "\ufffdA",
	} {
		n := read(t, body("S1", title, "k"))
		c, ok := n.Input().(shipment.Created)
		require.True(t, ok, "%s: %v", title, n.Input())
		details := c.Items[0].Details
		require.Equal(t, want, details.GetTitle(), title)
		var extensions map[string]string
		require.NoError(t, json.Unmarshal([]byte(details.GetExtensionsJson()), &extensions))
		require.Equal(t, want, extensions["k"], title)
		if strings.ContainsRune(want, utf8.RuneError) {
			require.Contains(t, details.GetExtensionsJson(), `\ufffd`, "no half is kept")
		}
	}
	t.Run("in a name", func(t *testing.T) {
		t.Parallel()
		n := read(t, body("S1", "x", `\ud83c`))
		require.IsType(t, shipment.Created{}, n.Input())
	})
	t.Run("in an id", func(t *testing.T) {
		t.Parallel()
		one, other := read(t, body(`S\ud83c`, "x", "k")), read(t, body(`S\ud83d`, "x", "k"))
		code, _, _ := one.Unintelligible()
		require.Equal(t, shipment.ReasonBadID, code)
		require.NotEqual(t, one.Key(), other.Key())
	})
	t.Run("in the hash", func(t *testing.T) {
		t.Parallel()
		one, other := read(t, body("S1", `x\ud83c`, "k")), read(t, body("S1", `x\ud83d`, "k"))
		require.NotEqual(t, one.Key(), other.Key(), "two facts")
	})
}

func TestParseNotificationInvalid(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100_000)
	for name, tc := range map[string]struct {
		body string
		code shipment.Code
	}{
		"unknown event type":     {envelope("order_teleported", anyShipment, `{}`), shipment.ReasonUnknownEventType},
		"the year 0":             {strings.Replace(envelope("shipment_shipped", anyShipment, `{}`), "2017", "0000", 1), shipment.ReasonBadTime},
		"the year 9999":          {strings.Replace(envelope("shipment_shipped", anyShipment, `{}`), "2017", "9999", 1), shipment.ReasonBadTime},
		"quantity -1":            {envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":-1}]}`), shipment.ReasonBadQuantity},
		"half a unit":            {envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":0.5}]}`), shipment.ReasonBadQuantity},
		"negative holdQuantity":  {envelope("shipment_hold", anyShipment, `{"orderItems":[{"orderItemId":"1","holdQuantity":-1}]}`), shipment.ReasonBadQuantity},
		"a quantity of 1e300":    {envelope("shipment_created", anyShipment, `{"orderItems":[{"orderItemId":"1","quantity":1e300}]}`), shipment.ReasonBadQuantity},
		"no quantity":            {envelope("shipment_created", anyShipment, `{"orderItems":[{"orderItemId":"1"}]}`), shipment.ReasonBadQuantity},
		"an id of 100 kB":        {envelope("shipment_shipped", `"shipmentId":"`+long+`"`, `{}`), shipment.ReasonBadID},
		"a NUL in an id":         {envelope("shipment_shipped", `"shipmentId":"a\u0000"`, `{}`), shipment.ReasonBadID},
		"an item id of 100 kB":   {envelope("shipment_created", anyShipment, `{"orderItems":[{"quantity":1,"orderItemId":"`+long+`"}]}`), shipment.ReasonBadID},
		"no items":               {envelope("shipment_created", anyShipment, `{}`), shipment.ReasonNoItems},
		"no attributes":          {`{"eventType":"shipment_created","timestamp":"2017-03-28T18:03:01Z","shipmentId":"S1"}`, shipment.ReasonBadBody},
		"no good line":           {envelope("shipment_created", anyShipment, `{"orderItems":[{"quantity":0,"orderItemId":"1"},{"quantity":1}]}`), shipment.ReasonBadQuantity},
		"no good line to cancel": {envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"1"}]}`), shipment.ReasonBadQuantity},
		"no good line to hold":   {envelope("shipment_hold", anyShipment, `{"orderItems":[{"orderItemId":"1"}]}`), shipment.ReasonBadQuantity},
		"no good line returned":  {envelope("return_completed", anyReturn+","+anyShipment, `{"returnItems":[{"orderItemId":""}]}`), shipment.ReasonBadID},
		"February 30":            {envelope("shipment_dispatch_dates_changed", anyShipment, `{"dispatchByDate":"2017-02-30"}`), shipment.ReasonBadTime},
		"no dates":               {envelope("shipment_dispatch_dates_changed", anyShipment, `{}`), shipment.ReasonBadBody},
		"only a return id":       {envelope("shipment_shipped", anyReturn, `{}`), shipment.ReasonBadBody},
		"no source":              {envelope("return_created", anyReturn, `{"returnItems":[{"orderItemId":"1","quantity":1}]}`), shipment.ReasonBadBody},
	} {
		n := read(t, tc.body)
		in, ok := n.Input().(shipment.Unintelligible)
		require.True(t, ok, "%s: %T", name, n.Input())
		require.Equal(t, tc.code, in.Reason, "%s: %s", name, in.Message)
		require.NotEmpty(t, in.ShipmentID, "%s: a decision needs a shipment", name)
		require.Equal(t, in.ShipmentID, n.ShipmentIDs()[0])
		require.Less(t, len(n.Key()), 512, name)
	}
}

// A line that makes no sense does not hide the good ones beside it.
func TestParseNotificationLeavesLinesOut(t *testing.T) {
	t.Parallel()
	n := read(t, envelope("shipment_created", anyShipment, `{"dispatchByDate":"9999-12-31","orderItems":[
		{"orderItemId":"1","quantity":0},{"orderItemId":"2","quantity":2,"status":"LOST","hsn":7,"orderId":"O1"},
		{"orderItemId":"2","quantity":2},{"orderItemId":"3","quantity":1,"orderId":"O2"}],
		"extensions":{"services":{},"deliveryAddress":{"pincode":560001,"city":"Pune"}}}`))
	c, ok := n.Input().(shipment.Created)
	require.True(t, ok, "%v", n.Input())
	require.Len(t, c.Items, 2)
	require.Equal(t, "Pune", c.Details.GetDeliveryAddress().GetCity())
	require.Equal(t, "O1", c.OrderID)
	require.ElementsMatch(t, []string{
		"attributes.dispatchByDate: year 9999 is out of range",
		"attributes.extensions.deliveryAddress.pincode: want a string, got a number",
		"attributes.extensions.services: want an array, got an object",
		"attributes.orderItems[0].quantity: 0 is not a valid number of units",
		"attributes.orderItems[1].status: unknown order item state",
		"attributes.orderItems[1].hsn: want a string, got a number",
		"attributes.orderItems[2]: duplicate order item 2",
		"attributes.orderItems[3].orderId: differs between items",
	}, c.LeftOut)
}

func TestParseNotificationBoundsLeftOut(t *testing.T) {
	t.Parallel()
	line := `{"orderItemId":"ID","quantity":1,"title":1,"hsn":1,"fsn":1}`
	var lines []string
	for i := range 1000 {
		lines = append(lines, strings.Replace(line, "ID", strconv.Itoa(i), 1))
	}
	n := read(t, envelope("shipment_created", anyShipment, `{"orderItems":[`+strings.Join(lines, ",")+`]}`))
	c, ok := n.Input().(shipment.Created)
	require.True(t, ok)
	require.Len(t, c.Items, 1000)
	require.Len(t, c.LeftOut, 1000)
}

func TestParseNotificationHugeBody(t *testing.T) {
	t.Parallel()
	n := read(t, envelope("shipment_form_failed", anyShipment, `{"forms":["F1"],"pad":"`+strings.Repeat("x", 1<<20)+`"}`))
	require.IsType(t, shipment.FormsFailed{}, n.Input())
}

func FuzzParseNotification(f *testing.F) {
	f.Add([]byte(createdJSON))
	f.Add([]byte(envelope("return_created", anyReturn, `{"returnItems":[{"orderItemId":"1","quantity":1,"source":"courier_return","shipmentId":"S1"}]}`)))
	f.Add([]byte(envelope("shipment_cancelled", anyShipment, `{"orderItems":[{"orderItemId":"\ud83d\ude00","quantity":-1e-9}]}`)))
	f.Add([]byte(`{"eventType":"x","shipmentId":"S1","timestamp":"2017-03-28T18:03:01.5+05"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, err := marketplace.ParseNotification(body, marketplace.DefaultSettings())
		if err != nil {
			var problem *marketplace.ProblemError
			require.ErrorAs(t, err, &problem)
			require.LessOrEqual(t, problem.Offset, len(body))
			return
		}
		again, err := marketplace.ParseNotification(body, marketplace.DefaultSettings())
		require.NoError(t, err)
		require.Equal(t, n.Key(), again.Key())
		require.NotNil(t, n.Input())
		for _, id := range n.ShipmentIDs() {
			part := n.For(id, "seller")
			require.NotNil(t, part.Input())
		}
		parts := n.Parts()
		require.NoError(t, marketplace.Split(body, marketplace.DefaultSettings(), parts))
		for _, p := range parts {
			_, err := marketplace.ParseNotification(p.Body, marketplace.DefaultSettings())
			require.NoError(t, err)
		}
	})
}

func BenchmarkParseNotification(b *testing.B) {
	body := []byte(createdJSON)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		n, err := marketplace.ParseNotification(body, marketplace.DefaultSettings())
		if err != nil {
			b.Fatal(err)
		}
		_ = n.Key()
		_ = n.Input()
	}
}
