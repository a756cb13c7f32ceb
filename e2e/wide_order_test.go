package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
)

// TestWideOrder sends an order of 1,000 lines with long titles, cancels all of it, and reports it as shipped. The
// fulfilment system must get the cancellation, and the tables must have every line.
func TestWideOrder(t *testing.T) {
	const lines = 1000
	s := newStack(t)
	title := strings.Repeat("कमल", 25)
	list := func(line func(i int) string) string {
		all := make([]string, lines)
		for i := range all {
			all[i] = fmt.Sprintf(`{"orderItemId":"item-%016d",%s}`, i, line(i))
		}
		return `{"orderItems":[` + strings.Join(all, ",") + `]}`
	}
	for _, body := range []string{
		envelope("shipment_created", "wide", "2026-11-01T10:00:00+05:30", list(func(i int) string {
			return fmt.Sprintf(`"orderId":"OD1","quantity":2,"status":"APPROVED","sku":"SKU-%06d","title":%q,"hsn":"61099090",`+
				`"fsn":"FSN%013d","listingId":"LSTFSN%018d","cancellationGroupId":"group-%012d","orderDate":"2026-11-01T09:00:00+05:30",`+
				`"paymentType":"PREPAID","priceComponents":{"sellingPrice":399.90,"totalPrice":420.40,"shippingCharge":20.50,`+
				`"customerPrice":399.90,"flipkartDiscount":10},"extensions":{"barcode":"%013d"}`, i, title, i, i, i, i)
		})),
		envelope("shipment_cancelled", "wide", "2026-11-01T11:00:00+05:30", list(func(int) string {
			return `"quantity":2,"reason":"order_cancelled","subReason":"customer_changed_mind"`
		})),
		envelope("shipment_shipped", "wide", "2026-11-01T10:30:00+05:30", `{}`),
	} {
		require.Less(t, len(body), 1<<20)
		status, answer := post(t, s.url+"/notifications", body)
		require.Equal(t, http.StatusOK, status, answer)
	}
	require.NoError(t, importer.Wait(t.Context(), s.url, nil))
	require.Equal(t, map[string]int{"SUBORDER_CREATE": 1, "SUBORDER_CANCEL": 1}, s.receiver.Types())
	s.receiver.RequireNoViolations(t)
	require.Equal(t, lines, count(t, s.sql(), "SELECT count() FROM orderledger.order_items WHERE shipment_id = 'wide' AND status = 'CANCELLED'"))
	require.Zero(t, count(t, s.sql(), "SELECT count() FROM orderledger.decisions WHERE outcome = 'quarantined'"))
}
