package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Await returns when ClickHouse answers, however long that takes, or when ctx ends. Programs that start together with
// their server call it before Migrate.
func Await(ctx context.Context, cfg Config, log *slog.Logger) error {
	conn, err := open(cfg, "default")
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Nothing is left to lose.
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := conn.Ping(ctx)
		if err == nil {
			return nil
		}
		log.WarnContext(ctx, "clickhouse is not there yet", slog.Any("addrs", cfg.Addrs), slog.Any("err", cfg.Explain(err)))
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for clickhouse: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
}
