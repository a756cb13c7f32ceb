package emitter

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/internal/webhook"
)

// senders are the goroutines that POST messages to one endpoint.
type senders struct {
	endpoint string
	client   *webhook.Client
	metrics  *deliverMetrics
	outcomes *outcomes // Nil when they are not recorded.
	log      *slog.Logger
	failures failureLog

	work        chan *delivery
	completions chan completion

	started int // Owned by the loop.
	running sync.WaitGroup
}

// errBodyError explains why a message with a 2xx is repeated. It does not quote the body, which may hold customer data.
var errBodyError = errors.New("body of the response reports an error")

// completion is the end of an attempt.
type completion struct {
	delivery   *delivery
	verdict    webhook.Verdict
	retryAfter time.Duration
}

func newSenders(
	endpoint Endpoint, client *webhook.Client, metrics *deliverMetrics, out *outcomes, log *slog.Logger,
) *senders {
	return &senders{
		endpoint: endpoint.Name, client: client, metrics: metrics, outcomes: out, log: log,
		failures: failureLog{sometimes: rate.Sometimes{Interval: failureLogInterval}},
		// No more than MaxInFlight deliveries are in flight, so neither channel ever blocks its writer.
		work: make(chan *delivery, endpoint.MaxInFlight), completions: make(chan completion, endpoint.MaxInFlight),
	}
}

// send passes a delivery to a goroutine, and starts one if there are fewer than deliveries in flight. Goroutines are
// kept until stop, because their stacks have grown to the size that net/http needs.
func (s *senders) send(d *delivery, inFlight int) {
	if s.started < inFlight {
		s.started++
		s.running.Go(s.run)
	}
	s.work <- d
}

func (s *senders) run() {
	for d := range s.work {
		s.completions <- s.attempt(d)
	}
}

// stop ends the goroutines after their current attempts. It does not wait for them.
func (s *senders) stop() { close(s.work) }

// close waits until the goroutines have ended, and closes the connections.
func (s *senders) close() {
	s.running.Wait()
	s.client.Close()
}

// attempt sends a message once and records the outcome. If the process dies, outcomes may be missing or repeated; the
// position that is committed afterwards is the truth.
func (s *senders) attempt(d *delivery) completion {
	ctx := d.queue.partition.ctx
	start := time.Now()
	response, err := s.client.Post(ctx, webhook.Message{
		ID: strconv.FormatInt(d.id, 10), Body: d.body, Traceparent: d.traceparent, Headers: d.httpHeaders(),
	})
	took := time.Since(start)
	verdict := webhook.Classify(response, err)
	if response.BodyError && err == nil {
		err = errBodyError
	}

	s.metrics.attempts.WithLabelValues(s.endpoint, verdict.String()).Inc()
	s.metrics.duration.WithLabelValues(s.endpoint).Observe(took.Seconds())
	if verdict == webhook.OK {
		s.metrics.deliveries.WithLabelValues(s.endpoint, d.eventType).Inc()
	}
	s.logAttempt(ctx, d, verdict, response, err, took)
	if s.outcomes != nil {
		out := outcome{
			MessageID: d.id, Endpoint: s.endpoint, Attempt: d.attempts, Outcome: verdict.String(),
			Status: response.Status, DurationMs: took.Milliseconds(), At: start.UTC().Format(time.RFC3339Nano),
		}
		if err != nil {
			out.Error = err.Error()
		}
		s.outcomes.record(&d.outbound, out)
	}
	return completion{delivery: d, verdict: verdict, retryAfter: response.RetryAfter}
}

// failureLogInterval is the time between two lines about failed attempts of one endpoint.
const failureLogInterval = time.Minute

// failureLog bounds the lines of an endpoint that fails: while it is down, each attempt of each suborder would write
// one. Many goroutines may use it.
type failureLog struct {
	sometimes rate.Sometimes
	unlogged  atomic.Int64 // Failures since the last line.
}

// Do runs write with the number of failures since the last line, unless there was a line a moment ago.
func (f *failureLog) Do(write func(unlogged int64)) {
	f.unlogged.Add(1)
	f.sometimes.Do(func() { write(f.unlogged.Swap(0) - 1) })
}

// logAttempt writes the line of an attempt at level DEBUG, and one of a failed attempt as a warning now and then.
func (s *senders) logAttempt(
	ctx context.Context, d *delivery, verdict webhook.Verdict, response webhook.Response, err error, took time.Duration,
) {
	if verdict != webhook.OK {
		s.failures.Do(func(unlogged int64) {
			attrs := append(attemptAttrs(d, verdict, response, err, took), slog.Int64("unlogged_failures", unlogged))
			s.log.LogAttrs(ctx, slog.LevelWarn, "delivery failed", attrs...)
		})
	}
	if s.log.Enabled(ctx, slog.LevelDebug) {
		s.log.LogAttrs(ctx, slog.LevelDebug, "delivery attempted", attemptAttrs(d, verdict, response, err, took)...)
	}
}

func attemptAttrs(
	d *delivery, verdict webhook.Verdict, response webhook.Response, err error, took time.Duration,
) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("seller_id", d.seller),
		slog.String("shipment_id", d.shipmentID),
		slog.Int64("message_id", d.id),
		slog.String("event_type", d.eventType),
		slog.Int("partition", int(d.partition)),
		slog.Int64("offset", d.offset),
		slog.Int("attempt", d.attempts),
		slog.String("outcome", verdict.String()),
		slog.Int("status", response.Status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
		slog.String("correlation_id", d.correlation),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("err", err))
	}
	return attrs
}
