package main

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/setting"
)

// A variable that is read and not in the list would be reported as misspelt.
func TestVariablesAreKnown(t *testing.T) {
	t.Parallel()
	known, read := setting.Known(), 0
	_, _ = readConfig(func(name string) string {
		read++
		require.Contains(t, known, name)
		return ""
	})
	require.Positive(t, read)
}

func TestRunRefusesArguments(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"please"}, func(string) string { return "" }, io.Discard, io.Discard)
	require.ErrorContains(t, err, `unexpected argument "please"`)
}

// What -print-config prints is a file of variables: a shell that reads it gives the same configuration.
func TestPrintConfigIsFileOfVariables(t *testing.T) {
	t.Parallel()
	vars := map[string]string{
		"ORDERLEDGER_KAFKA_BROKERS": "a:1,b:2", "ORDERLEDGER_LANES": "6", "ORDERLEDGER_INGEST_REPEAT_WITHIN": "30s",
		"ORDERLEDGER_INGEST_STANDBY": "off", "ORDERLEDGER_INGEST_CACHE_MIB": "200", "ORDERLEDGER_INGEST_OPEN": "yes",
		"ORDERLEDGER_DATA": "/srv/it's mine", "ORDERLEDGER_INGEST_ADMIN_ADDR": "off", "ORDERLEDGER_LOG_LEVEL": "WARN",
	}
	getenv := func(of map[string]string) func(string) string { return func(name string) string { return of[name] } }
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-print-config"}, getenv(vars), &out, io.Discard))
	file := filepath.Join(t.TempDir(), "vars")
	require.NoError(t, os.WriteFile(file, out.Bytes(), 0o600))
	shell := exec.CommandContext(t.Context(), "sh", "-c", "set -a; . "+file+"; env -0")
	shell.Env = []string{"PATH=" + os.Getenv("PATH")}
	text, err := shell.Output()
	require.NoError(t, err)
	read := map[string]string{}
	for pair := range strings.SplitSeq(string(text), "\x00") {
		if name, value, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ORDERLEDGER_") {
			read[name] = value
		}
	}
	require.ElementsMatch(t, keys(vars), keys(read), "only what was set is set")
	want, err := readConfig(getenv(vars))
	require.NoError(t, err)
	got, err := readConfig(getenv(read))
	require.NoError(t, err)
	wantText, err := json.Marshal(want)
	require.NoError(t, err)
	gotText, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, string(wantText), string(gotText))
	require.Contains(t, out.String(), "#ORDERLEDGER_KAFKA_USER=\n", "defaults are comments")
}

func keys(of map[string]string) []string {
	var out []string
	for name := range maps.Keys(of) {
		out = append(out, name)
	}
	return out
}

func TestHelpListsVariables(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Error(t, run(t.Context(), []string{"-h"}, func(string) string { return "" }, io.Discard, &out))
	_, _ = readConfig(func(name string) string {
		require.Contains(t, out.String(), "  "+name+" ")
		return ""
	})
}
