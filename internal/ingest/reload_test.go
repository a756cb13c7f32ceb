package ingest_test

import (
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/testkit"
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

// The sellers change when an instance asks for the body of a request. It has checked the credential by then.
func TestNotificationsKeepSellersOfTheirStart(t *testing.T) {
	t.Parallel()
	open := sellers.Config{Open: true, Sellers: []sellers.Seller{{ID: "a", Token: "calls-of-a"}}}
	live := sellers.NewLive(open)
	b := setup(t, nil, func(c *ingest.Config) { c.Sellers = open }, func(d *ingest.Deps) { d.Sellers = live })
	protected := open
	protected.Sellers = []sellers.Seller{{ID: "a", NotificationToken: "notifications-of-a"}}
	replaced := false
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() {
		live.Replace(protected)
		replaced = true
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/notifications/a", strings.NewReader(created("S1")))
	require.NoError(t, err)
	req.Header.Set("Expect", "100-continue")
	resp, err := (&http.Transport{ExpectContinueTimeout: testkit.Limit, DisableKeepAlives: true}).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.True(t, replaced)
	require.Equal(t, http.StatusOK, resp.StatusCode, "it began before the seller needed a credential")
	a := b.send(http.MethodPost, "/notifications/a", created("S1"))
	require.Equal(t, http.StatusUnauthorized, a.status, "the next one does not: %s", a.body)
}
