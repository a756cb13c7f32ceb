package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/importer"
)

// TestSellerCalls takes shipments from creation to their pushes by calls of an own seller.
func TestSellerCalls(t *testing.T) {
	sellers := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(sellers, []byte(`[{"id":"`+demo.OwnSeller+`","token":"`+demo.OwnToken+`","own":true}]`), 0o600))
	s := newStack(t, "--sellers", sellers)
	require.NoError(t, demo.Seller{URL: s.url, Log: t.Logf}.Play(t.Context(), 3))
	require.NoError(t, importer.Wait(t.Context(), s.url, nil))

	conn := s.sql()
	require.Equal(t, 2, count(t, conn, "SELECT count() FROM orderledger.shipments WHERE status = 'DELIVERED' AND packed_at IS NOT NULL AND ready_at IS NOT NULL"))
	require.Equal(t, 1, count(t, conn, "SELECT count() FROM orderledger.shipments WHERE status = 'CANCELLED'"))
	require.Equal(t, 2, count(t, conn, "SELECT count() FROM orderledger.sla WHERE clock = 'pack' AND outcome = 'met'"))
	require.Equal(t, map[string]int{"SUBORDER_CREATE": 3, "SUBORDER_COMPLETE": 2, "SUBORDER_CANCEL": 1}, s.receiver.Types())
	s.receiver.RequireNoViolations(t)
	requireTablesEqualLedger(t, s)
}
