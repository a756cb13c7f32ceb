package ingest_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/sellers"
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
		require.Equal(t, http.StatusOK, b.send(http.MethodPost, "/notifications/own", body).status)
	}
	reasons := map[string]int{}
	for _, d := range b.decisions(len(invalid)) {
		require.Equal(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome(), "%s", d.GetReason())
		reasons[d.GetReason()]++
	}
	require.Equal(t, map[string]int{"unknown_event_type": 1, "bad_time": 1, "bad_quantity": 1, "bad_id": 1}, reasons)
}

// A title that was cut in the middle of a character must not block the marketplace.
func TestNotificationsHalfSurrogate(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(strings.Replace(created("S1"), `"Phone"`, `"Mug \ud83c"`, 1))
	s := b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	require.Equal(t, "Mug \ufffd", s.GetItems()[0].GetDetails().GetTitle())
}

// An order does not vanish for an optional field: the decision names what it was recorded without.
func TestNotificationsLeaveOut(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	good := created("S1")
	i := strings.Index(good, `],"forms"`)
	body := good[:i] + `,{"orderItemId":"I-2","quantity":0}` + good[i:]
	for old, bad := range map[string]string{
		`"dispatchByDate":"2024-04-10T10:00:00+05:30"`: `"dispatchByDate":"9999-12-31"`,
		`"sku":"SKU-1"`: `"sku":"SKU-1","hsn":7,"packageIds":"P","extensions":{"cancelledQuantity":"1"}`,
		`"forms":[]`:    `"forms":[],"extensions":{"services":{},"deliveryAddress":{"pincode":560001,"city":"Pune"}}`,
	} {
		require.Contains(t, body, old)
		body = strings.Replace(body, old, bad, 1)
	}
	b.notify(body)
	s := b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	require.Nil(t, s.GetDispatchBy())
	require.Equal(t, "Pune", s.GetDetails().GetDeliveryAddress().GetCity())
	require.Len(t, s.GetItems(), 1)
	require.Zero(t, s.GetItems()[0].GetCancelledUnknown())
	d := b.decisions(1)[0]
	require.Equal(t, ledgerv1.Outcome_OUTCOME_APPLIED, d.GetOutcome())
	require.Equal(t, "left_out", d.GetReason())
	require.Len(t, d.GetLeftOut(), 7)
	require.Contains(t, d.GetMessage(), "attributes.dispatchByDate: year 9999 is out of range")
}

// Dates that no promise can have, as the lane's clock sees them.
func TestNotificationsLeaveDatesOut(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for i, date := range []string{"9999-12-31", "2099-12-31T00:00:00Z", "0001-01-01", "1970-01-01T00:00:00Z", "soon"} {
		id := "S" + strconv.Itoa(i)
		b.notify(strings.Replace(created(id), "2024-04-10T10:00:00+05:30", date, 1))
		require.Nil(t, b.state(id, status(ledgerv1.Status_STATUS_APPROVED)).GetDispatchBy(), date)
	}
	for _, d := range b.decisions(5) {
		require.Equal(t, "left_out", d.GetReason())
		require.Len(t, d.GetLeftOut(), 1)
		require.Contains(t, d.GetLeftOut()[0], "dispatchByDate")
	}
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

// tokenOf is a notification token that is long enough.
func tokenOf(name string) string { return "notifications-of-" + name }

// strictSellers has two sellers of one application and one token, and one seller with a token of its own.
func strictSellers() sellers.Config {
	return sellers.Config{Sellers: []sellers.Seller{
		{ID: "s1", Token: "calls-of-s1", AppID: "app", NotificationSecret: "secret", NotificationTokens: []string{tokenOf("s1"), tokenOf("both")}},
		{ID: "s2", Token: "calls-of-s2", AppID: "app", NotificationSecret: "secret", NotificationToken: tokenOf("both")},
		{ID: "s3", Token: "calls-of-s3", NotificationToken: tokenOf("s3")},
		{ID: "s4", Token: "calls-of-s4"},
	}}
}

// creating returns a shipment_created that names a seller in its body.
func creating(shipmentID, sellerID string) string {
	return strings.Replace(created(shipmentID), `"version"`, `"sellerId":"`+sellerID+`","version"`, 1)
}

func signed(app, url string) []string {
	now := time.Now()
	return []string{"X_Date", now.UTC().Format(http.TimeFormat), "X_Authorization", "FKLOGIN " +
		base64.StdEncoding.EncodeToString([]byte(app+":"+ingest.Sign(now, url, http.MethodPost, "secret")))}
}

func TestNotificationsNeedCredential(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		name := map[bool]string{false: "strict", true: "open"}[open]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil, func(c *ingest.Config) { c.Sellers = strictSellers(); c.Sellers.Open = open })
			ifOpen := func(status, otherwise int) int {
				if open {
					return status
				}
				return otherwise
			}
			for i, tc := range []struct {
				name, path, seller string
				headers            []string
				status             int
			}{
				{"no credential, no seller", "", "", nil, 401},
				{"no credential, a protected seller", "", "s1", nil, 401},
				{"no credential, a protected seller in the URL", "/s3", "", nil, 401},
				{"no credential, a listed seller without one", "", "s4", nil, ifOpen(200, 401)},
				{"no credential, a stranger", "/stranger", "", nil, ifOpen(200, 401)},
				{"a signature for a seller of the application", "/s1", "", signed("app", b.url+"/notifications/s1"), 200},
				{"a signature for the other one", "/s2", "", signed("app", b.url+"/notifications/s2"), 200},
				{"a signature for the other one in the body", "", "s2", signed("app", b.url+"/notifications"), 200},
				{"a signature for a creation of either", "", "", signed("app", b.url+"/notifications"), 422},
				{"a signature for a seller of no application", "/s3", "", signed("app", b.url+"/notifications/s3"), 404},
				{"a signature for a stranger", "/stranger", "", signed("app", b.url+"/notifications/stranger"), ifOpen(200, 404)},
				{"a signature of an unknown application", "/s1", "", signed("other", b.url+"/notifications/s1"), 401},
				{"a signature of an unknown application for a stranger", "/stranger", "", signed("other", b.url), ifOpen(200, 401)},
				{"a token for its only seller", "", "", bearer(tokenOf("s1")), 200},
				{"a token for its only seller, named", "", "s3", bearer(tokenOf("s3")), 200},
				{"a token for another seller", "", "s2", bearer(tokenOf("s3")), 404},
				{"a token for another seller in the URL", "/s2", "", bearer(tokenOf("s1")), 404},
				{"a token for a creation of either", "", "", bearer(tokenOf("both")), 422},
				{"a token for one of both", "", "s2", bearer(tokenOf("both")), 200},
				{"an unknown token", "/stranger", "", bearer("unknown"), 401},
				{"a token of calls", "", "s4", bearer("calls-of-s4"), 401},
				{"a token of calls for a protected seller", "", "s1", bearer("calls-of-s1"), 401},
				{"URL and body differ", "/s1", "s2", bearer(tokenOf("both")), 404},
			} {
				body := created("S" + strconv.Itoa(i))
				if tc.seller != "" {
					body = creating("S"+strconv.Itoa(i), tc.seller)
				}
				got := b.send(http.MethodPost, "/notifications"+tc.path, body, tc.headers...)
				require.Equal(t, tc.status, got.status, "%s: %s", tc.name, got.body)
			}
			// A notification token makes no calls.
			got := b.send(http.MethodPost, "/sellers/v3/shipments/labels", labelsOf("S12"), bearer(tokenOf("s1"))...)
			require.Equal(t, http.StatusUnauthorized, got.status)
			require.Contains(t, got.member(t, "detail"), "one for notifications")
		})
	}
}

