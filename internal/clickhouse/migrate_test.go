package clickhouse_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/projections"
)

func TestMigrateCommentsEveryColumn(t *testing.T) {
	t.Parallel()
	testkit.OnEachClickHouse(t, func(t *testing.T, on testkit.ClickHouseBackend) {
		cfg := on.Open(t)
		require.NoError(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), projections.Migrations()))
		conn, err := clickhouse.Open(cfg)
		require.NoError(t, err)
		defer conn.Close()

		var tables []string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT groupArray(name) FROM (SELECT name FROM system.tables "+
			"WHERE database = currentDatabase() ORDER BY name)").Scan(&tables))
		require.Equal(t, []string{
			"dead_letters", "dead_letters_history", "decision_voids", "decisions", "decisions_history", "events", "ledger",
			"order_items", "order_items_state", "returns", "returns_state", "schema_migrations", "services", "services_state",
			"shipments", "shipments_state", "sla", "sla_clocks",
		}, tables)

		var bare []string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT groupArray(name) FROM system.tables "+
			"WHERE database = currentDatabase() AND comment = ''").Scan(&bare))
		require.Empty(t, bare, "tables without a comment")
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT groupArray(table || '.' || name) FROM system.columns "+
			"WHERE database = currentDatabase() AND comment = ''").Scan(&bare))
		require.Empty(t, bare, "columns without a comment")
	})
}

func TestMigrateRunsOnceForConcurrentPrograms(t *testing.T) {
	t.Parallel()
	testkit.OnEachClickHouse(t, func(t *testing.T, on testkit.ClickHouseBackend) {
		cfg := on.Open(t)
		var g errgroup.Group
		for range 4 {
			g.Go(func() error {
				return clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), projections.Migrations())
			})
		}
		require.NoError(t, g.Wait())
		conn, err := clickhouse.Open(cfg)
		require.NoError(t, err)
		defer conn.Close()
		var applied, distinct, locks uint64
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(), uniqExact(number) FROM schema_migrations").Scan(&applied, &distinct))
		require.Equal(t, distinct, applied)
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = currentDatabase() "+
			"AND name = 'schema_migrations_lock'").Scan(&locks))
		require.Zero(t, locks)

		// One that takes so long that all programs have found it before the first has applied it.
		slow := fstest.MapFS{"9999_slow.sql": {Data: []byte("CREATE TABLE runs (x UInt8) ENGINE = MergeTree ORDER BY x; " +
			"INSERT INTO runs SELECT sleep(1)")}}
		for range 4 {
			g.Go(func() error { return clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), slow) })
		}
		require.NoError(t, g.Wait(), "a second run would find the table")
	})
}

func TestMigrateRefusesAnEditedMigration(t *testing.T) {
	t.Parallel()
	testkit.OnEachClickHouse(t, func(t *testing.T, on testkit.ClickHouseBackend) {
		cfg := on.Open(t)
		file := func(sql string) fstest.MapFS { return fstest.MapFS{"0001_a.sql": {Data: []byte(sql)}} }
		first := file("CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = Memory; -- two;\nCREATE TABLE IF NOT EXISTS b (x String DEFAULT ';') ENGINE = Memory")
		require.NoError(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), first))
		require.NoError(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), first))
		require.ErrorContains(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), file("SELECT 1")), "0001_a.sql was changed")
	})
}

func TestMigrateRetriesAFailedMigration(t *testing.T) {
	t.Parallel()
	testkit.OnEachClickHouse(t, func(t *testing.T, on testkit.ClickHouseBackend) {
		cfg := on.Open(t)
		broken := fstest.MapFS{"0001_a.sql": {Data: []byte("CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = Memory; nonsense")}}
		require.ErrorContains(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), broken), "statement 2")
		repaired := fstest.MapFS{"0001_a.sql": {Data: []byte("CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = Memory; SELECT 1")}}
		require.NoError(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), repaired))
	})
}
