package clickhouse_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	clickhousego "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
)

func insertNumbers(t testing.TB, ctx context.Context, conn driver.Conn, sql string, from, to int) error {
	t.Helper()
	batch, err := conn.PrepareBatch(ctx, sql)
	if err != nil {
		return err
	}
	for i := from; i < to; i++ {
		require.NoError(t, batch.Append(uint64(i)))
	}
	return batch.Send()
}

func TestInsertKeepsBytesOfAnEmptyLine(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id")
	// 2570 is 0x0A0A, which a text parser takes for an empty line.
	require.NoError(t, insertNumbers(t, t.Context(), conn, "INSERT INTO t", 2500, 2700))
	require.Equal(t, "200", scalar(t, conn, "SELECT count() FROM t"))
	exec(t, conn, "INSERT INTO t FORMAT CSV 1\n\n2\n")
	exec(t, conn, "CREATE TABLE s (s String) ENGINE = MergeTree ORDER BY s")
	exec(t, conn, "INSERT INTO s VALUES ('a\n\nb'), ('c;');")
	require.Equal(t, "['a\\n\\nb','c;']", scalar(t, conn, "SELECT groupArray(s) FROM (SELECT s FROM s ORDER BY s)"))
}

func TestInsertTokenDropsARepeat(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100")
	with := func(token string) context.Context {
		return clickhousego.Context(t.Context(), clickhousego.WithSettings(clickhousego.Settings{"insert_deduplication_token": token, "async_insert": 0}))
	}
	require.NoError(t, insertNumbers(t, with("one"), conn, "INSERT INTO t", 0, 10))
	require.NoError(t, insertNumbers(t, with("one"), conn, "INSERT INTO t", 0, 10))
	require.Equal(t, "10", scalar(t, conn, "SELECT count() FROM t"))
	require.NoError(t, insertNumbers(t, with("two"), conn, "INSERT INTO t", 0, 10))
	require.Equal(t, "20", scalar(t, conn, "SELECT count() FROM t"))
	// Also in the SETTINGS clause of the statement, which wins over the packet.
	require.NoError(t, insertNumbers(t, with("three"), conn, "INSERT INTO t (id) SETTINGS insert_deduplication_token = 'one'", 0, 10))
	require.Equal(t, "20", scalar(t, conn, "SELECT count() FROM t"))
}

// All blocks of an insert are one statement with one deduplication token.
func TestInsertBlocksAreOneStatement(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100")
	const rows, blocks = 200_000, 8
	send := func(token string) {
		ctx := clickhousego.Context(t.Context(), clickhousego.WithSettings(clickhousego.Settings{"insert_deduplication_token": token}))
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO t")
		require.NoError(t, err)
		for i := range rows {
			require.NoError(t, batch.Append(uint64(i)))
			if (i+1)%(rows/blocks) == 0 {
				require.NoError(t, batch.Flush())
			}
		}
		require.NoError(t, batch.Send())
	}
	send("a")
	require.Equal(t, "200000", scalar(t, conn, "SELECT count() FROM t"))
	require.Equal(t, "1", scalar(t, conn, "SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 't' AND active AND level = 0"))
	send("a")
	require.Equal(t, "200000", scalar(t, conn, "SELECT uniqExact(id) FROM t"))
	require.Equal(t, "200000", scalar(t, conn, "SELECT count() FROM t"))
}

func TestInsertAbandonedLeavesNoRows(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id")
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO t")
	require.NoError(t, err)
	require.NoError(t, batch.Append(uint64(1)))
	require.NoError(t, batch.Flush())
	require.NoError(t, batch.Abort())
	require.Equal(t, "0", scalar(t, conn, "SELECT count() FROM t"))
	require.NoError(t, insertNumbers(t, t.Context(), conn, "INSERT INTO t", 0, 0))
	require.Equal(t, "0", scalar(t, conn, "SELECT count() FROM t"))
}

