package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// withReturn gives a shipment a line of a return that was created on a day of April.
func withReturn(id string, day int, change func(*ledgerv1.Return)) func(*ledgerv1.Shipment) {
	return func(s *ledgerv1.Shipment) {
		line := &ledgerv1.Return{
			ReturnId: id, OrderItemId: s.GetItems()[0].GetOrderItemId(), Units: 1,
			Source: ledgerv1.ReturnSource_RETURN_SOURCE_CUSTOMER, Status: ledgerv1.ReturnStatus_RETURN_STATUS_CREATED,
			Created: &ledgerv1.Moment{At: at(day)}, TrackingId: "T-" + id,
		}
		if change != nil {
			change(line)
		}
		s.Returns = append(s.Returns, line)
	}
}

// returnIDs returns the ids of an answer's lines.
func returnIDs(t *testing.T, a answer) []string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	list, ok := a.member(t, "returnItems").([]any)
	require.True(t, ok, "%s", a.body)
	out := []string{}
	for i := range list {
		out = append(out, fmt.Sprint(a.member(t, "returnItems", i, "returnId")))
	}
	return out
}

func (b *bundle) returns(query string) answer {
	b.t.Helper()
	return b.send(http.MethodGet, "/sellers/v2/returns"+query, "", bearer(ownToken)...)
}

func TestReturnsSearchFilters(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	courier := func(r *ledgerv1.Return) { r.Source = ledgerv1.ReturnSource_RETURN_SOURCE_COURIER }
	project(t, conn,
		aShipment("S1", 2, withReturn("R1", 2, nil)),
		aShipment("S2", 5, withReturn("R2", 5, func(r *ledgerv1.Return) {
			r.Approved = &ledgerv1.Moment{At: at(9)} // Beyond its creation.
		})),
		aShipment("S3", 6, withReturn("R3", 6, courier)),
		aShipment("S4", 7, func(s *ledgerv1.Shipment) {
			s.LocationId = "LOC2"
			withReturn("R4", 7, nil)(s)
		}),
		aShipment("S5", 8, withReturn("R5,a", 8, nil)),
		aShipment("X1", 2, func(s *ledgerv1.Shipment) {
			s.SellerId = "other"
			withReturn("R1", 2, nil)(s)
			withReturn("RX", 2, nil)(s)
		}),
	)
	const customer = "?source=customer_return"
	for query, want := range map[string][]string{
		customer:                                {"R1", "R2", "R4", "R5,a"},
		"?source=courier_return":                {"R3"},
		customer + "&locationId=LOC2":           {"R4"},
		customer + "&locationId=LOC9":           {},
		"?returnIds=R3,R1":                      {"R1", "R3"},
		"?returnIds=R3%2CR1%2Cnobody%2CRX":      {"R1", "R3"},
		"?returnIds=R5%2Ca":                     {"R5,a"},
		"?returnIds=R1&returnIds=R2":            {"R1", "R2"},
		customer + "&returnIds=R3,R1":           {"R1"},
		"?trackingIds=T-R2,T-R3":                {"R2", "R3"},
		"?trackingIds=T-R2&returnIds=R3":        {},
		customer + "&modifiedAfter=2024-04-05":  {"R2", "R4", "R5,a"},
		customer + "&modifiedBefore=2024-04-05": {"R1", "R2"},
		customer + "&modifiedAfter=2024-04-05T15:30:00%2B05:30&modifiedBefore=2024-04-07T15:30:00.000Z": {"R2", "R4"},
		customer + "&modifiedAfter=2024-04-05T15:30:01+05:30":                                           {"R4", "R5,a"},
		customer + "&createdAfter=2024-04-09":                                                           {"R2"},
		// The day counts, and not its time.
		customer + "&createdAfter=2024-04-09T23:00:00%2B05:30":         {"R2"},
		customer + "&createdBefore=2024-04-07T00:00:00Z":               {"R1", "R4"},
		customer + "&createdAfter=2024-04-03&createdBefore=2024-04-07": {"R4"},
		customer + "&unknown=1":                                        {"R1", "R2", "R4", "R5,a"},
	} {
		require.Equal(t, want, returnIDs(t, b.returns(query)), query)
	}
	require.Equal(t, []string{"R3"}, returnIDs(t, b.returns("/?source=courier_return")), "with a slash at the end")
	theirs := b.send(http.MethodGet, "/sellers/v2/returns?source=customer_return", "", bearer(otherToken)...)
	require.Equal(t, []string{"R1", "RX"}, returnIDs(t, theirs))
	require.Equal(t, "X1", theirs.member(t, "returnItems", 0, "shipmentId"))

	many := "R0" + strings.Repeat(",R1", 30) // Repeats count once.
	require.Equal(t, []string{"R1"}, returnIDs(t, b.returns("?returnIds="+many)))
	for i := range 25 {
		many += fmt.Sprint(",N", i)
	}
	for query, want := range map[string][2]string{
		"":                                 {"UNPROCESSABLE_ENTITY", "source is needed"},
		"?source=":                         {"UNPROCESSABLE_ENTITY", "source is needed"},
		"?source=RVP":                      {"UNPROCESSABLE_ENTITY", "must be customer_return or courier_return"},
		"?returnIds=" + many:               {"UNPROCESSABLE_ENTITY", "at most 25"},
		"?trackingIds=" + many:             {"UNPROCESSABLE_ENTITY", "at most 25"},
		customer + "&modifiedAfter=monday": {"INVALID_REQUEST_DATE_FORMAT", "modifiedAfter: not a time"},
		customer + "&createdBefore=12":     {"INVALID_REQUEST_DATE_FORMAT", "createdBefore: not a time"},
		customer + "&modifiedAfter=2024-04-05&modifiedBefore=2024-04-04": {"INVALID_REQUEST_DATE_FORMAT", "ends before it begins"},
		customer + "&createdAfter=2024-04-05&createdBefore=2024-04-04":   {"INVALID_REQUEST_DATE_FORMAT", "ends before it begins"},
		"/search/nothing": {"UNPROCESSABLE_ENTITY", "follow nextUrl"},
	} {
		a := b.returns(query)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, query)
		require.Equal(t, want[0], a.member(t, "errorCode"), query)
		require.Contains(t, a.member(t, "detail"), want[1], query)
	}
	require.Equal(t, http.StatusUnauthorized, b.send(http.MethodGet, "/sellers/v2/returns"+customer, "").status)
}

