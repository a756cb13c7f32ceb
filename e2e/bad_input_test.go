package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/importer"
)

// post sends a notification and returns the status and the answer.
func post(t testing.TB, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// envelope is a notification about a shipment.
func envelope(kind, shipmentID, at, attributes string) string {
	return fmt.Sprintf(`{"eventType":%q,"source":"flipkart","version":"v3","timestamp":%q,"sellerId":"s1","locationId":"LOC1","shipmentId":%q,"attributes":%s}`,
		kind, at, shipmentID, attributes)
}

func created(shipmentID string) string {
	return envelope("shipment_created", shipmentID, "2026-11-01T10:00:00+05:30", `{"dispatchByDate":"2026-11-03T10:00:00+05:30","orderItems":[
		{"orderItemId":"i-`+shipmentID+`","orderId":"OD1","cancellationGroupId":"g1","orderDate":"2026-11-01T09:00:00+05:30","status":"APPROVED","quantity":2,"sku":"A"}]}`)
}

// TestBadInput sends notifications that are refused, with an answer that says what is wrong, and ones that are accepted
// and quarantined. Neither stops anything.
func TestBadInput(t *testing.T) {
	s := newStack(t)
	notifications := s.url + "/notifications"
	status, _ := post(t, notifications, created("known"))
	require.Equal(t, http.StatusOK, status)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/progress"} {
		status, answer := post(t, s.url+path, "{}")
		require.Equal(t, http.StatusMethodNotAllowed, status, "%s: %s", path, answer)
	}

	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"not JSON", "hello", 400, "JSON"},
		{"wrong type", `{"eventType":1,"timestamp":"2026-11-01T10:00:00Z","shipmentId":"a","attributes":{}}`, 400, "eventType"},
		{"no event type", `{"timestamp":"2026-11-01T10:00:00Z","shipmentId":"a","attributes":{}}`, 400, "eventType"},
		{"no id", `{"eventType":"shipment_shipped","timestamp":"2026-11-01T10:00:00Z","attributes":{}}`, 400, "shipmentId"},
		{"no timestamp", `{"eventType":"shipment_shipped","shipmentId":"a","attributes":{}}`, 400, "timestamp"},
		{"invalid UTF-8", "{\"eventType\":\"shipment_shipped\",\"shipmentId\":\"\xff\",\"timestamp\":\"2026-11-01T10:00:00Z\",\"attributes\":{}}", 400, "UTF-8"},
		{"5 MB", `{"x":"` + strings.Repeat("x", 5<<20) + `"}`, 413, "1"},
	} {
		status, answer := post(t, notifications, c.body)
		require.Equal(t, c.status, status, "%s: %s", c.name, answer)
		require.Contains(t, answer, c.says, c.name)
		var problem struct {
			Title, Detail string
			Status        int
		}
		require.NoError(t, json.Unmarshal([]byte(answer), &problem), c.name)
		require.Equal(t, c.status, problem.Status, c.name)
		require.NotEmpty(t, problem.Title, c.name)
	}

	for _, c := range []struct{ name, body, reason string }{
		{"an unknown event type", envelope("shipment_teleported", "known", "2026-11-01T10:00:00Z", `{}`), "unknown_event_type"},
		{"the year 0", envelope("shipment_shipped", "known", "0000-01-01T00:00:00Z", `{"status":"SHIPPED"}`), "bad_time"},
		{"quantity -1", envelope("shipment_cancelled", "known", "2026-11-01T11:00:00Z", `{"status":"CANCELLED","orderItems":[{"orderItemId":"i-known","quantity":-1}]}`), "bad_quantity"},
		{"a shipment of another seller", strings.Replace(envelope("shipment_shipped", "known", "2026-11-01T12:00:00Z", `{"status":"SHIPPED"}`), `"s1"`, `"s2"`, 1), "other_seller"},
		{"an id of 100 kB", envelope("shipment_shipped", strings.Repeat("x", 100_000), "2026-11-01T12:00:00Z", `{"status":"SHIPPED"}`), "bad_id"},
	} {
		status, answer := post(t, notifications, c.body)
		require.Equal(t, http.StatusOK, status, "%s: %s", c.name, answer)
		require.NoError(t, importer.Wait(t.Context(), s.url, nil))
		require.Equal(t, 1, count(t, s.sql(), fmt.Sprintf("SELECT count() FROM orderledger.decisions WHERE outcome = 'quarantined' AND reason = '%s'", c.reason)), c.name)
	}

	// An order does not vanish for an optional field; the table names what was left out.
	odd := strings.Replace(created("odd"), `"attributes":{`, `"attributes":{"packagingPolicy":7,`, 1)
	status, answer := post(t, notifications, odd)
	require.Equal(t, http.StatusOK, status, answer)
	require.NoError(t, importer.Wait(t.Context(), s.url, nil))
	require.Equal(t, 1, count(t, s.sql(), "SELECT count() FROM orderledger.decisions WHERE shipment_id = 'odd' AND outcome = 'applied' AND reason = 'left_out' "+
		"AND left_out = ['attributes.packagingPolicy: want a string, got a number']"))

	var file strings.Builder
	good := 0
	for _, n := range demo.Histories(3, 5, time.Now()) {
		file.Write(n.Body)
		file.WriteString("\n\xff not UTF-8\n")
		good++
	}
	result, err := importer.Import(t.Context(), importer.Config{URL: s.url}, strings.NewReader(file.String()))
	require.NoError(t, err)
	require.Equal(t, good, result.Accepted)
	require.Len(t, result.Refused, good)
	require.Contains(t, result.Refused[0].Reason, "UTF-8")

	status, _ = post(t, notifications, envelope("shipment_shipped", "known", "2026-11-02T10:00:00Z", `{"status":"SHIPPED"}`))
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, importer.Wait(t.Context(), s.url, nil))
	require.Equal(t, 1, count(t, s.sql(), "SELECT count() FROM orderledger.shipments WHERE shipment_id = 'known' AND status = 'SHIPPED' AND units_cancelled = 0"),
		"valid notifications are still applied")
	requireTablesEqualLedger(t, s)
}
