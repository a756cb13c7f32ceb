package clickhouse_test

import (
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
	"github.com/orderledger/orderledger/projections"
)

// found runs the checks of a program that fills the tables, and returns the worst finding of each.
func found(t *testing.T, cfg clickhouse.Config) map[string]preflight.Finding {
	t.Helper()
	return worst(t, clickhouse.Checks(cfg, nil, projections.Migrations()))
}

func worst(t *testing.T, checks []preflight.Check) map[string]preflight.Finding {
	t.Helper()
	out := map[string]preflight.Finding{}
	for _, l := range preflight.Run(t.Context(), checks) {
		t.Logf("%s %s: %s -> %s", l.Level, l.Check.Name, l.Seen, l.Do)
		require.NotEmpty(t, l.Seen, l.Check.Name)
		if had, ok := out[l.Check.Name]; !ok || l.Level > had.Level {
			out[l.Check.Name] = l.Finding
		}
	}
	return out
}

func ours(t *testing.T) clickhouse.Config {
	t.Helper()
	addr, database := testkit.ClickHouse(t)
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs, cfg.Database = []string{addr}, database
	return cfg
}

func TestChecksPassAndChangeNothing(t *testing.T) {
	t.Parallel()
	cfg := ours(t)
	cfg.Database += "_new"
	before := found(t, cfg)
	for name, f := range before {
		require.Equal(t, preflight.OK, f.Level, "%s: %s", name, f.Seen)
	}
	require.Contains(t, before["clickhouse rights"].Seen, "CREATE DATABASE", "the database does not exist yet")
	require.Contains(t, before["clickhouse migrations"].Seen, "9 of 9 are not applied yet")
	require.Contains(t, found(t, cfg)["clickhouse rights"].Seen, "CREATE DATABASE", "the checks created none")
}

func TestChecksReportPendingMigrations(t *testing.T) {
	t.Parallel()
	cfg := ours(t)
	reads := func() preflight.Finding {
		return worst(t, clickhouse.Checks(cfg, projections.Migrations(), nil))["clickhouse migrations"]
	}
	f := reads()
	require.Equal(t, preflight.Warn, f.Level, "a program that only reads waits for a projector")
	require.Contains(t, f.Do, "start a projector")
	require.NoError(t, clickhouse.Migrate(t.Context(), cfg, slog.New(slog.DiscardHandler), projections.Migrations()))
	require.Equal(t, "all 9 are applied", reads().Seen)
	require.Equal(t, "all 9 are applied", found(t, cfg)["clickhouse migrations"].Seen)

	changed := fstest.MapFS{"0001_events.sql": {Data: []byte("SELECT 1")}}
	f = worst(t, clickhouse.Checks(cfg, nil, changed))["clickhouse migrations"]
	require.Equal(t, preflight.Fail, f.Level)
	require.Contains(t, f.Seen, "0001_events.sql was changed after it was applied")
}

func TestChecksNameUnreachableServers(t *testing.T) {
	t.Parallel()
	cfg := ours(t)
	good := cfg.Addrs[0]
	cfg.Addrs = []string{"127.0.0.1:1", good}
	f := found(t, cfg)["clickhouse servers"]
	require.Equal(t, preflight.Warn, f.Level)
	require.Contains(t, f.Seen, "127.0.0.1:1: ")
	cfg.Addrs = cfg.Addrs[:1]
	all := found(t, cfg)
	require.Equal(t, preflight.Fail, all["clickhouse servers"].Level)
	require.Equal(t, preflight.Skip, all["clickhouse rights"].Level)
}

func TestChecksRefuseAnOldServer(t *testing.T) {
	t.Parallel()
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs = []string{old(t)}
	all := found(t, cfg)
	require.Equal(t, preflight.OK, all["clickhouse servers"].Level)
	require.Equal(t, preflight.Fail, all["clickhouse version"].Level)
	require.Contains(t, all["clickhouse version"].Seen, "18.16.1")
	require.Contains(t, all["clickhouse version"].Do, "upgrade")
	for _, name := range []string{"clickhouse rights", "clickhouse migrations", "clickhouse settings", "clickhouse clock"} {
		require.Equal(t, preflight.Skip, all[name].Level, name)
	}
	discard := slog.New(slog.DiscardHandler)
	fills := preflight.Run(t.Context(), clickhouse.Checks(cfg, nil, projections.Migrations()))
	require.ErrorContains(t, fills.Start(t.Context(), discard), "18.16.1 has no JSON columns")
	reads := preflight.Run(t.Context(), clickhouse.Checks(cfg, projections.Migrations(), nil))
	require.NoError(t, reads.Start(t.Context(), discard), "a program that only reads has other work")
}

func TestChecksRecognizeAnHTTPPort(t *testing.T) {
	t.Parallel()
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs, cfg.DialTimeout = []string{silent(t)}, 100*time.Millisecond
	require.Contains(t, found(t, cfg)["clickhouse servers"].Do, "9000, not 8123")
}

// old is a server that announces an old version, with the hello of a real one of that version, and answers pings.
func old(t *testing.T) string {
	t.Helper()
	const revision = 54412
	return netfault.Serve(t, func(conn net.Conn) {
		r := proto.NewReader(conn)
		for {
			code, err := r.UVarInt()
			if err != nil {
				return
			}
			var b proto.Buffer
			switch proto.ClientCode(code) {
			case proto.ClientCodeHello:
				var hello proto.ClientHello
				if hello.Decode(r) != nil {
					return
				}
				(&proto.ServerHello{
					Name: "ClickHouse", Major: 18, Minor: 16, Patch: 1, Revision: revision, Timezone: "UTC", DisplayName: "old",
				}).EncodeAware(&b, revision)
			case proto.ClientCodePing:
				proto.ServerCodePong.Encode(&b)
			default:
				return
			}
			if _, err := conn.Write(b.Buf); err != nil {
				return
			}
		}
	})
}

// silent accepts connections and sends nothing, as an HTTP server does before the first line of a request.
func silent(t *testing.T) string {
	t.Helper()
	return netfault.Serve(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
}
