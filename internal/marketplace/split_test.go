package marketplace_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
)

// overShipments returns a return_created with one line in each of n shipments, padded to about size bytes.
func overShipments(n, size int) string {
	pad := ""
	if each := size/n - 190; each > 0 {
		pad = fmt.Sprintf(`,"comments":%q`, strings.Repeat("x", each))
	}
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(
			`{"orderItemId":"17300000000%05d","quantity":1,"source":"customer_return","shipmentId":"a8b6c5f6-5eb5-4c44-9c40-%012d"%s}`,
			i, i, pad)
	}
	return envelope("return_created", anyReturn+`,"locationId":"LOC1234","version":"v3"`,
		`{"status":"RETURN_CREATED","returnItems":[`+strings.Join(lines, ",")+`]}`)
}

func TestSplitBoundsBytes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ shipments, size int }{{2, 0}, {8, 0}, {1000, 0}, {1000, 1 << 20}, {3, 1 << 20}} {
		body := overShipments(tc.shipments, tc.size)
		n := read(t, body)
		parts := n.Parts()
		require.Len(t, parts, tc.shipments)
		require.NoError(t, marketplace.Split([]byte(body), marketplace.DefaultSettings(), parts))
		total := 0
		for _, p := range parts {
			total += len(p.Body)
		}
		require.LessOrEqual(t, total, 2*len(body)+500*tc.shipments, "%d shipments, %d bytes", tc.shipments, len(body))
		t.Logf("%d shipments: %d bytes in, %d bytes in the parts", tc.shipments, len(body), total)
	}
}

func TestSplitReadsAsParts(t *testing.T) {
	t.Parallel()
	body := []byte(envelope("return_created", anyReturn+`,"locationId":"LOC1","sellerId":"own"`, `{"returnItems":[
		{"orderItemId":"1","quantity":1,"source":"customer_return","shipmentId":"S2","reason":"\u0022"},
		{"orderItemId":"2","quantity":1,"source":"customer_return","shipmentId":"S1"},
		{"orderItemId":"3","quantity":2,"source":"customer_return","shipmentId":"S2"}]}`))
	n := read(t, string(body))
	parts := n.Parts()
	require.NoError(t, marketplace.Split(body, marketplace.DefaultSettings(), parts))
	decode := marketplace.Decode(marketplace.DefaultSettings())
	for i, want := range []struct {
		shipmentID string
		items      []string
	}{{"S2", []string{"1", "3"}}, {"S1", []string{"2"}}} {
		require.Equal(t, want.shipmentID, parts[i].ShipmentID)
		got, err := decode(want.shipmentID, "own", parts[i].Body)
		require.NoError(t, err)
		whole := n.For(want.shipmentID, "own")
		expected, ok := whole.Input().(shipment.ReturnReported)
		require.True(t, ok)
		require.Len(t, expected.Lines, len(want.items))
		expected.Siblings = shipment.Siblings{ShipmentIDs: []string{"S1", "S2"}, Count: 2}
		require.Equal(t, expected, got)
	}
}

// A line that makes no sense goes with the part of its shipment, or with the first, so that a decision names it.
func TestSplitKeepsBadLines(t *testing.T) {
	t.Parallel()
	body := []byte(envelope("return_created", anyReturn, `{"returnItems":[
		{"orderItemId":"0","quantity":0,"source":"customer_return"},
		{"orderItemId":"1","quantity":1,"source":"customer_return","shipmentId":"S1"},
		{"orderItemId":"2","quantity":1,"source":"customer_return","shipmentId":"S2"},
		{"orderItemId":"3","quantity":1,"source":"nobody","shipmentId":"S2"}]}`))
	n := read(t, string(body))
	require.Equal(t, []marketplace.ReturnLine{{"1", "S1"}, {"2", "S2"}}, n.Lines())
	parts := n.Parts()
	require.NoError(t, marketplace.Split(body, marketplace.DefaultSettings(), parts))
	for i, want := range []string{
		"attributes.returnItems[1].quantity: 0 is not a valid number of units",
		"attributes.returnItems[1]: source must be customer_return or courier_return",
	} {
		part := read(t, string(parts[i].Body))
		in, ok := part.Input().(shipment.ReturnReported)
		require.True(t, ok)
		require.Len(t, in.Lines, 1)
		require.Equal(t, []string{want}, in.LeftOut)
	}
	assigned, err := marketplace.Assign([]byte(strings.Replace(string(body), `,"shipmentId":"S1"`, "", 1)), marketplace.DefaultSettings(), "1", "S1")
	require.NoError(t, err)
	n = read(t, string(assigned))
	require.Equal(t, []string{"S1", "S2"}, n.ShipmentIDs())
}

