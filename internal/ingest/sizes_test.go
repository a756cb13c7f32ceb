package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// hindi is a title of 75 characters, which are 225 bytes.
var hindi = strings.Repeat("कमल", 25)

// ofLines returns a notification with one element of a list for each of n items.
func ofLines(eventType, envelope, list string, n int, line func(i int) string) string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"orderItemId":"11%012d0000",%s}`, i, line(i))
	}
	return fmt.Sprintf(`{"eventType":%q,"source":"flipkart",%s,"attributes":{%q:[%s]}}`,
		eventType, envelope, list, strings.Join(lines, ","))
}

func wideOrder(shipmentID string, n int, more string) string {
	return ofLines("shipment_created", `"timestamp":"2024-03-28T18:03:01+05:30","locationId":"LOC1","shipmentId":"`+shipmentID+`"`,
		"orderItems", n, func(i int) string {
			return fmt.Sprintf(`"orderId":"OD1","cancellationGroupId":"grp-%d","quantity":2,"sku":"SKU-%d","listingId":"LST-%d","fsn":"FSN-%d",`+
				`"orderDate":"2024-03-28T17:00:00+05:30","paymentType":"COD","hsn":"61099090","status":"APPROVED","title":%q,`+
				`"priceComponents":{"sellingPrice":199.90,"shippingCharge":0.10,"totalPrice":200,"customerPrice":190,"flipkartDiscount":9.9}%s`,
				i, i, i, i, hindi, more)
		})
}

func envelopeOf(shipmentID, hour string) string {
	return fmt.Sprintf(`"timestamp":"2024-04-01T%s:00:00+05:30","shipmentId":%q`, hour, shipmentID)
}

// sendWide sends a body that the API takes.
func (b *bundle) sendWide(body string) {
	b.t.Helper()
	require.Less(b.t, len(body), 1<<20)
	b.notify(body)
}

func (b *bundle) applied(n int) {
	b.t.Helper()
	for _, d := range b.decisions(n) {
		require.Equal(b.t, ledgerv1.Outcome_OUTCOME_APPLIED, d.GetOutcome(), "%s: %s", d.GetInputType(), d.GetMessage())
	}
}

// Orders as wide as the API takes are created, and everything that the marketplace reports about them is recorded.
func TestNotificationsCancelWideOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	body := wideOrder("W1", 985, "")
	require.Greater(t, len(body), 550_000)
	b.sendWide(body)
	b.state("W1", status(ledgerv1.Status_STATUS_APPROVED))
	b.sendWide(ofLines("shipment_cancelled", envelopeOf("W1", "10"), "orderItems", 985, func(int) string {
		return `"quantity":2,"reason":"order_cancelled","subReason":"customer changed mind"`
	}))
	b.state("W1", status(ledgerv1.Status_STATUS_CANCELLED))
	b.sendWide(ofLines("shipment_shipped", envelopeOf("W1", "09"), "orderItems", 0, nil))
	s := b.state("W1", func(s *ledgerv1.Shipment) bool { return s.GetVersion() == 3 })
	require.Equal(t, ledgerv1.Status_STATUS_CANCELLED, s.GetStatus())
	require.Len(t, s.GetItems()[984].GetCancellations(), 1)
	require.Equal(t, hindi, s.GetItems()[984].GetDetails().GetTitle())
	b.applied(3)
}

func TestNotificationsReturnWideOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	body := wideOrder("W2", 1000, `,"extensions":{"barcode":"8901234567890","note":"`+hindi[:180]+`"}`)
	require.Greater(t, len(body), 805_000)
	b.sendWide(body)
	b.state("W2", status(ledgerv1.Status_STATUS_APPROVED))
	b.sendWide(ofLines("shipment_hold", envelopeOf("W2", "10"), "orderItems", 1000, func(int) string {
		return `"holdQuantity":2`
	}))
	b.sendWide(ofLines("shipment_unhold", envelopeOf("W2", "11"), "orderItems", 0, nil))
	b.sendWide(ofLines("shipment_cancelled", envelopeOf("W2", "12"), "orderItems", 1000, func(int) string {
		return `"quantity":1,"reason":"order_cancelled"`
	}))
	b.sendWide(ofLines("shipment_shipped", envelopeOf("W2", "13"), "orderItems", 0, nil))
	comment := strings.Repeat("क", 200)
	b.sendWide(ofLines("return_created", envelopeOf("W2", "14")+`,"returnId":"R1"`, "returnItems", 1000, func(int) string {
		return `"quantity":1,"source":"customer_return","reason":"DEFECTIVE","comments":"` + comment + `"`
	}))
	b.sendWide(ofLines("return_completed", envelopeOf("W2", "15")+`,"returnId":"R1"`, "returnItems", 0, nil))
	s := b.state("W2", status(ledgerv1.Status_STATUS_RETURNED))
	require.Equal(t, comment, s.GetReturns()[999].GetComments())
	b.applied(7)
}

// A creation that no record can hold is quarantined with 200: a 400 would block the marketplace behind it.
func TestNotificationsTooLarge(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(wideOrder("W1", 1001, ""))
	d := b.decisions(1)[0]
	require.Equal(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome())
	require.EqualValues(t, shipment.ReasonTooLarge, d.GetReason())
	require.NotEmpty(t, d.GetBody())
}
