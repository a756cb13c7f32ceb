package ingest_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestNotificationsAreDecided(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	first := b.notify(created("S1"))
	require.Equal(t, "story", first.header.Get("X-Correlation-Id"))
	require.Contains(t, first.member(t, "key"), "shipment_created/S1/2024-03-28T12:33:01Z/")
	s := b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	require.Equal(t, "own", s.GetSellerId())
	require.Equal(t, "OD1", s.GetOrderId())

	again := b.notify(created("S1"))
	require.Equal(t, first.member(t, "key"), again.member(t, "key"))
	require.NotEqual(t, first.member(t, "inboxOffset"), again.member(t, "inboxOffset"))
	got := b.decisions(2)
	require.Equal(t, ledgerv1.Outcome_OUTCOME_APPLIED, got[0].GetOutcome())
	require.Equal(t, ledgerv1.Outcome_OUTCOME_DUPLICATE, got[1].GetOutcome())
	require.Equal(t, got[0].GetInputKey(), got[1].GetInputKey())
}

func TestNotificationsBadBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	refused := map[string]struct {
		body   string
		status int
		kind   string
	}{
		"not JSON":          {`eventType=x`, 400, "unreadable"},
		"wrong types":       {strings.Replace(created("S1"), `"quantity":2`, `"quantity":"2"`, 1), 400, "unreadable"},
		"invalid UTF-8":     {strings.Replace(created("S1"), "Phone", "Ph\xffne", 1), 400, "unreadable"},
		"no ids":            {`{"eventType":"shipment_shipped","timestamp":"2024-03-28T18:03:01Z"}`, 400, "unreadable"},
		"no event type":     {`{"shipmentId":"S1","timestamp":"2024-03-28T18:03:01Z"}`, 400, "unreadable"},
		"5 MB":              {strings.Replace(created("S1"), "Phone", strings.Repeat("x", 5<<20), 1), 413, "too_large"},
		"an empty document": {``, 400, "unreadable"},
	}
	for name, tc := range refused {
		a := b.send(http.MethodPost, "/notifications", tc.body)
		require.Equal(t, tc.status, a.status, "%s: %s", name, a.body)
		require.Equal(t, "application/problem+json", a.header.Get("Content-Type"), name)
		require.Equal(t, "urn:orderledger:problem:"+tc.kind, a.member(t, "type"), name)
		require.NotEmpty(t, a.member(t, "detail"), name)
	}
	where := b.send(http.MethodPost, "/notifications", refused["wrong types"].body)
	require.Equal(t, "attributes.orderItems[0].quantity", where.member(t, "path"))
	require.InDelta(t, strings.Index(refused["wrong types"].body, `"2"`), where.member(t, "offset"), 0)

	// These are readable: they are accepted, and quarantined.
	invalid := []string{
		strings.Replace(created("S1"), "shipment_created", "shipment_teleported", 1),
		strings.Replace(created("S1"), "2024-03-28T18:03:01+05:30", "0000-03-28T18:03:01+05:30", 1),
		strings.Replace(created("S1"), `"quantity":2`, `"quantity":-1`, 1),
		strings.Replace(created("S1"), `"shipmentId":"S1"`, `"shipmentId":"`+strings.Repeat("x", 100_000)+`"`, 1),
	}
	for _, body := range invalid {
		require.Equal(t, http.StatusOK, b.send(http.MethodPost, "/notifications", body).status)
	}
	reasons := map[string]int{}
	for _, d := range b.decisions(len(invalid)) {
		require.Equal(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome(), "%s", d.GetReason())
		reasons[d.GetReason()]++
	}
	require.Equal(t, map[string]int{"unknown_event_type": 1, "bad_time": 1, "bad_quantity": 1, "bad_id": 1}, reasons)
}

