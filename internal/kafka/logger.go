package kafka

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Logging returns an option that sends the log of a client to log. Lines of level info become debug: the client logs
// every metadata update and every rebalance step there, and our programs log their own assignments.
func Logging(log *slog.Logger) kgo.Opt {
	if log == nil {
		return kgo.WithLogger(nil)
	}
	return kgo.WithLogger(clientLogger{log})
}

type clientLogger struct{ log *slog.Logger }

// Level implements kgo.Logger. The client calls it before every line, so a logger at warn costs nothing.
func (c clientLogger) Level() kgo.LogLevel {
	ctx := context.Background() // kgo's interface has no context.
	switch {
	case c.log.Enabled(ctx, slog.LevelDebug):
		return kgo.LogLevelInfo
	case c.log.Enabled(ctx, slog.LevelWarn):
		return kgo.LogLevelWarn
	case c.log.Enabled(ctx, slog.LevelError):
		return kgo.LogLevelError
	}
	return kgo.LogLevelNone
}

// Log implements kgo.Logger.
func (c clientLogger) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	to := slog.LevelDebug
	switch level {
	case kgo.LogLevelError:
		to = slog.LevelError
	case kgo.LogLevelWarn:
		to = slog.LevelWarn
	case kgo.LogLevelInfo, kgo.LogLevelDebug, kgo.LogLevelNone:
	}
	attrs := make([]slog.Attr, 0, len(keyvals)/2+1)
	attrs = append(attrs, slog.String("from", "kafka client"))
	for i := 0; i+1 < len(keyvals); i += 2 {
		attrs = append(attrs, slog.Any(fmt.Sprint(keyvals[i]), keyvals[i+1]))
	}
	c.log.LogAttrs(context.Background(), to, msg, attrs...)
}
