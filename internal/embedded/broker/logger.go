package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// logger forwards kfake's log, and remembers errors while it is watched: kfake's Close reports what it could not write
// only in its log.
type logger struct {
	log *slog.Logger

	mu       sync.Mutex
	watching bool  // Guarded by mu.
	err      error // The first error since watching; guarded by mu.
}

func (l *logger) watch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watching = true
}

func (l *logger) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Logf implements kfake.Logger.
func (l *logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
		l.mu.Lock()
		if l.watching && l.err == nil {
			l.err = fmt.Errorf(format, args...)
		}
		l.mu.Unlock()
	case kfake.LogLevelWarn:
		// kfake warns about every transaction that took milliseconds, which an operator can't do anything about.
		to = slog.LevelInfo
	case kfake.LogLevelInfo, kfake.LogLevelDebug, kfake.LogLevelNone:
	}
	ctx := context.Background() // kfake's interface has no context.
	if l.log.Enabled(ctx, to) {
		l.log.LogAttrs(ctx, to, "embedded kafka", slog.String("detail", fmt.Sprintf(format, args...)))
	}
}
