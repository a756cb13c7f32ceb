package testkit

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Limit is how long a test waits for what must come. It is generous: only a
// failing test ever waits so long.
const Limit = 90 * time.Second

// Eventually waits until cond holds and fails the test with msg when it does
// not within Limit. Nothing may be concluded from how long it took.
func Eventually(t testing.TB, cond func() bool, msg string) {
	t.Helper()
	require.Eventually(t, cond, Limit, 2*time.Millisecond, msg)
}

// Logger returns a logger that writes to the test's log while the test runs
// and to nowhere afterwards: a goroutine that outlives its test must not fail
// another one.
func Logger(t testing.TB) *slog.Logger {
	t.Helper()
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct {
	mu sync.Mutex
	t  testing.TB // Guarded by mu; nil once the test has ended.
}

func (w *testWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Helper()
		w.t.Log(strings.TrimRight(string(line), "\n"))
	}
	return len(line), nil
}
