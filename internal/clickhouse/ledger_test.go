package clickhouse_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/projections"
)

func TestCheckTablesComparesEnds(t *testing.T) {
	t.Parallel()
	cfg := ours(t)
	require.NoError(t, clickhouse.Migrate(t.Context(), cfg, slog.New(slog.DiscardHandler), projections.Migrations()))
	db, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	type ends = map[string]map[int32]int64
	nothing := func(ledgerID string) error { return clickhouse.CheckTables(t.Context(), db, ledgerID, nil) }
	require.NoError(t, nothing("L1"), "tables without an owner are of any ledger")
	owner, err := clickhouse.EnsureOwner(t.Context(), db, "L1")
	require.NoError(t, err)
	require.Equal(t, "L1", owner.LedgerID)
	require.NotEmpty(t, owner.TablesID)
	again, err := clickhouse.EnsureOwner(t.Context(), db, "L2")
	require.NoError(t, err)
	require.Equal(t, owner, again, "the first owner stays")
	require.NoError(t, db.Exec(t.Context(), "INSERT INTO ledger (ledger_id, tables_id) VALUES ('L2', 'z')"))
	again, err = clickhouse.ReadOwner(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, owner, again, "also if another program found none at the same time")
	require.NoError(t, db.Exec(t.Context(), "INSERT INTO events (lane, offset) VALUES (0, 3), (0, 7), (1, 9)"))
	require.NoError(t, db.Exec(t.Context(), "INSERT INTO decisions_history (lane, offset) VALUES (0, 20)"))

	for name, c := range map[string]struct {
		ledgerID string
		written  ends
		err      error
		text     string
	}{
		"nothing was written":         {ledgerID: "L1"},
		"all rows are there":          {ledgerID: "L1", written: ends{"events": {0: 7, 1: 9}, "decisions_history": {0: 20}}},
		"more rows than acknowledged": {ledgerID: "L1", written: ends{"events": {0: 6, 1: 1}}},
		"any ledger":                  {written: ends{"events": {0: 7}}},
		"another ledger": {
			"L2", ends{"events": {0: 7}}, clickhouse.ErrOtherLedger, "from ledger L1, and this Kafka holds ledger L2",
		},
		"the last row of a lane is missing": {
			"L1", ends{"events": {0: 7, 1: 10}}, clickhouse.ErrTablesLost, "lane 1 ends at offset 9, and rows up to 10",
		},
		"a lane is missing": {
			"L1", ends{"events": {2: 0}}, clickhouse.ErrTablesLost, "lane 2 ends at offset -1, and rows up to 0",
		},
		"the last row of another table is missing": {
			"L1", ends{"decisions_history": {0: 21}}, clickhouse.ErrTablesLost, "decisions_history of lane 0 ends at offset 20",
		},
		"a table is missing": {
			"L1", ends{"no_such_table": {0: 0}}, clickhouse.ErrTablesLost, "no_such_table of lane 0 ends at offset -1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := clickhouse.CheckTables(t.Context(), db, c.ledgerID, c.written)
			require.ErrorIs(t, err, c.err)
			if c.text != "" {
				require.ErrorContains(t, err, c.text)
			}
		})
	}
}

// The end of a lane must not be that of a longer one: the projector would leave its rows out.
func TestMaxOffsetOfALane(t *testing.T) {
	t.Parallel()
	cfg := ours(t)
	db, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	require.NoError(t, db.Exec(t.Context(), "CREATE TABLE h (lane UInt16, offset UInt64) ENGINE = MergeTree ORDER BY lane"))
	require.NoError(t, db.Exec(t.Context(), "INSERT INTO h VALUES (0, 0), (1, 9), (1, 8), (3, 5)"))
	ins := clickhouse.NewInserter(cfg)
	t.Cleanup(func() { require.NoError(t, ins.Close()) })
	for lane, want := range map[int32]int64{0: 0, 1: 9, 2: -1, 3: 5} {
		got, err := ins.MaxOffset(t.Context(), "h", lane)
		require.NoError(t, err)
		require.Equal(t, want, got, "lane %d", lane)
	}
}
