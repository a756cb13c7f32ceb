package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/console"
)

// stream returns the events of tests that log one line each and end with an action.
func stream(t *testing.T, tests ...[3]string) string {
	t.Helper()
	var b strings.Builder
	for _, test := range tests {
		for _, l := range []line{
			{Action: "output", Package: "p", Test: test[0], Output: "    x_test.go:1: " + test[1] + "\n"},
			{Action: test[2], Package: "p", Test: test[0]},
		} {
			raw, err := json.Marshal(l)
			require.NoError(t, err)
			b.Write(append(raw, '\n'))
		}
	}
	return b.String()
}

func TestReportBackends(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ok, err := report(strings.NewReader(stream(t,
		[3]string{"TestA/kfake", "testkit: backend kfake (Kafka in the process)", "pass"},
		[3]string{"TestA/Apache_Kafka", "testkit: backend Apache Kafka 4.3", "pass"},
		[3]string{"TestB/Apache_Kafka", "testkit: backend Apache Kafka 4.3", "fail"},
		[3]string{"TestC/server", "testkit: backend ClickHouse server 26.7.3 (a stand-in: the embedded engine)", "pass"},
		[3]string{"TestD/embedded", "testkit: absent embedded ClickHouse: no engine", "pass"},
		[3]string{"TestE", "no reason to run", "skip"},
	)), newStatus(console.Screen{Out: &out}))
	require.NoError(t, err)
	require.False(t, ok)
	text := out.String()
	for _, want := range []string{
		"ClickHouse server  26.7.3 (a stand-in: the embedded engine)  1      1       0       0",
		"Apache Kafka       4.3                                       2      1       1       0",
		"kfake              (Kafka in the process)                    1      1       0       0",
		"not available: embedded ClickHouse: no engine",
		"skipped 1: no reason to run",
	} {
		require.Contains(t, text, want)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	require.Equal(t, "4 passed, 1 skipped, 1 failed", lines[len(lines)-1])
}

func TestReportUnusedBackend(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	ok, err := report(strings.NewReader(stream(t, [3]string{"TestA", "something", "pass"})), newStatus(console.Screen{Out: &out}))
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, out.String(), "not used: Apache Kafka\n")
}

// The stacks are in the output of a test that has no end, so they are lost unless the end of its package shows them.
func TestReportShowsStacksOfPackage(t *testing.T) {
	t.Parallel()
	reported := func(t *testing.T, in string) string {
		t.Helper()
		var out bytes.Buffer
		ok, err := report(strings.NewReader(in), newStatus(console.Screen{Out: &out}))
		require.NoError(t, err)
		require.False(t, ok)
		return out.String()
	}
	for _, tc := range []struct {
		name, file string
		shown      []string
	}{
		{"a package that ran into its limit", "timeout", []string{
			"FAIL  github.com/orderledger/orderledger/internal/setting  (2.0 s)\ndid not end: TestHang/in_a_part\n",
			"panic: test timed out after 2s\n\trunning tests:\n\t\tTestHang (2s)\n", "setting_test.go:4 +0x",
		}},
		{"a panic outside of a test", "panic", []string{
			"did not end: TestOK\n", "    preflight_test.go:3: fine\n", "panic: elsewhere\n", "preflight_test.go:3 +0x25\n",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("testdata/" + tc.file + ".json")
			require.NoError(t, err)
			out := reported(t, string(text))
			for _, want := range tc.shown {
				require.Contains(t, out, want)
			}
			require.NotContains(t, out, "did not end: TestHang\n", "a test without output of its own")
		})
	}
	t.Run("what surrounds the panic, if there is much", func(t *testing.T) {
		t.Parallel()
		var in strings.Builder
		for i := range 5000 {
			text := fmt.Sprintf("line %d\n", i)
			if i == 3000 {
				text = "panic: test timed out after 15m0s\n"
			}
			raw, err := json.Marshal(line{Action: "output", Package: "p", Test: "TestA", Output: text})
			require.NoError(t, err)
			in.Write(append(raw, '\n'))
		}
		in.WriteString(`{"Action":"fail","Package":"p"}`)
		out := reported(t, in.String())
		require.Contains(t, out, "did not end: TestA\n… 2900 lines left out\nline 2900\n")
		require.Contains(t, out, "line 2999\npanic: test timed out after 15m0s\nline 3001\n")
		require.Contains(t, out, "line 3899\n… 1100 lines left out\n")
		require.NotContains(t, out, "line 3900\n")
	})
}

