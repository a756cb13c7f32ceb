package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Await waits, without a limit of its own, until ClickHouse answers or ctx ends. Programs that may start before their
// server call it before Migrate.
func (c Config) Await(ctx context.Context, log *slog.Logger) error {
	conn, err := open(c, "default")
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Nothing is left to lose.
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := conn.Ping(ctx)
		if err == nil {
			return nil
		}
		log.WarnContext(ctx, "clickhouse not reached yet", slog.Any("addrs", c.Addrs), slog.Any("err", c.Explain(err)))
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for clickhouse: %w", ctx.Err())
		case <-time.After(wait):
		}
	}
}
