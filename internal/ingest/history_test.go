package ingest_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestNotificationsMarkHistory(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil) // Intake is open.
	history := []string{ingest.HeaderHistory, "true"}
	send := func(body string) {
		t.Helper()
		got := b.send(http.MethodPost, "/notifications/own", body, history...)
		require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	}
	shipped := func(id string) string {
		return `{"eventType":"shipment_shipped","timestamp":"2024-04-01T00:00:00Z","shipmentId":"` + id + `","attributes":{}}`
	}
	send(created("S1"))
	require.True(t, b.state("S1", status(ledgerv1.Status_STATUS_APPROVED)).GetHistory())
	b.notify(shipped("S1"))
	require.True(t, b.state("S1", status(ledgerv1.Status_STATUS_SHIPPED)).GetHistory(), "for life")

	// An import does not silence an order that is live.
	b.notify(created("S2"))
	b.state("S2", status(ledgerv1.Status_STATUS_APPROVED))
	send(created("S2"))
	send(shipped("S2"))
	require.False(t, b.state("S2", status(ledgerv1.Status_STATUS_SHIPPED)).GetHistory())
	// The mark is outside the key: the notification is a repeat.
	decisions := b.decisions(5)
	require.True(t, slices.ContainsFunc(decisions, func(d *ledgerv1.Decision) bool {
		return d.GetOutcome() == ledgerv1.Outcome_OUTCOME_DUPLICATE && d.GetShipmentId() == "S2"
	}))

	require.Equal(t, http.StatusUnprocessableEntity,
		b.send(http.MethodPost, "/notifications/own", created("S3"), ingest.HeaderHistory, "yes").status)
}

func TestNotificationsHistoryNeedsToken(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Sellers = strictSellers() })
	history := []string{ingest.HeaderHistory, "true"}
	for name, tc := range map[string]struct {
		headers []string
		status  int
	}{
		"a notification token": {bearer(tokenOf("s1")), http.StatusOK},
		"a signature":          {signed("app", b.url+"/notifications/s1"), http.StatusUnauthorized},
		"nothing":              {nil, http.StatusUnauthorized},
		"a token of calls":     {bearer("calls-of-s1"), http.StatusUnauthorized},
	} {
		got := b.send(http.MethodPost, "/notifications/s1", created("S1"), append(history, tc.headers...)...)
		require.Equal(t, tc.status, got.status, "%s: %s", name, got.body)
	}
	require.True(t, b.state("S1", status(ledgerv1.Status_STATUS_APPROVED)).GetHistory())
}
