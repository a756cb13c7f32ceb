package clickhouse

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func readFile(path string) ([]byte, error) { return os.ReadFile(path) }

func list(t testing.TB, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	return entries
}

func TestConfigDefaultsToLoopback(t *testing.T) {
	t.Parallel()
	require.NoError(t, DefaultConfig().Validate())
	require.Equal(t, "127.0.0.1:9000", DefaultConfig().NativeAddr)
	require.Equal(t, "127.0.0.1:8123", DefaultConfig().HTTPAddr)
}

func TestConfigReportsAllProblems(t *testing.T) {
	t.Parallel()
	err := Config{NativeAddr: ":9000", HTTPAddr: "nonsense", MaxSessions: -1, StopTimeout: -1}.Validate()
	for _, problem := range []string{"data folder is empty", `native address ":9000": no host`, `http address "nonsense"`, "max sessions is negative", "stop timeout is negative"} {
		require.ErrorContains(t, err, problem)
	}
}
