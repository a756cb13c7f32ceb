package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/engine"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// build compiles the operator's tool once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "orderledger-e2e")
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir, "../cmd/orderledger").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return filepath.Join(dir, "orderledger"), nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binary, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(binary))
	}
	os.Exit(code)
}

// stack is `orderledger up` as a process. Its ports and its data folder outlive the process.
type stack struct {
	t      testing.TB
	binary string
	data   string
	url    string
	kafka  string
	native string
	// clickhouse is the address of its HTTP interface.
	clickhouse string
	user       string // Of ClickHouse; empty for the default user.
	password   string
	receiver   *testkit.Receiver
	flags      []string
	cmd        *exec.Cmd
	log        *os.File
}

// newStack starts a stack with a receiver, and with the flags.
func newStack(t testing.TB, flags ...string) *stack {
	t.Helper()
	return startStack(t, testkit.NewReceiver(t, ""), flags)
}

// newStackWithoutReceiver starts a stack that pushes nothing.
func newStackWithoutReceiver(t testing.TB, flags ...string) *stack {
	t.Helper()
	return startStack(t, nil, flags)
}

func startStack(t testing.TB, receiver *testkit.Receiver, flags []string) *stack {
	t.Helper()
	if _, err := engine.Locate(); err != nil {
		t.Skip(err)
	}
	t.Log("testkit: backend everything in one process, kfake and embedded ClickHouse " + engine.Version)
	binary, err := build()
	require.NoError(t, err)
	s := &stack{
		t: t, binary: binary, data: t.TempDir(), url: "http://" + netfault.FreeAddr(t), kafka: netfault.FreeAddr(t), native: netfault.FreeAddr(t),
		clickhouse: netfault.FreeAddr(t),
		receiver:   receiver, flags: flags,
	}
	s.log, err = os.Create(filepath.Join(t.TempDir(), "up.log"))
	require.NoError(t, err)
	t.Cleanup(func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
		_ = s.log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(s.log.Name())
			t.Logf("log of up (end):\n%s", text[max(0, len(text)-20_000):])
		}
	})
	s.start()
	return s
}

// start runs the process and waits until it is ready.
func (s *stack) start() {
	s.t.Helper()
	args := append([]string{
		"up", "--data", s.data, "--listen", s.url[len("http://"):], "--kafka-listen", s.kafka,
		"--clickhouse-listen", s.native, "--clickhouse-http-listen", s.clickhouse, "--quiet",
	}, s.flags...)
	if s.receiver != nil {
		args = append(args, "--suborder-endpoint", s.receiver.URL())
	}
	s.cmd = exec.Command(s.binary, args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	require.NoError(s.t, s.cmd.Start())
	require.Eventually(s.t, func() bool { return get(s.t.Context(), s.url+"/readyz") == nil }, time.Minute, 20*time.Millisecond, "up is not ready")
}

// kill ends the process with SIGKILL.
func (s *stack) kill() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Kill())
	_ = s.cmd.Wait()
	s.cmd = nil
}

// stop ends the process with SIGTERM and requires that it exits without an error.
func (s *stack) stop() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(s.t, s.cmd.Wait())
	s.cmd = nil
}

// sql opens the tables.
func (s *stack) sql() driver.Conn {
	s.t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{s.native}, Auth: clickhouse.Auth{Username: s.user, Password: s.password},
	})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// count returns the number that a query selects.
func count(t testing.TB, conn driver.Conn, query string) int {
	t.Helper()
	var n uint64
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n), query)
	return int(n)
}
