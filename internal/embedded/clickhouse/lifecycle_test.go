package clickhouse_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/clickhouse"
	"github.com/orderledger/orderledger/internal/embedded/engine"
)

func TestServerClosesWithoutAStart(t *testing.T) {
	t.Parallel()
	s := clickhouse.New(config(t.TempDir()), slog.New(slog.DiscardHandler), nil)
	require.Empty(t, s.NativeAddr())
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Error(t, s.Start(t.Context()), "a closed server does not start")
}

func TestServerRefusesABadConfig(t *testing.T) {
	t.Parallel()
	cfg := config("")
	s := clickhouse.New(cfg, slog.New(slog.DiscardHandler), nil)
	require.ErrorContains(t, s.Run(t.Context()), "data folder is empty")
}

func TestServerRefusesASecondFolder(t *testing.T) {
	t.Parallel()
	needEngine(t)
	s := clickhouse.New(config(t.TempDir()), slog.New(slog.DiscardHandler), nil)
	require.ErrorIs(t, s.Start(t.Context()), engine.ErrOtherFolder)
}

func TestServerCloseKillsLongQueries(t *testing.T) {
	t.Parallel()
	p := spawn(t, t.TempDir())
	conn := open(t, p.native, withPassword)
	done := make(chan error, 1)
	go func() {
		done <- conn.Exec(t.Context(), "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)")
	}()
	other := open(t, p.native, withPassword)
	require.Eventually(t, func() bool {
		return scalar(t, other, "SELECT count() FROM system.processes WHERE query LIKE '%sipHash64%' AND query NOT LIKE '%processes%'") == "1"
	}, 20*time.Second, 20*time.Millisecond)
	require.NoError(t, p.stop())
	require.Error(t, <-done)
}

func TestServerDropsAClientThatSendsNonsense(t *testing.T) {
	t.Parallel()
	needEngine(t)
	for name, bytes := range map[string]string{
		"http on the native port": "GET / HTTP/1.1\r\n\r\n",
		"not a hello":             "\x01\x02\x03",
		"an endless name":         "\x00\xff\xff\xff\xff\xff\xff\xff\x7f",
	} {
		var d net.Dialer
		conn, err := d.DialContext(t.Context(), "tcp", server.NativeAddr())
		require.NoError(t, err, name)
		_, err = io.WriteString(conn, bytes)
		require.NoError(t, err, name)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		_, err = io.Copy(io.Discard, conn)
		require.NotErrorIs(t, err, context.DeadlineExceeded, name)
		require.NoError(t, conn.Close(), name)
	}
	require.Equal(t, "1", scalar(t, setup(t), "SELECT 1"))
}

func TestInsertOfAKilledClientLeavesNoRows(t *testing.T) {
	t.Parallel()
	conn := setup(t)
	exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id")
	database := scalar(t, conn, "SELECT currentDatabase()")
	raw, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.NativeAddr())
	require.NoError(t, err)
	require.NoError(t, raw.SetDeadline(time.Now().Add(20*time.Second)))
	var b proto.Buffer
	const version = 54460
	proto.ClientHello{Name: "test", ProtocolVersion: version, Database: database, User: "default"}.Encode(&b)
	b.PutString("")
	proto.Query{Body: "INSERT INTO t VALUES", Stage: proto.StageComplete, Info: proto.ClientInfo{ProtocolVersion: version, Interface: proto.InterfaceTCP, Query: proto.ClientQueryInitial}}.EncodeAware(&b, version)
	block := func(input proto.Input, rows int) {
		proto.ClientCodeData.Encode(&b)
		b.PutString("")
		require.NoError(t, proto.Block{Columns: len(input), Rows: rows}.EncodeBlock(&b, version, input))
	}
	block(nil, 0)
	ids := proto.ColUInt64{1, 2, 3}
	block(proto.Input{{Name: "id", Data: &ids}}, 3)
	_, err = raw.Write(b.Buf)
	require.NoError(t, err)
	// The first answer of the server shows that it has begun the insert.
	r := proto.NewReader(raw)
	code, err := r.UVarInt()
	require.NoError(t, err)
	require.Equal(t, uint64(proto.ServerCodeHello), code)
	require.NoError(t, raw.Close())
	require.Equal(t, "0", scalar(t, conn, "SELECT count() FROM t"))
}

func TestMetricsCountStatementsAndRows(t *testing.T) { //nolint:paralleltest // It changes what the others share.
	conn := setup(t)
	count := func(name string) float64 {
		families, err := registry.Gather()
		require.NoError(t, err)
		var sum float64
		for _, f := range families {
			if f.GetName() != name {
				continue
			}
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
		return sum
	}
	exec(t, conn, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id")
	queries, rows := count("orderledger_embedded_clickhouse_queries_total"), count("orderledger_embedded_clickhouse_inserted_rows_total")
	require.NoError(t, insertNumbers(t, t.Context(), conn, "INSERT INTO t", 0, 5))
	require.Error(t, conn.Exec(t.Context(), "SELECT nope"))
	require.InDelta(t, queries+2, count("orderledger_embedded_clickhouse_queries_total"), 0)
	require.InDelta(t, rows+5, count("orderledger_embedded_clickhouse_inserted_rows_total"), 0)
	require.Positive(t, count("orderledger_embedded_clickhouse_clients"))
}
