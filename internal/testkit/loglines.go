package testkit

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// LogLines keeps the lines of a log, as JSON, for tests of what is logged. Many goroutines may write to it.
type LogLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Logger returns a logger that writes lines from a level on.
func (l *LogLines) Logger(from slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: from}))
}

// Write implements io.Writer.
func (l *LogLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// With returns the lines with a message, by attribute.
func (l *LogLines) With(t testing.TB, message string) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []map[string]any
	for line := range strings.Lines(l.text.String()) {
		var attrs map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &attrs), line)
		if attrs["msg"] == message {
			out = append(out, attrs)
		}
	}
	return out
}