// Of two sellers of one application, neither gets what belongs to the other.
func TestNotificationsFindSellerInLedger(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Sellers = strictSellers() })
	send := func(token, body string) {
		t.Helper()
		got := b.send(http.MethodPost, "/notifications", body, bearer(tokenOf(token))...)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	}
	shipped := func(id string) string {
		return `{"eventType":"shipment_shipped","timestamp":"2024-04-01T00:00:00Z","shipmentId":"` + id + `","attributes":{}}`
	}
	for i, seller := range []string{"s1", "s2", "s3"} {
		token := map[string]string{"s1": "both", "s2": "both", "s3": "s3"}[seller]
		send(token, creating("S"+strconv.Itoa(i+1), seller))
		s := b.state("S"+strconv.Itoa(i+1), status(ledgerv1.Status_STATUS_APPROVED))
		require.Equal(t, seller, s.GetSellerId())
	}
	send("both", shipped("S2"))
	b.state("S2", status(ledgerv1.Status_STATUS_SHIPPED))
	send("s3", shipped("S1"))
	send("both", shipped("S3"))
	var reasons []string
	for _, d := range b.decisions(6) {
		reasons = append(reasons, d.GetReason())
	}
	slices.Sort(reasons)
	require.Equal(t, []string{"", "", "", "", "other_seller", "other_seller"}, reasons)
	for _, id := range []string{"S1", "S3"} {
		b.state(id, status(ledgerv1.Status_STATUS_APPROVED))
	}
}

// A notification that names no seller is accepted from a credential with as many sellers as one may have.
func TestNotificationsOfManySellers(t *testing.T) {
	t.Parallel()
	const n = 4096 // Of 15 bytes each and a comma.
	b := setup(t, nil, func(c *ingest.Config) {
		c.Sellers = sellers.Config{}
		for i := range n {
			c.Sellers.Sellers = append(c.Sellers.Sellers, sellers.Seller{
				ID: fmt.Sprintf("seller-%08d", i), NotificationToken: tokenOf("many"),
			})
		}
	})
	last := fmt.Sprintf("seller-%08d", n-1)
	for _, body := range []string{
		creating("S1", last),
		`{"eventType":"shipment_shipped","timestamp":"2024-04-01T00:00:00Z","shipmentId":"S1","attributes":{}}`,
	} {
		got := b.send(http.MethodPost, "/notifications", body, bearer(tokenOf("many"))...)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	}
	b.state("S1", status(ledgerv1.Status_STATUS_SHIPPED))
}

// What a notification says of items that the shipment does not have is kept: the inbox is trimmed.
func TestNotificationsKeepUnknownItems(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(created("S1"))
	body := `{"eventType":"shipment_cancelled","timestamp":"2024-03-29T10:00:00+05:30","shipmentId":"S1","locationId":"LOC1","attributes":{
		"orderItems":[{"orderItemId":"I-S1","quantity":1,"reason":"order_cancelled"},{"orderItemId":"I-S9","quantity":3,"reason":"order_cancelled"}]}}`
	b.notify(body)
	d := b.decisions(2)[1]
	require.Equal(t, ledgerv1.Outcome_OUTCOME_APPLIED, d.GetOutcome())
	require.Equal(t, []string{"I-S9"}, d.GetUnknownItems())
	require.Contains(t, string(d.GetBody()), `"orderItemId":"I-S9","quantity":3`)
	second := func(s *ledgerv1.Shipment) bool { return s.GetVersion() == 2 }
	require.EqualValues(t, 1, b.state("S1", second).GetItems()[0].GetCancelledCustomer())
}
