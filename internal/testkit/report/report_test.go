package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
	)), &out)
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
	ok, err := report(strings.NewReader(stream(t, [3]string{"TestA", "something", "pass"})), &out)
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, out.String(), "not used: Apache Kafka\n")
}
