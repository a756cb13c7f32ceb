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
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, left, 1, "the checks change nothing: %v", left)
	})
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
		})
	}
	require.Equal(t, preflight.Fail, variables([]string{"ORDERLEDGER_KAFKA_BROKER=a:1"})[0].Level)
	require.Equal(t, "write ORDERLEDGER_KAFKA_BROKERS", variables([]string{"ORDERLEDGER_KAFKA_BROKER=a:1"})[0].Do)
	require.Equal(t, preflight.OK, variables([]string{"ORDERLEDGER_KAFKA_BROKERS=a:1"})[0].Level)
}

// An address that can't be had names its variable and the remedy; two of one program may exclude each other.
func TestLocalChecksNameVariables(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	twice := free.Addr().String()
	require.NoError(t, free.Close())
	report := preflight.Run(t.Context(), Local{
		Addrs:   []Addr{{"API", taken.Addr().String()}, {"ELSEWHERE", "192.0.2.1:80"}, {"PEER", twice}, {"ADMIN", twice}},
		Folders: []Folder{{"DATA", os.DevNull}},
	}.checks([]string{"ORDERLEDGER_KAFKA_BROKER=a:1"}))
	var failures []string
	for _, l := range report {
		if l.Level == preflight.Fail {
			failures = append(failures, l.Seen+" -> "+l.Do)
		}
	}
	require.Equal(t, []string{
		"no program reads ORDERLEDGER_KAFKA_BROKER -> write ORDERLEDGER_KAFKA_BROKERS",
		"API: listen tcp " + taken.Addr().String() + ": bind: address already in use -> " +
			"stop the program that uses the address, or choose another",
		"ELSEWHERE: listen tcp 192.0.2.1:80: bind: cannot assign requested address -> " +
			"this machine does not have the address: choose one that it has, such as 127.0.0.1",
		"ADMIN: listen tcp " + twice + ": bind: address already in use -> " +
			"stop the program that uses the address, or choose another",
		"DATA: /dev/null is a file, not a folder -> " +
			"give the user of the program the right to write there, or choose another",
	}, failures)
}
