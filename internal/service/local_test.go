package service

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/preflight"
)

func TestLocalChecks(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, c := range map[string]struct {
		local Local
		fails bool
	}{
		"nothing":               {},
		"a free address":        {local: Local{Addrs: []Addr{{"V", "127.0.0.1:0"}, {"W", ""}}}},
		"an address in use":     {local: Local{Addrs: []Addr{{"V", taken.Addr().String()}}}, fails: true},
		"a new folder":          {local: Local{Folders: []Folder{{"V", filepath.Join(dir, "a", "b")}}}},
		"a folder below a file": {local: Local{Folders: []Folder{{"V", filepath.Join(file, "b")}}}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := preflight.Run(t.Context(), c.local.checks(nil))
			require.Equal(t, c.fails, report.Failed() > 0, "%v", report)
			require.NoDirExists(t, filepath.Join(dir, "a"), "the checks change nothing")
		})
	}
	require.Equal(t, preflight.Fail, variables([]string{"ORDERLEDGER_KAFKA_BROKER=a:1"})[0].Level)
	require.Equal(t, "write ORDERLEDGER_KAFKA_BROKERS", variables([]string{"ORDERLEDGER_KAFKA_BROKER=a:1"})[0].Do)
	require.Equal(t, preflight.OK, variables([]string{"ORDERLEDGER_KAFKA_BROKERS=a:1"})[0].Level)
}
