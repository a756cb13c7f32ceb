package ingest_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func (b *bundle) labels(shipmentID, token string, headers ...string) answer {
	b.t.Helper()
	return b.send(http.MethodPost, "/sellers/v3/shipments/labels", labelsOf(shipmentID), append(bearer(token), headers...)...)
}

func TestCommandsPackAndDispatch(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))

	a := b.labels("S1", ownToken)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.Equal(t, "SUCCESS", a.member(t, "shipments", 0, "status"), "%s", a.body)
	require.Equal(t, "SUCCESS", a.member(t, "shipments", 0, "processingStatus"))
	require.Equal(t, "S1", a.member(t, "shipments", 0, "shipmentId"))
	require.Regexp(t, `^\d+:\d+$`, a.header.Get("Ledger-Position"))

	// The worker packs it.
	s := b.state("S1", status(ledgerv1.Status_STATUS_PACKED))
	ref := s.GetPacking().GetDocumentsRef()
	pdf, err := os.ReadFile(filepath.Join(b.blobs, ref+".pdf"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(pdf), "%PDF-"))
	require.Equal(t, int64(20000), s.GetPacking().GetInvoiceLines()[0].GetAmountMinor())
	require.Regexp(t, `^LGR[A-Z2-7]{12}$`, s.GetPacking().GetCourier().GetTrackingId())

	a = b.send(http.MethodPost, "/sellers/v3/shipments/dispatch", `{"shipmentIds":["S1","unknown"],"locationId":"LOC1"}`, bearer(ownToken)...)
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, "SUCCESS", a.member(t, "shipments", 0, "status"), "%s", a.body)
	require.Equal(t, "FAILURE", a.member(t, "shipments", 1, "status"), "a bad item does not fail the others")
	require.Equal(t, "INVALID_SHIPMENTS", a.member(t, "shipments", 1, "errorCode"))
	b.state("S1", status(ledgerv1.Status_STATUS_READY_TO_DISPATCH))
}

func TestCommandsHideOtherSellers(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	hidden, unknown := b.labels("S1", otherToken), b.labels("S2", otherToken)
	require.Equal(t, "INVALID_SHIPMENTS", hidden.member(t, "shipments", 0, "errorCode"))
	require.Equal(t, unknown.member(t, "shipments", 0, "errorMessage"), hidden.member(t, "shipments", 0, "errorMessage"), "the answer does not reveal that it exists")
}

func TestAccessNeedsToken(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	for name, headers := range map[string][]string{
		"none": nil, "another scheme": {"Authorization", "Basic abc"}, "a guess": bearer("guess"), "an empty one": bearer(""),
	} {
		a := b.send(http.MethodPost, "/sellers/v3/shipments/dispatch", `{"shipmentIds":["S1"]}`, headers...)
		require.Equal(t, http.StatusUnauthorized, a.status, name)
		require.Equal(t, "invalid_token", a.member(t, "error"), name)
	}
}

func TestCommandsRefuseBadCall(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	many := make([]string, 26)
	for i := range many {
		many[i] = fmt.Sprintf("%q", fmt.Sprint("S", i))
	}
	for name, tc := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"not JSON":    {`{`, 400, "INVALID_REQUEST_JSON"},
		"wrong types": {`{"shipmentIds":"S1"}`, 400, "INVALID_REQUEST_JSON"},
		"no ids":      {`{"locationId":"LOC1"}`, 422, "UNPROCESSABLE_ENTITY"},
		"too many":    {`{"shipmentIds":[` + strings.Join(many, ",") + `]}`, 422, "UNPROCESSABLE_ENTITY"},
	} {
		a := b.send(http.MethodPost, "/sellers/v3/shipments/dispatch", tc.body, bearer(ownToken)...)
		require.Equal(t, tc.status, a.status, "%s: %s", name, a.body)
		require.Equal(t, tc.code, a.member(t, "errors", 0, "code"), name)
		require.Equal(t, "ERROR", a.member(t, "errors", 0, "severity"), name)
	}
	require.Equal(t, http.StatusNotFound, b.send(http.MethodPost, "/sellers/v3/nowhere", ``).status)
	wrong := b.send(http.MethodPost, "/progress", ``)
	require.Equal(t, http.StatusMethodNotAllowed, wrong.status)
	require.Equal(t, "GET", wrong.header.Get("Allow"))
}

func TestCommandsIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	cancel := func(reason string) answer {
		body := `{"shipments":[{"shipmentId":"S1","locationId":"LOC1","cancellationGroupIds":["grp-S1"],"reason":"` + reason + `"}]}`
		return b.send(http.MethodPost, "/sellers/v3/shipments/cancel", body, append(bearer(ownToken), "Idempotency-Key", "k1")...)
	}
	first, again := cancel("not_enough_inventory"), cancel("not_enough_inventory")
	require.Equal(t, "SUCCESS", first.member(t, "shipments", 0, "status"), "%s", first.body)
	require.JSONEq(t, string(first.body), string(again.body))
	require.Equal(t, first.header.Get("Ledger-Position"), again.header.Get("Ledger-Position"))

	reused := cancel("b2b_order")
	require.Equal(t, http.StatusUnprocessableEntity, reused.status, "%s", reused.body)
	require.Equal(t, "IDEMPOTENCY_KEY_REUSED", reused.member(t, "errorCode"))

	b.notify(created("S2"))
	b.state("S2", status(ledgerv1.Status_STATUS_APPROVED))
	item := `{"shipmentId":"%[1]s","locationId":"LOC1","cancellationGroupIds":["grp-%[1]s"],"reason":"b2b_order"}`
	partly := b.send(http.MethodPost, "/sellers/v3/shipments/cancel",
		`{"shipments":[`+fmt.Sprintf(item, "S1")+","+fmt.Sprintf(item, "S2")+`]}`, append(bearer(ownToken), "Idempotency-Key", "k1")...)
	require.Equal(t, http.StatusOK, partly.status, "%s", partly.body)
	require.Equal(t, "IDEMPOTENCY_KEY_REUSED", partly.member(t, "shipments", 0, "errorCode"))
	require.Equal(t, "SUCCESS", partly.member(t, "shipments", 1, "status"), "%s", partly.body)

	other := b.send(http.MethodPost, "/sellers/v3/shipments/cancel",
		`{"shipments":[{"shipmentId":"S1","reason":"b2b_order"}]}`, append(bearer(otherToken), "Idempotency-Key", "k1")...)
	require.Equal(t, "INVALID_SHIPMENTS", other.member(t, "shipments", 0, "errorCode"), "another seller's key is another key")
}

func TestReadsReturn503WithoutReadModel(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	a := b.send(http.MethodGet, "/sellers/v3/shipments?shipmentIds=S1", "", bearer(ownToken)...)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, "1", a.header.Get("Retry-After"))
}

// The official client silently sends a POST again whose connection dropped. It gets the first answer.
func TestCommandsSilentRepeat(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Workers = false }) // Packing would change the shipment in between.
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	first, again := b.labels("S1", ownToken), b.labels("S1", ownToken)
	require.Equal(t, "SUCCESS", first.member(t, "shipments", 0, "status"), "%s", first.body)
	require.Equal(t, first.body, again.body)
	require.Equal(t, first.header.Get("Ledger-Position"), again.header.Get("Ledger-Position"))
	b.notify(`{"eventType":"shipment_packed","timestamp":"2024-03-29T10:00:00+05:30","shipmentId":"S1","locationId":"LOC1",
		"attributes":{"status":"PACKED"}}`)
	b.state("S1", status(ledgerv1.Status_STATUS_PACKED))
	later := b.labels("S1", ownToken)
	require.Equal(t, "FAILURE", later.member(t, "shipments", 0, "status"), "something has happened since, so it is another call")
}
