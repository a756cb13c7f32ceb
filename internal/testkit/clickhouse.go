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

	"github.com/orderledger/orderledger/internal/clickhouse"
	front "github.com/orderledger/orderledger/internal/embedded/clickhouse"
	"github.com/orderledger/orderledger/internal/embedded/engine"
	"github.com/orderledger/orderledger/internal/embedded/filelock"
	"github.com/orderledger/orderledger/internal/setting"
)

// databases numbers the databases of this process, so that parallel tests never share one.
var databases atomic.Int64

// embedded is the one embedded server of this test process: the engine keeps one data folder per process.
var embedded struct {
	sync.Mutex
	server *front.Server
	dir    string
	err    error
	done   bool
}

// ClickHouse returns the native address of the embedded ClickHouse engine and the name of a fresh database in it, for
// tests that need any ClickHouse; see [ClickHouseBackend.Open].
func ClickHouse(t testing.TB) (addr, database string) {
	t.Helper()
	cfg := Embedded.Open(t)
	return cfg.Addrs[0], cfg.Database
}

// Open returns how to reach a fresh database, which is dropped when the test ends. The embedded engine starts once per
// test process. A package that uses it must run its tests through [RunClickHouse], which stops it and removes its
// files. Without an engine, or a server, the test is skipped with the reason.
func (c ClickHouseBackend) Open(t testing.TB) clickhouse.Config {
	t.Helper()
	c.skipUnlessAvailable(t)
	cfg := clickhouse.DefaultConfig()
	if c == Server {
		cfg.Addrs = strings.Split(os.Getenv(EnvClickHouse), ",")
		cfg.User, cfg.Password = os.Getenv(EnvClickHouseUser), setting.NewSecret(os.Getenv(EnvClickHousePassword))
	} else {
		cfg.Addrs = []string{embeddedClickHouse(t)}
	}
	cfg.Database = fmt.Sprintf("test_%d_%d", os.Getpid(), databases.Add(1))
	user := cfg.User
	if user == "" {
		user = "default"
	}
	conn, err := clickhousego.Open(&clickhousego.Options{
		Addr: cfg.Addrs, Auth: clickhousego.Auth{Username: user, Password: cfg.Password.Reveal()}, MaxOpenConns: 1,
	})
	require.NoError(t, err)
	// The embedded engine has a function that a published server lacks. The query finds out whether a substitute image is
	// running.
	var version string
	var standIn uint64
	const query = "SELECT version(), (SELECT count() FROM system.functions WHERE name = 'chdb')"
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&version, &standIn))
	if c == Embedded {
		version = embedded.server.EngineVersion() // The pinned one, by which the other tests and the log name it too.
	}
	remark := ""
	if c == Server && standIn > 0 {
		remark = " (a stand-in: the embedded engine behind a server's ports)"
	}
	t.Logf("testkit: backend %s %s%s", c, version, remark)
	require.NoError(t, conn.Exec(t.Context(), "CREATE DATABASE "+cfg.Database))
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		require.NoError(t, conn.Exec(ctx, "DROP DATABASE IF EXISTS "+cfg.Database))
		require.NoError(t, conn.Close())
	})
	return cfg
}

// RunClickHouse runs the tests of a package and stops the embedded server afterwards, if a test started it. Use it in
// TestMain: os.Exit(testkit.RunClickHouse(m)).
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
		t.Skipf("no %s: %v", Embedded, err)
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
	cfg := front.DefaultConfig()
	cfg.DataDir, cfg.NativeAddr, cfg.HTTPAddr = dir, "127.0.0.1:0", ""
	s := front.New(cfg, slog.New(slog.DiscardHandler), nil)
	if err := s.Start(context.Background()); err != nil {
		return err
	}
	embedded.server = s
	return nil
}

// sweep removes the folders of earlier test processes that were killed. Nobody holds the locks of those folders.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	for _, dir := range dirs {
		path := filepath.Join(dir, "lock")
		if _, err := os.Stat(path); err != nil {
			continue // Another process is creating it.
		}
		if lock, err := filelock.Try(path); err == nil {
			_ = os.RemoveAll(dir)
			_ = lock.Release()
		}
	}
}