func TestNotificationsOfOtherSeller(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	shipped := `{"eventType":"shipment_shipped","timestamp":"2024-04-01T00:00:00Z","shipmentId":"S1","attributes":{}}`
	require.Equal(t, http.StatusOK, b.send(http.MethodPost, "/notifications/other", shipped).status)
	got := b.decisions(2)[1]
	require.Equal(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, got.GetOutcome())
	require.Equal(t, "other_seller", got.GetReason())
}

func TestSignMatchesDocumentation(t *testing.T) {
	t.Parallel()
	require.Equal(t, "83762abd87b41e66ddd58320a4e803251e72b776", ingest.Sign(time.Unix(1432026135, 0),
		"http://seller.api.pilotseller.com/notify/fki", http.MethodPost, "669a57f4-fe05-11e4-a322-1697f925ec7b"))
}

func TestNotificationsCheckSignature(t *testing.T) {
	t.Parallel()
	const url, secret = "https://orders.example/notifications/own?x=1", "669a57f4"
	b := setup(t, nil, func(c *ingest.Config) {
		c.Sellers.Sellers[0].NotificationSecret, c.Sellers.Sellers[0].AppID, c.Sellers.Sellers[0].URL = secret, "app", url
	})
	now := time.Now()
	authorization := func(app string, at time.Time, secret string) string {
		return "FKLOGIN " + base64.StdEncoding.EncodeToString([]byte(app+":"+ingest.Sign(at, url, http.MethodPost, secret)))
	}
	date := func(at time.Time) string { return at.UTC().Format(http.TimeFormat) }
	old := now.Add(-time.Hour)
	for name, tc := range map[string]struct {
		path    string
		headers []string
		status  int
	}{
		"documented headers":    {"/notifications/own", []string{"X_Date", date(now), "X_Authorization", authorization("app", now, secret)}, 200},
		"behind a proxy":        {"/notifications/own", []string{"X-Date", date(now), "X-Authorization", authorization("app", now, secret)}, 200},
		"the seller by its app": {"/notifications", []string{"X_Date", date(now), "X_Authorization", authorization("app", now, secret)}, 200},
		"no signature":          {"/notifications/own", nil, 401},
		"no seller, unsigned":   {"/notifications", nil, 401},
		"another secret":        {"/notifications/own", []string{"X_Date", date(now), "X_Authorization", authorization("app", now, "guess")}, 401},
		"another application":   {"/notifications/own", []string{"X_Date", date(now), "X_Authorization", authorization("appl", now, secret)}, 401},
		"another date":          {"/notifications/own", []string{"X_Date", date(old), "X_Authorization", authorization("app", now, secret)}, 401},
		"an old one":            {"/notifications/own", []string{"X_Date", date(old), "X_Authorization", authorization("app", old, secret)}, 401},
		"not base64":            {"/notifications/own", []string{"X_Date", date(now), "X_Authorization", "FKLOGIN %%%"}, 401},
		"another scheme":        {"/notifications/own", []string{"X_Date", date(now), "X_Authorization", "Basic abc"}, 401},
		"an unsigned seller":    {"/notifications/other", nil, 200},
	} {
		a := b.send(http.MethodPost, tc.path, created(strings.ReplaceAll(name, " ", "-")), tc.headers...)
		require.Equal(t, tc.status, a.status, "%s: %s", name, a.body)
	}
	s := b.state("the-seller-by-its-app", status(ledgerv1.Status_STATUS_APPROVED))
	require.Equal(t, "own", s.GetSellerId())
}

func TestNotificationsStrictSellers(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Sellers.Strict = true })
	require.Equal(t, http.StatusNotFound, b.send(http.MethodPost, "/notifications/stranger", created("S1")).status)
	require.Equal(t, http.StatusOK, b.send(http.MethodPost, "/notifications/own", created("S1")).status)
	two := strings.Replace(created("S1"), `"version"`, `"sellerId":"other","version"`, 1)
	require.Equal(t, http.StatusNotFound, b.send(http.MethodPost, "/notifications/own", two).status, "two sellers")
}
