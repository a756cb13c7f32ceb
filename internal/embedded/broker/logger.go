package broker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
)

// logger forwards kfake's log, and remembers errors while it is watched: kfake's Close reports what it could not write
// only in its log. So do its answers: some of them say success although it could not write.
type logger struct {
	log *slog.Logger
	// onFailure is called once, before kfake answers the request whose write failed.
	onFailure func()

	mu       sync.Mutex
	watching bool  // Guarded by mu.
	err      error // The first error since watching; guarded by mu.
	broken   error // The first write that failed; guarded by mu.
}

// writes are the beginnings of the lines with which kfake says that a write failed.
//
//nolint:gochecknoglobals // A constant list.
var writes = []string{"persist ", "rebuildSegments ", "endTx: failed to persist"}

// notePersist notes a write that failed.
func (l *logger) notePersist(format string, args []any) {
	if !slices.ContainsFunc(writes, func(begin string) bool { return strings.HasPrefix(format, begin) }) {
		return
	}
	l.mu.Lock()
	first := l.broken == nil && !l.watching
	if first {
		// Errorf with %w in place of %v keeps the error of the system, by which a full disk is recognized.
		l.broken = fmt.Errorf(strings.ReplaceAll(format, "%v", "%w"), args...)
	}
	l.mu.Unlock()
	if first {
		l.log.Error("embedded kafka failed to write its log, connections closed", slog.Any("err", l.failure()))
		l.onFailure()
	}
}

func (l *logger) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
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
	if level == kfake.LogLevelWarn || level == kfake.LogLevelError {
		l.notePersist(format, args)
	}
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
