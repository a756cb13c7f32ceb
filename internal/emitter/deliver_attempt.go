package emitter

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/webhook"
)

// worker sends what the loop gives it until the courier ends.
func (c *courier) worker() {
	for d := range c.work {
		c.landings <- c.attempt(d)
	}
}

// attempt sends a message once and reports how it went. The report may be repeated or missing when the process dies;
// the position that is committed afterwards is the truth.
func (c *courier) attempt(d *delivery) landing {
	ctx := d.lane.partition.ctx
	start := time.Now()
	response, err := c.post.Post(ctx, webhook.Message{
		ID: strconv.FormatInt(d.id, 10), Body: d.body, Traceparent: d.traceparent,
	})
	took := time.Since(start)
	verdict := webhook.Classify(response, err)

	c.metrics.attempts.WithLabelValues(c.endpoint.Name, verdict.String()).Inc()
	c.metrics.duration.WithLabelValues(c.endpoint.Name).Observe(took.Seconds())
	if verdict == webhook.OK {
		c.metrics.deliveries.WithLabelValues(c.endpoint.Name, d.eventType).Inc()
	}
	c.logAttempt(ctx, d, verdict, response, err, took)
	if c.outcomes != nil {
		out := outcome{
			MessageID: d.id, Endpoint: c.endpoint.Name, Attempt: d.attempts, Outcome: verdict.String(),
			Status: response.Status, DurationMs: took.Milliseconds(), At: start.UTC().Format(time.RFC3339Nano),
		}
		if err != nil {
			out.Error = err.Error()
		}
		c.outcomes.record(&d.outbound, out)
	}
	return landing{d: d, verdict: verdict, retryAfter: response.RetryAfter}
}

func (c *courier) logAttempt(
	ctx context.Context, d *delivery, verdict webhook.Verdict, response webhook.Response, err error, took time.Duration,
) {
	level := slog.LevelInfo
	if verdict == webhook.RetrySlow {
		level = slog.LevelWarn // Somebody has to change something.
	}
	if !c.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("shipment_id", d.shipmentID),
		slog.Int64("message_id", d.id),
		slog.String("event_type", d.eventType),
		slog.Int("partition", int(d.partition)),
		slog.Int64("offset", d.offset),
		slog.Int("attempt", d.attempts),
		slog.String("outcome", verdict.String()),
		slog.Int("status", response.Status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	c.log.LogAttrs(ctx, level, "delivery attempted", attrs...)
}
