package projector_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
)

// TestTablesMatchMigrations checks that the projector writes every column of every table, with its type.
func TestTablesMatchMigrations(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		for table, columns := range projector.Tables() {
			var want []string
			require.NoError(t, b.db.QueryRow(t.Context(), "SELECT groupArray(name || ' ' || type) FROM system.columns "+
				"WHERE database = currentDatabase() AND table = ?", table).Scan(&want))
			slices.Sort(want)
			slices.Sort(columns)
			// The same types too: the server would convert others silently, and slowly.
			require.Equal(t, want, columns, table)
		}
	})
}

func TestConfigReportsEveryProblem(t *testing.T) {
	t.Parallel()
	require.NoError(t, projector.DefaultConfig().Validate())
	err := projector.Config{
		MaxRows: 1 << 30, MaxBytes: 1 << 30, BufferBytes: 5, IdleWait: -1, SessionTimeout: 1,
	}.Validate()
	for _, part := range []string{projector.EnvMaxRows, "max bytes", projector.EnvBufferBytes, "idle wait", projector.EnvSessionTimeout} {
		require.ErrorContains(t, err, part)
	}
}
