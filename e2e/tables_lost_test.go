package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
)

// TestUpFillsLostTables loses the folder of ClickHouse, twice: the second time the process dies while it fills the
// tables again from the ledger.
func TestUpFillsLostTables(t *testing.T) {
	const shipments = 20
	s := newStackWithoutReceiver(t)
	for i := range shipments {
		status, answer := post(t, s.url+"/notifications", envelope("shipment_created", fmt.Sprint("S", i),
			"2026-11-01T10:00:00+05:30", fmt.Sprintf(`{"orderItems":[{"orderItemId":"I%d","orderId":"OD1","quantity":1}]}`, i)))
		require.Equal(t, http.StatusOK, status, answer)
	}
	complete := func() {
		t.Helper()
		require.NoError(t, importer.Wait(t.Context(), s.url, nil))
		conn := s.sql()
		require.Equal(t, shipments, count(t, conn, "SELECT count() FROM orderledger.events"))
		require.Equal(t, shipments, count(t, conn, "SELECT count() FROM orderledger.shipments"))
		require.Equal(t, shipments, count(t, conn, "SELECT count() FROM orderledger.decisions"))
	}
	complete()
	s.stop()
	require.NoError(t, os.RemoveAll(filepath.Join(s.data, "clickhouse")))
	s.start()
	complete()

	s.kill()
	require.NoError(t, os.RemoveAll(filepath.Join(s.data, "clickhouse")))
	s.start()
	s.kill()
	s.start()
	complete()
}
