package clickhouse_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clickhousego "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/clickhouse"
	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// The one server of this test process, nil without the engine.
var (
	server   *clickhouse.Server
	registry = prometheus.NewRegistry()
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if _, err := engine.Locate(); err != nil {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "orderledger-clickhouse-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server = clickhouse.New(config(dir), slog.New(slog.DiscardHandler), registry)
	if err := server.Start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func config(dir string) clickhouse.Config {
	cfg := clickhouse.DefaultConfig()
	cfg.DataDir, cfg.NativeAddr, cfg.HTTPAddr = dir, "127.0.0.1:0", "127.0.0.1:0"
	return cfg
}

func needEngine(t testing.TB) {
	t.Helper()
	// TestMain has looked already, but the test cache only counts the files that a test itself opens.
	if _, err := engine.Locate(); err != nil {
		t.Skip(err)
	}
}

var databases atomic.Int64

// setup creates a database for the test and returns a pool of connections to it.
func setup(t testing.TB, options ...func(*clickhousego.Options)) driver.Conn {
	t.Helper()
	needEngine(t)
	name := fmt.Sprintf("test_%d", databases.Add(1))
	admin := open(t, server.NativeAddr())
	require.NoError(t, admin.Exec(t.Context(), "CREATE DATABASE "+name))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		require.NoError(t, admin.Exec(ctx, "DROP DATABASE "+name))
	})
	return open(t, server.NativeAddr(), append(options, func(o *clickhousego.Options) { o.Auth.Database = name })...)
}

func open(t testing.TB, addr string, options ...func(*clickhousego.Options)) driver.Conn {
	t.Helper()
	o := &clickhousego.Options{
		Addr:        []string{addr},
		Compression: &clickhousego.Compression{Method: clickhousego.CompressionLZ4},
		DialTimeout: 30 * time.Second,
	}
	for _, f := range options {
		f(o)
	}
	conn, err := clickhousego.Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

func exec(t testing.TB, conn driver.Conn, sql string, args ...any) {
	t.Helper()
	require.NoError(t, conn.Exec(t.Context(), sql, args...))
}

// scalar returns the single value of a query as text.
func scalar(t testing.TB, conn driver.Conn, sql string, args ...any) string {
	t.Helper()
	var v string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT toString(("+strings.TrimSuffix(sql, ";")+"))", args...).Scan(&v))
	return v
}