// recorded plays a recorded run of `go test -json` over three packages, of which one is silent for a minute, and returns
// what is printed. Its lines come in four parts, 40 s apart.
func recorded(t *testing.T, width int) string {
	t.Helper()
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		text, err := os.ReadFile("testdata/run.json")
		require.NoError(t, err)
		in, play := io.Pipe()
		go func() {
			for part := range strings.SplitSeq(string(text), "\n\n") {
				_, _ = io.WriteString(play, strings.TrimSpace(part)+"\n")
				<-time.After(40 * time.Second)
			}
			_ = play.Close()
		}()
		ok, err := report(in, newStatus(console.Screen{Out: &out, Width: width}))
		require.NoError(t, err)
		require.False(t, ok)
	})
	return out.String()
}

func TestReportStatusInPipe(t *testing.T) {
	t.Parallel()
	out := recorded(t, 0)
	require.NotContains(t, out, "\r")
	var shown []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "…") {
			shown = append(shown, strings.TrimSpace(line))
		}
	}
	require.Equal(t, []string{
		"…     30 s: 0 passed, 0 skipped, 0 failed; 0 packages done, 2 running: internal/jsontext 30 s, internal/setting 30 s",
		"…     70 s: 2 passed, 0 skipped, 0 failed; 1 packages done, 2 running: internal/setting 70 s, internal/preflight 30 s",
		"…     110 s: 3 passed, 1 skipped, 1 failed; 2 packages done, 1 running: internal/preflight 70 s",
		"…     150 s: 4 passed, 1 skipped, 2 failed; 3 packages done, 0 running",
	}, shown)
	require.Contains(t, out, "ok    github.com/orderledger/orderledger/internal/jsontext")
}

func TestReportStatusInTerminal(t *testing.T) {
	t.Parallel()
	out := recorded(t, 60)
	lines := strings.Split(out, "\n")
	drawn := 0
	for i, line := range lines {
		states := strings.Split(line, "\r")
		for _, state := range states[1:] {
			if state, erased := strings.CutSuffix(state, "\x1b[K"); erased {
				drawn++
				require.LessOrEqual(t, len([]rune(state)), 59, "it does not wrap")
			}
		}
		require.NotContains(t, line, "…     ", "no line for each status")
		if i > 0 {
			require.NotContains(t, states[0], "running", "a status is no line of its own")
		}
	}
	require.Greater(t, drawn, 600, "four a second")
	// What remains on the screen is what a pipe gets, without its status lines.
	var screen, pipe []string
	for _, line := range lines {
		screen = append(screen, shown(line))
	}
	for line := range strings.SplitSeq(recorded(t, 0), "\n") {
		if !strings.HasPrefix(line, "…") {
			pipe = append(pipe, line)
		}
	}
	require.Equal(t, pipe, screen)
}

// shown is what a terminal shows of a line: "\r" goes to its start, where what follows is written over it, and "\x1b[K"
// erases the rest.
func shown(line string) string {
	var cells []rune
	at := 0
	for line != "" {
		if rest, erase := strings.CutPrefix(line, "\x1b[K"); erase {
			cells, line = cells[:at], rest
			continue
		}
		r, size := utf8.DecodeRuneInString(line)
		line = line[size:]
		if r == '\r' {
			at = 0
			continue
		}
		cells = append(cells[:at], append([]rune{r}, cells[min(at+1, len(cells)):]...)...)
		at++
	}
	return string(cells)
}
