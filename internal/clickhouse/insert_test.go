package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/testkit"
)

// everything is a table with a column of every kind.
type everything struct {
	clickhouse.Table
	text, body clickhouse.Text
	dict       clickhouse.Dict
	time       clickhouse.Time
	null       *clickhouse.Null
	number     *clickhouse.Null
	texts      clickhouse.Texts
	pairs      clickhouse.Pairs
}

const everythingSQL = `CREATE TABLE everything (text String, body String, dict LowCardinality(String), time DateTime64(3, 'UTC'),
	maybe Nullable(DateTime64(3, 'UTC')), number Nullable(Int64), texts Array(String),
	pairs Array(Tuple(key String, value String)))
	ENGINE = MergeTree ORDER BY text SETTINGS non_replicated_deduplication_window = 100`

func newEverything() *everything {
	e := &everything{null: clickhouse.NullTime(), number: clickhouse.NullInt64()}
	e.Table = clickhouse.Table{Name: "everything", Columns: proto.Input{
		{Name: "text", Data: &e.text},
		{Name: "body", Data: &e.body},
		{Name: "dict", Data: &e.dict},
		{Name: "time", Data: &e.time},
		{Name: "maybe", Data: e.null},
		{Name: "number", Data: e.number},
		{Name: "texts", Data: &e.texts},
		{Name: "pairs", Data: &e.pairs},
	}}
	return e
}

func (e *everything) add(i int, dict, body string) {
	e.text.AppendBytes(fmt.Appendf(nil, "row %07d", i))
	e.body.End(append(e.body.Begin(), body...))
	e.dict.AppendBytes([]byte(dict))
	e.time.Append(int64(i) * 1000)
	e.null.Append(int64(i)*1000, i%2 == 0)
	e.number.Append(int64(-i), i%3 == 0)
	e.texts.Append(slices.Repeat([]string{dict}, i%3))
	for range i % 2 {
		e.pairs.Add(dict, []byte{0, 0xff})
	}
	e.pairs.End()
}

func TestInserterRoundTripsEveryColumnType(t *testing.T) {
	t.Parallel()
	testkit.OnEachClickHouse(t, func(t *testing.T, on testkit.ClickHouseBackend) {
		for _, compression := range []string{"none", "lz4"} {
			// Dictionaries of one, two and four bytes an index.
			for _, values := range []int{3, 300, 70_000} {
				t.Run(fmt.Sprintf("%s %d", compression, values), func(t *testing.T) {
					t.Parallel()
					cfg := on.Open(t)
					cfg.Compression = compression
					conn, err := clickhouse.Open(cfg)
					require.NoError(t, err)
					defer conn.Close()
					require.NoError(t, conn.Exec(t.Context(), everythingSQL))
					e := newEverything()
					ins := clickhouse.NewInserter(cfg)
					defer ins.Close()
					// Twice, because columns are reused.
					for round := range 2 {
						e.Reset()
						for i := range values {
							e.add(round*values+i, fmt.Sprintf("value %d", i), strings.Repeat("x", i%200))
						}
						e.add(round*values+values, "long", strings.Repeat("long ", 10_000))
						require.NoError(t, ins.Insert(t.Context(), &e.Table, fmt.Sprintf("token %d", round)))
					}
					var rows, dict, body, null, number, texts, pairs uint64
					require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(),
						countIf(dict = 'long' OR dict = concat('value ', toString(toUInt64(substring(text, 5)) % `+fmt.Sprint(values)+`))),
						countIf(dict = 'long' ? body = repeat('long ', 10000) : body = repeat('x', toUInt64(substring(dict, 7)) % 200)),
						countIf(toUnixTimestamp64Milli(time) = toUInt64(substring(text, 5)) * 1000 AND
							if(toUInt64(substring(text, 5)) % 2 = 0, maybe = time, maybe IS NULL)),
						countIf(if(toUInt64(substring(text, 5)) % 3 = 0, number = -toInt64(substring(text, 5)), number IS NULL)),
						countIf(length(texts) = toUInt64(substring(text, 5)) % 3 AND arrayAll(x -> x = dict, texts)),
						countIf(length(pairs) = toUInt64(substring(text, 5)) % 2 AND
							arrayAll(x -> x.key = dict AND hex(x.value) = '00FF', pairs))
						FROM everything`).Scan(&rows, &dict, &body, &null, &number, &texts, &pairs))
					want := uint64(2 * (values + 1))
					// The row "long" of the first round has the number of the first row of the second.
					require.Equal(t, []uint64{want, want, want, want, want, want, want},
						[]uint64{rows, dict, body, null, number, texts, pairs})
				})
			}
		}
	})
}

func TestInserterTokenDropsARepeatedInsert(t *testing.T) {
	t.Parallel()
	testkit.OnEachClickHouse(t, func(t *testing.T, on testkit.ClickHouseBackend) {
		cfg := on.Open(t)
		conn, err := clickhouse.Open(cfg)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.Exec(t.Context(), everythingSQL))
		e := newEverything()
		e.add(1, "a", "b")
		ins := clickhouse.NewInserter(cfg)
		defer ins.Close()
		for range 3 {
			require.NoError(t, ins.Insert(t.Context(), &e.Table, "same"))
		}
		require.NoError(t, ins.Insert(t.Context(), &e.Table, "other"))
		var n uint64
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM everything").Scan(&n))
		require.EqualValues(t, 2, n)
	})
}

// After each error the inserter dials again, and tries the addresses in order.
func TestInserterRedialsAfterAnError(t *testing.T) {
	t.Parallel()
	testkit.OnEachClickHouse(t, func(t *testing.T, on testkit.ClickHouseBackend) {
		cfg := on.Open(t)
		conn, err := clickhouse.Open(cfg)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.Exec(t.Context(), everythingSQL))
		var dialed []string
		good := cfg.Addrs[0]
		cfg.Addrs = []string{"127.0.0.1:1", good}
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dialed = append(dialed, addr)
			if addr != good {
				return nil, errors.New("nobody there")
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		ins := clickhouse.NewInserter(cfg)
		defer ins.Close()
		e := newEverything()
		e.add(1, "a", "b")
		require.NoError(t, ins.Insert(t.Context(), &e.Table, "1"))
		wrong := clickhouse.Table{Name: "nowhere", Columns: e.Columns}
		require.ErrorContains(t, ins.Insert(t.Context(), &wrong, "2"), "insert into nowhere")
		require.NoError(t, ins.Insert(t.Context(), &e.Table, "3"))
		require.Equal(t, []string{"127.0.0.1:1", good, "127.0.0.1:1", good}, dialed)
	})
}

func TestConfigReportsAllProblems(t *testing.T) {
	t.Parallel()
	err := clickhouse.Config{Addrs: []string{"nowhere"}, Database: "a-b", Compression: "zip", DialTimeout: -1}.Validate()
	for _, part := range []string{`"nowhere"`, `"a-b"`, `"zip"`, "timeouts"} {
		require.ErrorContains(t, err, part)
	}
	require.ErrorContains(t, clickhouse.Config{}.Validate(), "at least one")
	require.NoError(t, clickhouse.DefaultConfig().Validate())
}
