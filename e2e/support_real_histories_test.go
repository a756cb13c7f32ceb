package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
)

// olist returns the folder with real order histories, or skips the test. Their licence keeps them out of this
// repository, see CONTRIBUTING.md.
func olist(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("ORDERLEDGER_TEST_OLIST")
	if dir == "" {
		t.Skip("no real order histories: set ORDERLEDGER_TEST_OLIST to a folder with notifications.ndjson.gz and expected.json")
	}
	return dir
}

// figures are the queries for the figures of expected.json, by name.
var figures = map[string]string{
	"notifications":             "SELECT uniqExact(input_key) FROM orderledger.decisions WHERE outcome = 'applied'",
	"shipments":                 "SELECT count() FROM orderledger.shipments",
	"sellers":                   "SELECT uniqExact(seller_id) FROM orderledger.shipments",
	"items":                     "SELECT count() FROM orderledger.order_items",
	"units":                     "SELECT toUInt64(sum(units_ordered)) FROM orderledger.order_items",
	"shipped":                   "SELECT count() FROM orderledger.shipments WHERE shipped_at IS NOT NULL",
	"dispatch_late":             "SELECT count() FROM orderledger.sla WHERE clock = 'dispatch' AND done_at > first_due_at",
	"delivered":                 "SELECT count() FROM orderledger.shipments WHERE delivered_at IS NOT NULL",
	"deliver_late":              "SELECT count() FROM orderledger.sla WHERE clock = 'deliver' AND done_at > first_due_at",
	"cancelled":                 "SELECT count() FROM orderledger.shipments WHERE cancelled_at IS NOT NULL",
	"cancelled_after_shipped":   "SELECT count() FROM orderledger.shipments WHERE cancelled_at >= shipped_at",
	"cancelled_after_delivered": "SELECT count() FROM orderledger.shipments WHERE cancelled_at >= delivered_at",
	"shipped_before_created":    "SELECT count() FROM orderledger.shipments WHERE shipped_at < created_at",
	"delivered_before_shipped":  "SELECT count() FROM orderledger.shipments WHERE delivered_at < shipped_at",
	"delivered_without_shipped": "SELECT count() FROM orderledger.shipments WHERE delivered_at IS NOT NULL AND shipped_at IS NULL",
	"never_moved":               "SELECT count() FROM orderledger.shipments WHERE status = 'APPROVED'",
}

// requireFigures compares every figure of expected.json with the tables.
func requireFigures(t testing.TB, conn driver.Conn, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	require.NoError(t, err)
	var expected map[string]any
	require.NoError(t, json.Unmarshal(text, &expected))
	want, got := map[string]int{}, map[string]int{}
	for name, value := range expected {
		if statuses, ok := value.(map[string]any); ok {
			for status, n := range statuses {
				name := "final_status " + status
				want[name] = int(n.(float64))
				got[name] = count(t, conn, fmt.Sprintf("SELECT count() FROM orderledger.shipments WHERE status = '%s'", status))
			}
			continue
		}
		require.Contains(t, figures, name, "no query for this figure")
		want[name] = int(value.(float64))
		got[name] = count(t, conn, figures[name])
	}
	require.Equal(t, want, got)
	require.Equal(t, want["shipments"], count(t, conn, "SELECT count() FROM orderledger.shipments WHERE status IN ('CANCELLED','APPROVED','SHIPPED','DELIVERED')"))
}

// importOlist imports the file and waits until tables and pushes have caught up.
func importOlist(t testing.TB, s *stack, dir string) importer.Result {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "notifications.ndjson.gz"))
	require.NoError(t, err)
	defer f.Close()
	result, err := importer.Import(t.Context(), importer.Config{URL: s.url, CorrelationID: t.Name()}, f)
	require.NoError(t, err)
	require.Empty(t, result.Refused)
	require.NoError(t, importer.Wait(t.Context(), s.url, nil))
	return result
}

// olistPushes are the numbers of messages that the histories cause, by type.
var olistPushes = map[string]int{"SUBORDER_CREATE": 7433, "SUBORDER_COMPLETE": 6424, "SUBORDER_CANCEL": 468}

// requirePushes requires that the receiver got every message, in order, with equal repeats.
func requirePushes(t testing.TB, s *stack) {
	t.Helper()
	require.Equal(t, olistPushes, s.receiver.Types())
	s.receiver.RequireNoViolations(t)
}