func TestInsertSpoolsToDiskAndCleansUp(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (s String) ENGINE = MergeTree ORDER BY tuple()")
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO t")
	require.NoError(t, err)
	big := strings.Repeat("x", 1<<20)
	for i := range 80 { // more than the 64 MiB that are held in memory
		require.NoError(t, batch.Append(big))
		if i%10 == 0 {
			require.NoError(t, batch.Flush())
		}
	}
	require.NoError(t, batch.Send())
	require.Equal(t, "(80,83886080)", scalar(t, conn, "SELECT (count(), sum(length(s))) FROM t"))
}

func TestQueryParametersEndWithTheQuery(t *testing.T) {
	t.Parallel()
	conn := setup(t, func(o *clickhousego.Options) { o.MaxOpenConns = 1 })
	nasty := "it's a \\ tab\t and a\nline"
	var got string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT {s:String}", clickhousego.Named("s", nasty)).Scan(&got))
	require.Equal(t, nasty, got)
	err := conn.QueryRow(t.Context(), "SELECT {s:String}").Scan(&got)
	require.Equal(t, 456, codeOf(t, err))
	rows, err := conn.Query(t.Context(), "SELECT number FROM numbers({n:UInt64}) WHERE 0", clickhousego.Named("n", "5"))
	require.NoError(t, err)
	require.Equal(t, []string{"number"}, rows.Columns())
	require.NoError(t, rows.Close())
}

func codeOf(t testing.TB, err error) int {
	t.Helper()
	var e *clickhousego.Exception
	require.ErrorAs(t, err, &e)
	return int(e.Code)
}

func TestQueryErrorKeepsTheConnection(t *testing.T) {
	t.Parallel()
	conn := setup(t, func(o *clickhousego.Options) { o.MaxOpenConns = 1 })
	for sql, code := range map[string]int{ //nolint:paralleltest // It changes what the others share.
		"SELECT * FROM nowhere": 60,
		"SELECT nope":           47,
		"SELECT 1 +":            62,
		"SELECT 1; SELECT 2":    62,
		"nope":                  62,
		"":                      62,
		"USE nowhere":           81,
		"SELECT throwIf(number = 100000) FROM numbers(200000) SETTINGS max_block_size = 1000": 395,
	} {
		t.Run(sql, func(t *testing.T) {
			require.Equal(t, code, codeOf(t, conn.Exec(t.Context(), sql)))
			require.Equal(t, "1", scalar(t, conn, "SELECT 1"))
		})
	}
	require.Equal(t, 60, codeOf(t, insertNumbers(t, t.Context(), conn, "INSERT INTO nowhere", 0, 1)))
	bad := clickhousego.Context(t.Context(), clickhousego.WithSettings(clickhousego.Settings{"no_such_setting": 1}))
	require.Equal(t, 115, codeOf(t, conn.Exec(bad, "SELECT 1")))
	require.Equal(t, "1", scalar(t, conn, "SELECT 1"))
}

func TestQuerySettingsEndWithTheQuery(t *testing.T) {
	t.Parallel()
	conn := setup(t, func(o *clickhousego.Options) { o.MaxOpenConns = 1 })
	ask := func(ctx context.Context) string {
		var v string
		require.NoError(t, conn.QueryRow(ctx, "SELECT toString(getSetting('max_block_size'))").Scan(&v))
		return v
	}
	with := clickhousego.Context(t.Context(), clickhousego.WithSettings(clickhousego.Settings{"max_block_size": 1234}))
	before := ask(t.Context())
	require.Equal(t, "1234", ask(with))
	require.Equal(t, before, ask(t.Context()))
	exec(t, conn, "SET max_block_size = 77")
	require.Equal(t, "77", ask(t.Context()))
	require.Equal(t, "1234", ask(with))
	require.Equal(t, "77", ask(t.Context()))
	readonly := clickhousego.Context(t.Context(), clickhousego.WithSettings(clickhousego.Settings{"max_block_size": 5, "readonly": 1}))
	other := setup(t, func(o *clickhousego.Options) { o.MaxOpenConns = 1 })
	require.Equal(t, 164, codeOf(t, other.Exec(readonly, "CREATE TABLE x (a Int8) ENGINE = Memory")))
	exec(t, other, "CREATE TABLE x (a Int8) ENGINE = Memory")
}

