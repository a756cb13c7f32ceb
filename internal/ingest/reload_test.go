package ingest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/sellers"
)

// A seller that is removed is refused from its next request on, with calls and with notifications.
func TestSellersRemovedStopAtOnce(t *testing.T) {
	t.Parallel()
	both := sellers.Config{Sellers: []sellers.Seller{
		{ID: "a", Token: "calls-of-a", NotificationToken: "notifications-of-a"},
		{ID: "b", Token: "calls-of-b", NotificationToken: "notifications-of-b"},
	}}
	live := sellers.NewLive(both)
	b := setup(t, nil, func(c *ingest.Config) { c.Sellers = both }, func(d *ingest.Deps) { d.Sellers = live })
	call := func(seller string) int {
		return b.send(http.MethodPost, "/sellers/v3/shipments/selfShip/delivery", `{"shipments":[]}`, bearer("calls-of-"+seller)...).status
	}
	notify := func(seller string) int {
		return b.send(http.MethodPost, "/notifications/"+seller, created("S-"+seller), bearer("notifications-of-"+seller)...).status
	}
	for _, seller := range []string{"a", "b"} {
		require.NotEqual(t, http.StatusUnauthorized, call(seller))
		require.Equal(t, http.StatusOK, notify(seller))
	}
	live.Replace(sellers.Config{Sellers: both.Sellers[1:]})
	require.Equal(t, http.StatusUnauthorized, call("a"))
	require.Equal(t, http.StatusUnauthorized, notify("a"))
	require.NotEqual(t, http.StatusUnauthorized, call("b"))
	require.Equal(t, http.StatusOK, notify("b"))
}
