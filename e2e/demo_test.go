package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// TestDemo runs the demo, which prints events, tables and pushes and ends.
func TestDemo(t *testing.T) {
	if _, err := engine.Locate(); err != nil {
		t.Skip(err)
	}
	binary, err := build()
	require.NoError(t, err)
	text, err := exec.CommandContext(t.Context(), binary, "demo", "--shipments", "40").CombinedOutput()
	out := string(text)
	require.NoError(t, err, out)
	for _, want := range []string{
		"ready after", "POST …/shipments/labels", "tables and pushes caught up", "ShipmentCreated", "DELIVERED",
		"SLA clocks by outcome", "43  SUBORDER_CREATE", "wrong signatures: 0, out of order: 0", "webhook-signature: v1,", `"eventType": "SUBORDER_COMPLETE"`,
	} {
		require.Contains(t, out, want)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "seller ") { // The only lines that a terminal neither shortens nor wraps.
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(line)), 80, line)
		}
	}
}

// interruptedAt runs a command of the tool, presses Ctrl-C once a condition of its data folder and its output holds,
// and returns its exit code and standard error.
func interruptedAt(t *testing.T, reached func(data, out string) bool, args ...string) (code int, stderr string) {
	t.Helper()
	if _, err := engine.Locate(); err != nil {
		t.Skip(err)
	}
	binary, err := build()
	require.NoError(t, err)
	data := filepath.Join(t.TempDir(), "data")
	stdout, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer stdout.Close()
	var errors bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, append(args, "--data", data)...)
	cmd.Stdout, cmd.Stderr = stdout, &errors
	killWithParent(cmd)
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		out, _ := os.ReadFile(stdout.Name())
		return reached(data, string(out))
	}, time.Minute, time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), errors.String()
}

// folder is the condition that a folder is there.
func folder(name string) func(data, out string) bool {
	return func(data, _ string) bool {
		_, err := os.Stat(filepath.Join(data, name))
		return err == nil
	}
}

// TestDemoInterrupted stops the demo by Ctrl-C at moments of its start and its run. It says that it was interrupted,
// and nothing about what that broke off.
func TestDemoInterrupted(t *testing.T) {
	printed := func(text string) func(string, string) bool {
		return func(_, out string) bool { return strings.Contains(out, text) }
	}
	for name, reached := range map[string]func(data, out string) bool{
		"Kafka starts":       folder("kafka"),
		"ClickHouse starts":  folder("clickhouse"),
		"the journal starts": folder("lanes"),
		"it is ready":        printed("ready after"),
		"it plays":           printed("── play"),
		"tables are printed": printed("── tables"),
	} {
		t.Run(name, func(t *testing.T) {
			code, stderr := interruptedAt(t, reached, "demo", "--shipments", "40")
			require.Equal(t, 1, code)
			require.Equal(t, "orderledger: interrupted\n", stderr)
		})
	}
}

// TestUpInterrupted stops up while it starts, which is an ordinary stop.
func TestUpInterrupted(t *testing.T) {
	for _, name := range []string{"kafka", "clickhouse", "lanes"} {
		code, stderr := interruptedAt(t, folder(name), "up", "--quiet", "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0",
			"--clickhouse-listen", "127.0.0.1:0", "--clickhouse-http-listen", "127.0.0.1:0")
		require.Zero(t, code, "%s: %s", name, stderr)
		for _, unwanted := range []string{"cancel", "interrupted", `"level":"ERROR"`} {
			require.NotContains(t, stderr, unwanted, name)
		}
	}
}