func TestSessionsAreIsolated(t *testing.T) {
	t.Parallel()
	conn := setup(t, func(o *clickhousego.Options) { o.MaxOpenConns = 1 })
	other := setup(t, func(o *clickhousego.Options) { o.MaxOpenConns = 1 })
	exec(t, conn, "CREATE TEMPORARY TABLE mine (a UInt64)")
	require.NoError(t, insertNumbers(t, t.Context(), conn, "INSERT INTO mine", 0, 3))
	require.Equal(t, "3", scalar(t, conn, "SELECT count() FROM mine"))
	require.Equal(t, 60, codeOf(t, other.Exec(t.Context(), "SELECT * FROM mine")))
	exec(t, conn, "USE system")
	require.Equal(t, "system", scalar(t, conn, "SELECT currentDatabase()"))
	require.NotEqual(t, "system", scalar(t, other, "SELECT currentDatabase()"))
}

func TestQueryWithoutRowsReturnsColumns(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	for sql, columns := range map[string][]string{
		"SELECT 1 AS a, 'x' AS b WHERE 0;":          {"a", "b"},
		"SELECT tuple(1 AS x, 2 AS y) AS t LIMIT 0": {"t"},
		"SHOW TABLES -- none":                       {"name"},
		"(SELECT 1 AS a WHERE 0) -- over":           {"a"},
		"SELECT 1 AS a WHERE 0 FORMAT JSON":         {"a"},
	} {
		rows, err := conn.Query(t.Context(), sql)
		require.NoError(t, err, sql)
		require.Equal(t, columns, rows.Columns(), sql)
		require.False(t, rows.Next())
		require.NoError(t, rows.Err())
	}
}

func TestQueriesRunConcurrently(t *testing.T) {
	t.Parallel()
	conn := setup(t, func(o *clickhousego.Options) { o.MaxOpenConns = 9 })
	exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id")
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for k := range 5 {
				from := (w*5 + k) * 1000
				if err := insertNumbers(t, t.Context(), conn, "INSERT INTO t", from, from+1000); err != nil {
					t.Error(err)
				}
				var n uint64
				if err := conn.QueryRow(t.Context(), "SELECT count() FROM t WHERE id >= ? AND id < ?", from, from+1000).Scan(&n); err != nil || n != 1000 {
					t.Error(n, err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, "(40000,40000)", scalar(t, conn, "SELECT (count(), uniqExact(id)) FROM t"))
}

func TestQueryStreamsALargeResult(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	rows, err := conn.Query(t.Context(), "SELECT number, toString(number) FROM numbers(1000000)")
	require.NoError(t, err)
	var n, sum uint64
	for rows.Next() {
		var v uint64
		var s string
		require.NoError(t, rows.Scan(&v, &s))
		sum += v
		n++
	}
	require.NoError(t, rows.Err())
	require.Equal(t, uint64(1_000_000), n)
	require.Equal(t, uint64(999_999)*1_000_000/2, sum)
}

func TestQueryCancelKillsTheStatement(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	const query = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000) /* to be cancelled */"
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- conn.Exec(ctx, query) }()
	running := func() bool {
		return scalar(t, conn, "SELECT count() FROM system.processes WHERE query LIKE '%to be cancelled%' AND query NOT LIKE '%processes%'") == "1"
	}
	require.Eventually(t, running, 20*time.Second, 20*time.Millisecond)
	cancel()
	require.Error(t, <-done)
	require.Eventually(t, func() bool { return !running() }, 20*time.Second, 20*time.Millisecond)
}