// follow reads the pages of a search for returns to the end, and returns the items of the lines. between runs between
// two pages.
func (b *bundle) follow(first answer, between func()) (items []string) {
	b.t.Helper()
	for a := first; ; {
		page := returnIDs(b.t, a)
		for i := range page {
			items = append(items, fmt.Sprint(a.member(b.t, "returnItems", i, "orderItemId")))
		}
		if a.member(b.t, "hasMore") != true {
			require.Nil(b.t, a.member(b.t, "nextUrl"))
			return items
		}
		require.Len(b.t, page, 25)
		next, ok := a.member(b.t, "nextUrl").(string)
		require.True(b.t, ok)
		require.Regexp(b.t, `^/returns/search/[A-Za-z0-9_-]+$`, next)
		between()
		a = b.send(http.MethodGet, "/sellers/v2"+next, "", bearer(ownToken)...)
	}
}

// Whatever happens to others between two pages, a line that matches all the time is found exactly once, and no line is
// found twice.
func TestReturnsSearchPagesWhileOthersChange(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	random := rand.New(rand.NewPCG(1, 2))
	var steady, moving []*ledgerv1.Shipment
	for i := range 120 {
		// Several lines share a return, so that pages end between them as well.
		s := aShipment(fmt.Sprintf("S%03d", i), 2, withReturn(fmt.Sprintf("R%03d", random.IntN(40)), 2, nil))
		if i%3 == 0 {
			moving = append(moving, s)
		} else {
			steady = append(steady, s)
		}
	}
	project(t, conn, append(slices.Clone(steady), moving...)...)
	fresh, pages := 0, 0
	for range 3 {
		items := b.follow(b.returns("?source=customer_return"), func() {
			pages++
			var changed []*ledgerv1.Shipment
			for range 4 {
				s := moving[random.IntN(len(moving))]
				s.Version++
				s.UpdatedAt = at(3 + random.IntN(20))
				s.Returns[0].Status = ledgerv1.ReturnStatus(1 + random.IntN(6))
				s.Returns[0].Source = ledgerv1.ReturnSource(1 + random.IntN(2))
				fresh++
				changed = append(changed, s.CloneVT(),
					aShipment(fmt.Sprint("N", fresh), 2, withReturn(fmt.Sprintf("R%03dN%d", random.IntN(40), fresh), 2, nil)))
			}
			project(t, conn, changed...)
		})
		found := map[string]int{}
		for _, item := range items {
			found[item]++
			require.Equal(t, 1, found[item], "%s came twice", item)
		}
		for _, s := range steady {
			require.Contains(t, found, s.GetItems()[0].GetOrderItemId(), "it was skipped")
		}
	}
	require.Greater(t, pages, 8)
}

