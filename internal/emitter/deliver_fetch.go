package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// pollRecords bounds by how much one poll can exceed MaxPending.
const pollRecords = 500

// errBackwards ends a worker: offsets went back while messages were pending, so the topic was truncated or recreated.
// After a restart the worker reads it from a clean state, and distinguishes old messages from new ones by their ids.
var errBackwards = errors.New("offsets went backwards")

// poll fetches records for the loop until ctx ends or the worker cannot continue.
func (w *endpointWorker) poll(ctx context.Context) error {
	for {
		fetches := w.kafka.PollRecords(ctx, pollRecords)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			w.kafka.AllowRebalance()
			return nil //nolint:nilerr // The end of ctx is the order to stop.
		}
		fetches.EachError(func(_ string, partition int32, err error) {
			// The client retries on its own.
			w.log.LogAttrs(ctx, slog.LevelWarn, "fetch interrupted", slog.Int("partition", int(partition)), slog.Any("err", err))
		})
		var err error
		w.do(func() { err = w.accept(fetches) }) //nolint:contextcheck // The loop has no context.
		w.kafka.AllowRebalance()
		if err != nil {
			return err
		}
	}
}

// accept queues the fetched records, and pauses the partitions that have too many pending ones.
func (w *endpointWorker) accept(fetches kgo.Fetches) (err error) {
	fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
		p := w.partitions[fetched.Partition]
		if p == nil || p.draining || err != nil {
			return
		}
		p.end = max(p.end, fetched.HighWatermark)
		for _, r := range fetched.Records {
			if err = w.read(p, r); err != nil {
				return
			}
		}
		if !p.paused && (p.pending.length >= w.config.MaxPending || completedFull(p)) {
			p.paused = true
			w.kafka.PauseFetchPartitions(map[string][]int32{events.TopicSuborders: {p.number}})
		}
	})
	return err
}

// read queues one record, or counts why it is not sent.
func (w *endpointWorker) read(p *partition, r *kgo.Record) error {
	w.changed()
	if r.Attrs.IsControl() {
		p.skip(r.Offset)
		return nil
	}
	m, err := readMessage(r)
	if err != nil {
		p.skip(r.Offset)
		w.malformed(&m, err)
		return nil
	}
	reason := ""
	switch p.advance(m.offset, m.id) {
	case recordNew:
		if reason = w.endpoint.excludes(&m, p.start); reason == "" {
			d := &delivery{outbound: m}
			p.admit(d)
			w.scheduler.push(p, d)
			return nil
		}
		p.ignore(m.id)
	case recordDelivered:
		reason = "delivered"
	case recordRepeated:
		reason = "repeated"
	case recordBackwards:
		return fmt.Errorf("partition %d offset %d: %w", p.number, m.offset, errBackwards)
	}
	w.metrics.skipped.WithLabelValues(w.endpoint.Name, reason).Inc()
	return nil
}

// malformed reports a record that cannot be sent to any endpoint. Its bytes stay in the topic, at the logged position.
func (w *endpointWorker) malformed(m *outbound, err error) {
	w.metrics.skipped.WithLabelValues(w.endpoint.Name, outcomeMalformed).Inc()
	w.log.LogAttrs(context.Background(), slog.LevelError, "message skipped", // No delivery, so no context of one.
		slog.String("shipment_id", m.shipmentID), slog.Int("partition", int(m.partition)),
		slog.Int64("offset", m.offset), slog.Any("err", err))
	if w.outcomes != nil {
		w.outcomes.record(m, outcome{
			MessageID: m.id, Endpoint: w.endpoint.Name, Outcome: outcomeMalformed, Error: err.Error(),
			At: time.Now().UTC().Format(time.RFC3339Nano),
		})
	}
}
