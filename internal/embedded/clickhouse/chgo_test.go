package clickhouse_test

import (
	"context"
	"io"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"
)

func dialCh(t testing.TB, compression ch.Compression) *ch.Client {
	t.Helper()
	needEngine(t)
	c, err := ch.Dial(t.Context(), ch.Options{Address: server.NativeAddr(), Compression: compression})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestChGoRoundTripsColumns(t *testing.T) {
	t.Parallel()
	for name, compression := range map[string]ch.Compression{"lz4": ch.CompressionLZ4, "zstd": ch.CompressionZSTD, "disabled": ch.CompressionDisabled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialCh(t, compression)
			ctx := t.Context()
			table := "chgo_" + name
			require.NoError(t, c.Do(ctx, ch.Query{Body: "CREATE OR REPLACE TABLE " + table + " (id UInt64, s String, lc LowCardinality(String), e Enum8('a'=1,'b'=2), t DateTime64(3,'UTC')) ENGINE = MergeTree ORDER BY id"}))
			var id proto.ColUInt64
			var s proto.ColStr
			lc := new(proto.ColStr).LowCardinality()
			var e proto.ColEnum
			at := new(proto.ColDateTime64).WithPrecision(proto.PrecisionMilli)
			input := proto.Input{{Name: "id", Data: &id}, {Name: "s", Data: &s}, {Name: "lc", Data: lc}, {Name: "e", Data: &e}, {Name: "t", Data: at}}
			fill := func(from int) {
				for i := from; i < from+1000; i++ {
					id.Append(uint64(i))
					s.AppendBytes([]byte("row\n\n"))
					lc.Append("x")
					e.Append("b")
					at.AppendRaw(proto.DateTime64(i))
				}
			}
			fill(0)
			blocks := 0
			require.NoError(t, c.Do(ctx, ch.Query{Body: input.Into(table), Input: input, OnInput: func(context.Context) error {
				input.Reset()
				if blocks++; blocks == 5 {
					return io.EOF
				}
				fill(blocks * 1000)
				return nil
			}}))
			var got proto.ColUInt64
			sum, rows := uint64(0), 0
			require.NoError(t, c.Do(ctx, ch.Query{Body: "SELECT id FROM " + table + " WHERE e = 'b' AND lc = 'x' AND s = 'row\\n\\n'", Result: proto.Results{{Name: "id", Data: &got}}, OnResult: func(_ context.Context, b proto.Block) error {
				rows += b.Rows
				for _, v := range got {
					sum += v
				}
				return nil
			}}))
			require.Equal(t, 5000, rows)
			require.Equal(t, uint64(5000*4999/2), sum)
			require.NoError(t, c.Do(ctx, ch.Query{Body: "DROP TABLE " + table}))
		})
	}
}

func TestChGoContinuesAfterAnException(t *testing.T) {
	t.Parallel()
	c := dialCh(t, ch.CompressionLZ4)
	err := c.Do(t.Context(), ch.Query{Body: "SELECT * FROM no_such_table", Result: proto.Results{}})
	require.True(t, ch.IsErr(err, proto.ErrUnknownTable), "%v", err)
	require.NoError(t, c.Do(t.Context(), ch.Query{Body: "SELECT {x:String}", Parameters: ch.Parameters(map[string]any{"x": "it's"}), Result: (&proto.Results{}).Auto()}))
	require.NoError(t, c.Ping(t.Context()))
}
