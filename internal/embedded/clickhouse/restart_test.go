package clickhouse_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clickhousego "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/clickhouse"
)

// childEnv makes the test binary a server on the folder that it names. Restarts need another process: the engine keeps
// one folder per process, and a kill ends the process.
const childEnv = "ORDERLEDGER_TEST_CLICKHOUSE_CHILD"

// child serves until its standard input ends. It prints its addresses, or the error, on standard output.
func child(dir string) int {
	cfg := config(dir)
	cfg.User, cfg.Password, cfg.Database, cfg.StopTimeout = "ledger", "secret", "orderledger", time.Second
	s := clickhouse.New(cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)), nil)
	if err := s.Start(context.Background()); err != nil {
		fmt.Println("refused", strings.ReplaceAll(err.Error(), "\n", " ")) //nolint:forbidigo // The parent process reads it.
		return 1
	}
	fmt.Println("ready", s.NativeAddr(), s.HTTPAddr()) //nolint:forbidigo // The parent process reads it.
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// process is a server in a child process.
type process struct {
	cmd          *osexec.Cmd
	stop         func() error // cleanly
	native, http string
	refusal      string
}

func spawn(t testing.TB, dir string) *process {
	t.Helper()
	needEngine(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: osexec.Command(exe, "-test.run=^$")}
	p.cmd.Env = append(os.Environ(), childEnv+"="+dir)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	p.stop = func() error { return errors.Join(in.Close(), p.cmd.Wait()) }
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	if words := strings.Fields(line); words[0] == "ready" {
		p.native, p.http = words[1], words[2]
	} else {
		p.refusal = line
	}
	return p
}

func withPassword(o *clickhousego.Options) {
	o.Auth = clickhousego.Auth{Username: "ledger", Password: "secret", Database: "orderledger"}
}

func TestServerKeepsDataAcrossKills(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := spawn(t, dir)
	conn := open(t, p.native, withPassword)
	exec1(t, p, "CREATE TABLE t (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100, fsync_after_insert = 1")
	require.NoError(t, insertNumbers(t, t.Context(), conn, "INSERT INTO t", 0, 1000))
	require.NoError(t, p.stop())
	require.NoFileExists(t, filepath.Join(dir, "running"))

	p = spawn(t, dir)
	conn = open(t, p.native, withPassword)
	require.Equal(t, "1000", scalar(t, conn, "SELECT count() FROM t"))
	require.NoError(t, insertNumbers(t, t.Context(), conn, "INSERT INTO t", 1000, 3000))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGKILL))
	require.Error(t, p.cmd.Wait())
	require.FileExists(t, filepath.Join(dir, "running"))

	p = spawn(t, dir)
	require.Empty(t, p.refusal)
	conn = open(t, p.native, withPassword)
	require.Equal(t, "(3000,3000)", scalar(t, conn, "SELECT (count(), uniqExact(id)) FROM t"))
	require.NoError(t, p.stop())
}

// Damage after an unclean stop is refused at every start, until the damaged parts are removed.
func TestServerRefusesDamagedTables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file   string
		damage func(data []byte) []byte
		want   string
	}{
		"a bit of a column's data flips": {
			"id.bin", func(data []byte) []byte { data[len(data)/2] ^= 1; return data }, "table `orderledger`.`t`: part",
		},
		// The engine goes on without such a part, and its CHECK TABLE does not see it any more.
		"a part can't be loaded": {
			"columns.txt", func([]byte) []byte { return []byte("nonsense") }, "could not be read and was detached to",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := spawn(t, dir)
			conn := open(t, p.native, withPassword)
			exec1(t, p, "CREATE TABLE t (id UInt64, s String) ENGINE = MergeTree ORDER BY id SETTINGS min_bytes_for_wide_part = 0")
			exec1(t, p, "INSERT INTO t SELECT number, toString(number) FROM numbers(100000)")
			part := scalar(t, conn, "SELECT path FROM system.parts WHERE table = 't' AND active LIMIT 1")
			require.NoError(t, p.cmd.Process.Signal(syscall.SIGKILL))
			require.Error(t, p.cmd.Wait())
			path := filepath.Join(part, c.file)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, c.damage(data), 0o640))

			for range 2 { // it stays
				p = spawn(t, dir)
				require.Contains(t, p.refusal, "damaged after an unclean stop")
				require.Contains(t, p.refusal, "`orderledger`.`t`")
				require.Contains(t, p.refusal, c.want)
				require.Error(t, p.cmd.Wait())
			}
		})
	}
}

func TestServerRefusesAFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := spawn(t, dir)
	second := spawn(t, dir)
	require.Contains(t, second.refusal, "in use by another process")
	require.Empty(t, first.refusal)
	require.NoError(t, first.stop())
}

func TestServerRefusesAFolderOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "version"), []byte("25.8\n"), 0o640))
	p := spawn(t, dir)
	require.Contains(t, p.refusal, "25.8 wrote it")
}

func TestServerAuthenticatesOnBothProtocols(t *testing.T) {
	t.Parallel()
	p := spawn(t, t.TempDir())
	require.Equal(t, "1", scalar(t, open(t, p.native, withPassword), "SELECT 1"))
	for name, auth := range map[string]clickhousego.Auth{
		"no name":        {},
		"wrong name":     {Username: "default", Password: "secret"},
		"wrong password": {Username: "ledger", Password: "Secret"},
		"no password":    {Username: "ledger"},
	} {
		err := open(t, p.native, func(o *clickhousego.Options) { o.Auth = auth }).Ping(t.Context())
		require.Equal(t, 516, codeOf(t, err), name)
	}
	get := func(user, password string, params url.Values, headers ...string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.http+"/?query=SELECT+1&"+params.Encode(), nil)
		require.NoError(t, err)
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		if resp.StatusCode != http.StatusOK {
			require.Equal(t, "516", resp.Header.Get("X-ClickHouse-Exception-Code"))
		}
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, get("ledger", "secret", nil))
	require.Equal(t, http.StatusOK, get("", "", nil, "X-ClickHouse-User", "ledger", "X-ClickHouse-Key", "secret"))
	require.Equal(t, http.StatusOK, get("", "", url.Values{"user": {"ledger"}, "password": {"secret"}}))
	require.Equal(t, http.StatusUnauthorized, get("", "", nil))
	require.Equal(t, http.StatusForbidden, get("ledger", "wrong", nil))
	require.Equal(t, http.StatusForbidden, get("", "", nil, "X-ClickHouse-User", "ledger"))
	require.NoError(t, p.stop())
}

// exec1 runs a statement on a child server.
func exec1(t testing.TB, p *process, sql string) {
	t.Helper()
	require.NoError(t, open(t, p.native, withPassword).Exec(t.Context(), sql))
}
