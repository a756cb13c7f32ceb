package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// found searches, follows all pages, and returns the ids. between runs between two pages; it may be nil.
func (b *bundle) found(body string, between func()) (found []string) {
	b.t.Helper()
	a := b.send(http.MethodPost, "/sellers/v3/shipments/filter", body, bearer(ownToken)...)
	for {
		found = append(found, ids(b.t, a)...)
		if a.member(b.t, "hasMore") != true {
			return found
		}
		if between != nil {
			between()
		}
		a = b.send(http.MethodGet, "/sellers"+fmt.Sprint(a.member(b.t, "nextPageUrl")), "", bearer(ownToken)...)
	}
}

func TestReadsSearchFilters(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	cancelled := func(by ledgerv1.CancelledBy, days ...int) func(*ledgerv1.Shipment) {
		return func(s *ledgerv1.Shipment) {
			s.Status, s.Items[0].Status = ledgerv1.Status_STATUS_CANCELLED, ledgerv1.Status_STATUS_CANCELLED
			for _, day := range days {
				s.Items[0].Cancellations = append(s.Items[0].Cancellations,
					&ledgerv1.Cancellation{Units: 1, By: by, At: &ledgerv1.Moment{At: at(day)}})
			}
		}
	}
	profile := func(name string) func(*ledgerv1.Shipment) {
		return func(s *ledgerv1.Shipment) { s.Items[0].Details.ServiceProfile = name }
	}
	project(t, conn,
		aShipment("plain", 1, nil),
		aShipment("express", 2, func(s *ledgerv1.Shipment) { s.Details.ShipmentType = "EXPRESS" }),
		aShipment("self", 3, func(s *ledgerv1.Shipment) { s.Fulfilment = ledgerv1.Fulfilment_FULFILMENT_SELF_SHIP }),
		aShipment("mps", 4, func(s *ledgerv1.Shipment) { s.Details.Mps = true }),
		aShipment("fbf", 5, profile("FBF")), aShipment("flipkart", 6, profile("Flipkart_Fulfilment")),
		aShipment("smart", 7, profile("Smart_Fulfilment")), aShipment("seller", 8, profile("Seller_Fulfilment")),
		aShipment("tier", 9, func(s *ledgerv1.Shipment) { s.Items[0].Details.DispatchServiceTier = "EXPRESS" }),
		// Ordered long before it was created.
		aShipment("old", 10, func(s *ledgerv1.Shipment) { s.Items[0].Details.OrderDate = at(1) }),
		aShipment("C1", 11, cancelled(ledgerv1.CancelledBy_CANCELLED_BY_SELLER, 12, 20)),
		aShipment("C2", 12, cancelled(ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER, 20)),
		// Its second item is cancelled by the customer, its first one by the marketplace.
		aShipment("C3", 13, func(s *ledgerv1.Shipment) {
			cancelled(ledgerv1.CancelledBy_CANCELLED_BY_MARKETPLACE, 14)(s)
			second := s.GetItems()[0].CloneVT()
			second.OrderItemId = "I-C3-2"
			second.Cancellations[0].By, second.Cancellations[0].At.At = ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER, at(15)
			s.Items = append(s.Items, second)
		}),
	)
	all := []string{"plain", "express", "self", "mps", "seller", "tier", "old"}
	sorted := func(field, order string) string {
		return `{"filter":{"type":"preDispatch"},"pagination":{"pageSize":2},"sort":{"field":"` + field + `","order":"` + order + `"}}`
	}
	ordered := []string{"old", "plain", "express", "self", "mps", "seller", "tier"}
	reversed := slices.Clone(ordered)
	slices.Reverse(reversed)
	for body, want := range map[string][]string{
		`{"filter":{"type":"preDispatch"}}`:                                                                                                      all,
		`{"filter":{"type":"preDispatch","serviceProfiles":["NON_FBF"]}}`:                                                                        all,
		`{"filter":{"type":"preDispatch","serviceProfiles":["FBF"]}}`:                                                                            {"fbf", "flipkart"},
		`{"filter":{"type":"preDispatch","serviceProfiles":["FBF_LITE","FBF"]}}`:                                                                 {"fbf", "flipkart", "smart"},
		`{"filter":{"type":"preDispatch","shipmentTypes":["SELF","EXPRESS"]}}`:                                                                   {"express", "self"},
		`{"filter":{"type":"preDispatch","dispatchServiceTiers":["EXPRESS"]}}`:                                                                   {"express", "tier"},
		`{"filter":{"type":"preDispatch","dispatchServiceTiers":["EXPRESS","REGULAR"]}}`:                                                         all,
		`{"filter":{"type":"preDispatch","mps":true}}`:                                                                                           {"mps"},
		`{"filter":{"type":"preDispatch","orderDate":{"from":"2024-04-01","to":"2024-04-02"}}}`:                                                  {"plain", "express", "old"},
		sorted("orderDate", "asc"):                                                                                                               ordered,
		sorted("orderDate", "desc"):                                                                                                              reversed,
		`{"filter":{"type":"cancelled"}}`:                                                                                                        {"C1", "C2", "C3"},
		`{"filter":{"type":"cancelled","cancellationType":"sellerCancellation"}}`:                                                                {"C1"},
		`{"filter":{"type":"cancelled","cancellationType":"buyerCancellation"}}`:                                                                 {"C2", "C3"},
		`{"filter":{"type":"cancelled","cancellationType":"marketplaceCancellation"}}`:                                                           {"C3"},
		`{"filter":{"type":"cancelled","cancellationDate":{"from":"2024-04-12","to":"2024-04-13"}}}`:                                             {"C1"},
		`{"filter":{"type":"cancelled","cancellationDate":{"from":"2024-04-16"}}}`:                                                               {"C1", "C2"},
		`{"filter":{"type":"cancelled","cancellationType":"buyerCancellation","cancellationDate":{"to":"2024-04-14"}}}`:                          {},
		`{"filter":{"type":"cancelled","cancellationType":"buyerCancellation","cancellationDate":{"after":"2024-04-15","before":"2024-04-15"}}}`: {"C3"},
	} {
		found := b.found(body, nil)
		if found == nil {
			found = []string{}
		}
		require.Equal(t, want, found, body)
	}
	for _, member := range []string{`"serviceProfiles":["NONE"]`, `"shipmentTypes":["self"]`, `"dispatchServiceTiers":["SLOW"]`} {
		a := b.send(http.MethodPost, "/sellers/v3/shipments/filter", `{"filter":{"type":"preDispatch",`+member+`}}`, bearer(ownToken)...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, member)
		require.Contains(t, a.member(t, "detail"), "want one of", member)
	}
}

