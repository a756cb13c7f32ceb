package testkit

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clickhousego "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/clickhouse"
	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// databases numbers the databases of this process, so that parallel tests never share one.
var databases atomic.Int64

// embedded is the one embedded server of this test process: the engine keeps one data folder per process.
var embedded struct {
	sync.Mutex
	server *clickhouse.Server
	dir    string
	err    error
	done   bool
}

// ClickHouse returns the native address of a ClickHouse and the name of a fresh database in it, which is
// dropped when the test ends. The server is the one in ORDERLEDGER_TEST_CLICKHOUSE when that is set, else
// the embedded engine, started once per test process; a package that uses it runs its tests through
// [RunClickHouse], so that nothing stays behind. Without either the test is skipped with the reason.
func ClickHouse(t testing.TB) (addr, database string) {
	t.Helper()
	backend := "ClickHouse server"
	addr = os.Getenv("ORDERLEDGER_TEST_CLICKHOUSE")
	if addr == "" {
		backend = "embedded ClickHouse"
		addr = embeddedClickHouse(t)
	}
	database = fmt.Sprintf("test_%d_%d", os.Getpid(), databases.Add(1))
	conn, err := clickhousego.Open(&clickhousego.Options{Addr: strings.Split(addr, ","), MaxOpenConns: 1})
	require.NoError(t, err)
	version, err := conn.ServerVersion()
	require.NoError(t, err)
	t.Logf("testkit: backend %s %d.%d.%d", backend, version.Version.Major, version.Version.Minor, version.Version.Patch)
	require.NoError(t, conn.Exec(t.Context(), "CREATE DATABASE "+database))
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		require.NoError(t, conn.Exec(ctx, "DROP DATABASE IF EXISTS "+database))
		require.NoError(t, conn.Close())
	})
	return addr, database
}

// RunClickHouse runs the tests of a package and stops the embedded server afterwards, if a test started it. It
// is for TestMain: os.Exit(testkit.RunClickHouse(m)).
func RunClickHouse(m *testing.M) int {
	code := m.Run()
	embedded.Lock()
	defer embedded.Unlock()
	if embedded.server != nil {
		if err := embedded.server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "stop the embedded clickhouse:", err)
			code = max(code, 1)
		}
	}
	if embedded.dir != "" {
		_ = os.RemoveAll(embedded.dir)
	}
	return code
}

func embeddedClickHouse(t testing.TB) string {
	t.Helper()
	if _, err := engine.Locate(); err != nil {
		t.Skipf("no ClickHouse: ORDERLEDGER_TEST_CLICKHOUSE is not set, and %v", err)
	}
	embedded.Lock()
	defer embedded.Unlock()
	if !embedded.done {
		embedded.err = startEmbedded()
		embedded.done = true
	}
	require.NoError(t, embedded.err)
	return embedded.server.NativeAddr()
}

// folderPrefix begins the names of the data folders of embedded test servers.
const folderPrefix = "orderledger-test-clickhouse-"

func startEmbedded() error {
	sweep()
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return err
	}
	embedded.dir = dir
	cfg := clickhouse.DefaultConfig()
	cfg.DataDir, cfg.NativeAddr, cfg.HTTPAddr = dir, "127.0.0.1:0", ""
	s := clickhouse.New(cfg, slog.New(slog.DiscardHandler), nil)
	if err := s.Start(context.Background()); err != nil {
		return err
	}
	embedded.server = s
	return nil
}

// sweep removes the folders of earlier test processes that were killed: nobody holds their lock any more.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range dirs {
		path := filepath.Join(dir, "lock")
		if _, err := os.Stat(path); err != nil {
			continue // another process is just making it
		}
		if lock, err := engine.TryLock(path); err == nil {
			_ = os.RemoveAll(dir)
			lock.Unlock()
		}
	}
}