func TestSplitNamesEightSiblings(t *testing.T) {
	t.Parallel()
	body := []byte(overShipments(20, 0))
	n := read(t, string(body))
	parts := n.Parts()
	require.NoError(t, marketplace.Split(body, marketplace.DefaultSettings(), parts))
	known := map[string]bool{}
	for i, p := range parts {
		part := read(t, string(p.Body))
		reported, ok := part.Input().(shipment.ReturnReported)
		require.True(t, ok)
		require.EqualValues(t, 20, reported.Siblings.Count)
		require.Contains(t, reported.Siblings.ShipmentIDs, p.ShipmentID, i)
		require.LessOrEqual(t, len(reported.Siblings.ShipmentIDs), 8)
		for _, id := range reported.Siblings.ShipmentIDs {
			known[id] = true
		}
	}
	require.Len(t, known, 20)
}

func TestSplitKeepsWholeBody(t *testing.T) {
	t.Parallel()
	body := []byte(envelope("return_completed", anyReturn, `{"status":"RETURN_COMPLETED"}`))
	parts := []marketplace.Part{{ShipmentID: "S1"}, {ShipmentID: "S2"}}
	require.NoError(t, marketplace.Split(body, marketplace.DefaultSettings(), parts))
	require.Equal(t, body, parts[0].Body)
	require.Equal(t, body, parts[1].Body)
}

func TestAssignNamesShipment(t *testing.T) {
	t.Parallel()
	body := []byte(envelope("return_created", anyReturn, `{"returnItems":[
		{"orderItemId":"1","quantity":1,"source":"customer_return","shipmentId":null},
		{"orderItemId":"2","quantity":1,"source":"customer_return","shipmentId":"S2"},
		{"quantity":3,"source":"courier_return","orderItemId":"3"}]}`))
	n := read(t, string(body))
	require.Empty(t, n.ShipmentIDs(), "two lines name no shipment")
	one, err := marketplace.Assign(body, marketplace.DefaultSettings(), "1", "S1")
	require.NoError(t, err)
	both, err := marketplace.Assign(one, marketplace.DefaultSettings(), "3", "S2")
	require.NoError(t, err)
	n = read(t, string(both))
	require.Equal(t, []string{"S1", "S2"}, n.ShipmentIDs())
	require.Equal(t, []marketplace.ReturnLine{{"1", "S1"}, {"2", "S2"}, {"3", "S2"}}, n.Lines())
	two := n.For("S2", "")
	reported, ok := two.Input().(shipment.ReturnReported)
	require.True(t, ok)
	require.EqualValues(t, 3, reported.Lines[1].Quantity)
}

// A sender can write the member that names siblings, too.
func TestParseNotificationIgnoresBadSiblings(t *testing.T) {
	t.Parallel()
	for _, member := range []string{
		`"x"`, `{}`, `{"shipmentCount":"2","shipmentIds":["S1"]}`, `{"shipmentCount":2,"shipmentIds":"S1"}`,
		`{"shipmentCount":2,"shipmentIds":["S1",7]}`, `{"shipmentCount":9999999999,"shipmentIds":["S1"]}`,
		`{"shipmentCount":9,"shipmentIds":["1","2","3","4","5","6","7","8","9"]}`,
		`{"shipmentCount":2,"shipmentIds":["` + strings.Repeat("x", 1000) + `"]}`,
	} {
		n := read(t, envelope("return_created", anyReturn+`,"orderledger":`+member,
			`{"returnItems":[{"orderItemId":"1","quantity":1,"source":"customer_return","shipmentId":"S1"}]}`))
		reported, ok := n.Input().(shipment.ReturnReported)
		require.True(t, ok, member)
		require.Empty(t, reported.Siblings, member)
	}
}