// Whatever happens to others between two pages, a shipment that matches all the time and does not change is found
// exactly once, in every order of a search.
func TestReadsSearchPagesWhileOthersChange(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	random := rand.New(rand.NewPCG(3, 4))
	date := func() *timestamppb.Timestamp {
		if random.IntN(8) == 0 {
			return nil // Unknown dates are sorted too.
		}
		return at(1 + random.IntN(6)) // Many shipments share a date.
	}
	scatter := func(s *ledgerv1.Shipment) {
		s.DispatchBy, s.DispatchAfter, s.UpdatedAt = date(), date(), at(1+random.IntN(6))
		s.Items[0].Details.OrderDate = date()
	}
	var steady, moving []*ledgerv1.Shipment
	for i := range 60 {
		s := aShipment(fmt.Sprintf("S%03d", random.IntN(10)*100+i), 1, scatter)
		if i%3 == 0 {
			moving = append(moving, s)
		} else {
			steady = append(steady, s)
		}
	}
	project(t, conn, append(slices.Clone(steady), moving...)...)
	fresh, pages := 0, 0
	for _, field := range []string{"dispatchByDate", "dispatchAfterDate", "modifiedDate", "orderDate"} {
		for _, order := range []string{"asc", "desc"} {
			size := 5 + random.IntN(9)
			found := b.found(fmt.Sprintf(`{"filter":{"type":"preDispatch","states":["APPROVED"]},"pagination":{"pageSize":%d},"sort":{"field":%q,"order":%q}}`,
				size, field, order), func() {
				pages++
				var changed []*ledgerv1.Shipment
				for range 3 {
					s := moving[random.IntN(len(moving))]
					s.Version++
					scatter(s)
					s.Status = ledgerv1.Status(1 + random.IntN(2))
					fresh++
					changed = append(changed, s.CloneVT(), aShipment(fmt.Sprintf("S%03dN%d", random.IntN(1000), fresh), 1, scatter))
				}
				project(t, conn, changed...)
			})
			for _, s := range steady {
				n := 0
				for _, id := range found {
					if id == s.GetShipmentId() {
						n++
					}
				}
				require.Equal(t, 1, n, "%s by %s %s, pages of %d", s.GetShipmentId(), field, order, size)
			}
		}
	}
	require.Greater(t, pages, 40)
}