func TestPageTokensAreSigned(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	var states []*ledgerv1.Shipment
	for i := range 30 {
		states = append(states, aShipment(fmt.Sprintf("S%02d", i), 2, withReturn(fmt.Sprintf("R%02d", i), 2, nil)))
	}
	project(t, conn, states...)
	first := b.returns("?source=customer_return")
	next := "/sellers/v2" + fmt.Sprint(first.member(t, "nextUrl"))
	search := b.send(http.MethodPost, "/sellers/v3/shipments/filter", `{"filter":{"type":"preDispatch"}}`, bearer(ownToken)...)
	nextShipments := "/sellers" + fmt.Sprint(search.member(t, "nextPageUrl"))
	require.Len(t, returnIDs(t, b.send(http.MethodGet, next, "", bearer(ownToken)...)), 5)
	require.Len(t, ids(t, b.send(http.MethodGet, nextShipments, "", bearer(ownToken)...)), 10)
	refused := func(t *testing.T, url, token string) {
		t.Helper()
		a := b.send(http.MethodGet, url, "", bearer(token)...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
		require.Equal(t, "UNPROCESSABLE_ENTITY", a.member(t, "errorCode"))
	}
	t.Run("another seller's token is refused", func(t *testing.T) {
		t.Parallel()
		refused(t, next, otherToken)
		refused(t, nextShipments, otherToken)
	})
	t.Run("a token of the other search is refused", func(t *testing.T) {
		t.Parallel()
		_, token, _ := strings.Cut(next, "/search/")
		refused(t, "/sellers/v3/shipments/filter?next_token="+token, ownToken)
		_, token, _ = strings.Cut(nextShipments, "next_token=")
		refused(t, "/sellers/v2/returns/search/"+token, ownToken)
	})
	t.Run("a changed token is refused", func(t *testing.T) {
		t.Parallel()
		_, token, _ := strings.Cut(next, "/search/")
		for _, i := range []int{0, 20, 43, 50, len(token) / 2, len(token) - 5} {
			other := byte('A')
			if token[i] == other {
				other = 'B'
			}
			refused(t, "/sellers/v2/returns/search/"+token[:i]+string(other)+token[i+1:], ownToken)
		}
		refused(t, "/sellers/v2/returns/search/"+token[:len(token)-1], ownToken)
		refused(t, "/sellers/v2/returns/search/"+token[:20], ownToken)
		refused(t, "/sellers/v3/shipments/filter?next_token=", ownToken)
		refused(t, "/sellers/v3/shipments/filter", ownToken)
	})
	t.Run("instances with the same keys read each other's tokens", func(t *testing.T) {
		t.Parallel()
		keys := func(keys ...string) string {
			return serve(t, newBundle(t, b.brokers, conn, nil, func(d *ingest.Deps) {
				d.Keys = func() (out [][]byte) {
					for _, key := range keys {
						out = append(out, []byte(key))
					}
					return out
				}
			}).ingest)
		}
		fetch := func(at, path string) answer {
			other := *b
			other.t, other.url = t, at
			return other.send(http.MethodGet, path, "", bearer(ownToken)...)
		}
		a, rotated, later := keys("old"), keys("new", "old"), keys("new")
		next := "/sellers/v2" + fmt.Sprint(fetch(a, "/sellers/v2/returns?source=customer_return").member(t, "nextUrl"))
		require.Len(t, returnIDs(t, fetch(rotated, next)), 5)
		require.Equal(t, http.StatusUnprocessableEntity, fetch(later, next).status)
		newer := "/sellers/v2" + fmt.Sprint(fetch(rotated, "/sellers/v2/returns?source=customer_return").member(t, "nextUrl"))
		require.Len(t, returnIDs(t, fetch(later, newer)), 5)
	})
	t.Run("a search that fits in no URL is refused on its first page", func(t *testing.T) {
		t.Parallel()
		skus := make([]string, 1000)
		for i := range skus {
			skus[i] = fmt.Sprintf("%q", fmt.Sprint(strings.Repeat("SKU", 10), i))
		}
		body := `{"filter":{"type":"preDispatch","sku":[` + strings.Join(skus, ",") + `]}}`
		a := b.send(http.MethodPost, "/sellers/v3/shipments/filter", body, bearer(ownToken)...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
		require.Contains(t, a.member(t, "detail"), "name fewer values")
	})
}

func TestReturnsSearchShowsLines(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	project(t, conn, aShipment("S1", 2, func(s *ledgerv1.Shipment) {
		withReturn("R1", 3, nil)(s)
		s.Services = []*ledgerv1.Service{{
			ServiceId: "V1", OrderItemId: "I-S1", ReturnId: "R1", Kind: ledgerv1.ServiceKind_SERVICE_KIND_TECH_VISIT,
			Status: ledgerv1.ServiceStatus_SERVICE_STATUS_REQUESTED, DueAt: at(6), Activated: &ledgerv1.Moment{At: at(3)},
		}}
	}))
	a := b.returns("?returnIds=R1")
	for member, want := range map[string]any{
		"orderItemId": "I-S1", "orderId": "OD-S1", "shipmentId": "S1", "sellerId": "own", "locationId": "LOC1",
		"quantity": 1.0, "type": "customer_return", "status": "created", "shipmentStatus": "start", "trackingId": "T-R1",
		"orderDate": "2024-04-02T15:30:00.000+05:30", "createdDate": "2024-04-03T15:30:00.000+05:30",
		"approvedOn": "2024-04-03T15:30:00.000+05:30", "updatedDate": "2024-04-02T15:30:00.000+05:30",
		"expectedDate": nil, "reason": nil,
	} {
		require.Equal(t, want, a.member(t, "returnItems", 0, member), member)
	}
	require.Equal(t, map[string]any{
		"serviceFulfilmentId": "V1", "description": "", "serviceByDate": "2024-04-06T15:30:00.000+05:30",
		"createdAt": "2024-04-03T15:30:00.000+05:30", "status": "REQUESTED",
	}, a.member(t, "returnItems", 0, "services", 0))
	require.Equal(t, false, a.member(t, "hasMore"))
	require.Nil(t, a.member(t, "nextUrl"))
}
