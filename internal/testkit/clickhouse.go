package testkit

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

// databases numbers the databases of this process, so that parallel tests never share one.
var databases atomic.Int64

// ClickHouse returns the native address of a ClickHouse and the name of a fresh database in it, which is
// dropped when the test ends. The server is the one in ORDERLEDGER_TEST_CLICKHOUSE when that is set, else
// the embedded engine, started once per test process. Without either the test is skipped with the reason.
func ClickHouse(t testing.TB) (addr, database string) {
	t.Helper()
	addr = os.Getenv("ORDERLEDGER_TEST_CLICKHOUSE")
	if addr == "" {
		addr = embeddedClickHouse(t)
	}
	database = fmt.Sprintf("test_%d_%d", os.Getpid(), databases.Add(1))
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: strings.Split(addr, ","), MaxOpenConns: 1})
	require.NoError(t, err)
	require.NoError(t, conn.Exec(t.Context(), "CREATE DATABASE "+database))
	t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, conn.Exec(ctx, "DROP DATABASE IF EXISTS "+database))
		require.NoError(t, conn.Close())
	})
	return addr, database
}

func embeddedClickHouse(t testing.TB) string {
	t.Helper()
	t.Skip("no ClickHouse: set ORDERLEDGER_TEST_CLICKHOUSE")
	return ""
}
