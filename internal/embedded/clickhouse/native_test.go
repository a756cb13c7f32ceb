package clickhouse_test

import (
	"fmt"
	"testing"
	"time"

	clickhousego "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

const typesTable = `CREATE TABLE types (
	s String, lc LowCardinality(String), lcn LowCardinality(Nullable(String)), n Nullable(Int64), ns Nullable(String),
	dt DateTime('UTC'), dt64 DateTime64(3, 'UTC'), d Date, id UUID, arr Array(String), arr2 Array(Array(UInt32)),
	alc Array(LowCardinality(String)), m Map(String, UInt64), dec Decimal(18, 2), dec128 Decimal(38, 4), b Bool,
	e Enum8('a,b' = 1, 'c)' = 2), fs FixedString(3), u8 UInt8, u16 UInt16, u32 UInt32, u64 UInt64,
	i8 Int8, i16 Int16, i32 Int32, i64 Int64, f Float64, tup Tuple(a String, b UInt8)
) ENGINE = MergeTree ORDER BY u64`

func typesRow(i int) []any {
	var n *int64
	var ns, lcn *string
	if i%2 == 0 {
		v, s := int64(-i), fmt.Sprint("n", i)
		n, ns, lcn = &v, &s, &s
	}
	at := time.Date(2026, 3, 1, 12, 0, i%60, int(time.Millisecond)*(i%1000), time.UTC)
	return []any{
		fmt.Sprintf("text %d\n\n with blank lines", i), fmt.Sprint("lc", i%7), lcn, n, ns,
		at.Truncate(time.Second), at, at.Truncate(24 * time.Hour),
		uuid.NewSHA1(uuid.NameSpaceOID, []byte{byte(i), byte(i >> 8)}),
		[]string{"x", fmt.Sprint(i)}[:i%3%3],
		[][]uint32{{1, uint32(i)}, {}},
		[]string{"one", "two"}[:i%3],
		map[string]uint64{"k": uint64(i)},
		decimal.New(int64(i), -2), decimal.New(int64(i)*7, -4), i%3 == 0, []string{"a,b", "c)"}[i%2], "abc",
		uint8(i), uint16(i), uint32(i), uint64(i), int8(i), int16(-i), int32(-i), int64(-i), float64(i) / 3,
		[]any{fmt.Sprint(i), uint8(i)},
	}
}

func TestNativeRoundTripsEveryType(t *testing.T) {
	t.Parallel()
	for _, method := range []clickhousego.CompressionMethod{
		clickhousego.CompressionLZ4, clickhousego.CompressionNone, clickhousego.CompressionZSTD,
	} {
		t.Run(fmt.Sprintf("with compression %s", method), func(t *testing.T) {
			t.Parallel()
			conn := setup(t, func(o *clickhousego.Options) { o.Compression = &clickhousego.Compression{Method: method} })
			exec(t, conn, typesTable)
			const rows = 5000
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO types")
			require.NoError(t, err)
			for i := range rows {
				require.NoError(t, batch.Append(typesRow(i)...))
			}
			require.NoError(t, batch.Send())
			got, err := conn.Query(t.Context(), "SELECT * FROM types ORDER BY u64")
			require.NoError(t, err)
			n := 0
			for ; got.Next(); n++ {
				want := typesRow(n)
				var s, lc string
				var lcn, ns *string
				var i64 *int64
				var dt, dt64, d time.Time
				var id uuid.UUID
				var arr, alc []string
				var arr2 [][]uint32
				var m map[string]uint64
				var dec, dec128 decimal.Decimal
				var b bool
				var e, fs string
				var u8 uint8
				var u16 uint16
				var u32 uint32
				var u64 uint64
				var i8 int8
				var i16 int16
				var i32 int32
				var big int64
				var f float64
				var tup map[string]any
				require.NoError(t, got.Scan(&s, &lc, &lcn, &i64, &ns, &dt, &dt64, &d, &id, &arr, &arr2, &alc, &m, &dec,
					&dec128, &b, &e, &fs, &u8, &u16, &u32, &u64, &i8, &i16, &i32, &big, &f, &tup))
				require.Equal(t, want[0], s)
				require.Equal(t, want[1], lc)
				require.Equal(t, want[2], lcn)
				require.Equal(t, want[3], i64)
				require.Equal(t, want[4], ns)
				require.Equal(t, []any{dt.UTC(), dt64.UTC(), d.UTC(), id}, want[5:9])
				require.ElementsMatch(t, want[9], arr)
				require.Equal(t, want[10], arr2)
				require.ElementsMatch(t, want[11], alc)
				require.Equal(t, want[12], m)
				require.Equal(t, want[13].(decimal.Decimal).String(), dec.String())
				require.Equal(t, want[14].(decimal.Decimal).String(), dec128.String())
				require.Equal(t, []any{b, e, fs, u8, u16, u32, u64, i8, i16, i32, big, f}, want[15:27])
				require.Equal(t, map[string]any{"a": fmt.Sprint(n), "b": uint8(n)}, tup)
			}
			require.NoError(t, got.Err())
			require.Equal(t, rows, n)
		})
	}
}

func TestNativeDecodesTypesOfUnknownLength(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (id UInt64, v Variant(UInt64, String), after String) ENGINE = MergeTree ORDER BY id")
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO t")
	require.NoError(t, err)
	for i := range 10 {
		var v any = uint64(i)
		if i%2 == 0 {
			v = fmt.Sprint("s", i)
		}
		require.NoError(t, batch.Append(uint64(i), v, "x"))
	}
	require.NoError(t, batch.Send())
	require.Equal(t, "(10,5,1,10)", scalar(t, conn, "SELECT (count(), countIf(variantType(v) = 'String'), min(v.UInt64), countIf(after = 'x')) FROM t"))
	rows, err := conn.Query(t.Context(), "SELECT v, after FROM t ORDER BY id")
	require.NoError(t, err)
	n := 0
	for ; rows.Next(); n++ {
		var v clickhousego.Variant
		var after string
		require.NoError(t, rows.Scan(&v, &after))
		require.Equal(t, "x", after)
		if n%2 == 0 {
			require.Equal(t, fmt.Sprint("s", n), v.Any())
		} else {
			require.Equal(t, uint64(n), v.Any())
		}
	}
	require.NoError(t, rows.Err())
	require.Equal(t, 10, n)
}
