package emitter

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// outcome is a record of suborders.deliveries.v1: what became of one attempt.
type outcome struct {
	MessageID  int64  `json:"messageId"`
	Endpoint   string `json:"endpoint"`
	Attempt    int    `json:"attempt"`
	Outcome    string `json:"outcome"`
	Status     int    `json:"status,omitempty"`
	DurationMs int64  `json:"durationMs"`
	At         string `json:"at"`
	Error      string `json:"error,omitempty"`
}

// outcomeMalformed is the outcome of a record that could not be sent at all.
const outcomeMalformed = "malformed"

// outcomes writes attempts to their topic without ever making a delivery wait: they are a report, and a report that
// cannot be written is counted, not waited for.
type outcomes struct {
	options []kgo.Opt
	metrics *deliverMetrics
	log     *slog.Logger
	client  *kgo.Client
	failing atomic.Bool // Said once per series of losses, not once per loss.
}

// flushTimeout bounds how long stopping waits for the last reports.
const flushTimeout = 5 * time.Second

func newOutcomes(options []kgo.Opt, metrics *deliverMetrics, log *slog.Logger) *outcomes {
	return &outcomes{options: options, metrics: metrics, log: log}
}

func (o *outcomes) open() error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, o.options...),
		kafka.ManualPartitions(),
		// Attempts come one by one from many workers; a little patience makes batches of them.
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.MaxBufferedRecords(10_000),
	)...)
	if err != nil {
		return fmt.Errorf("client for %s: %w", events.TopicDeliveries, err)
	}
	o.client = client
	return nil
}

func (o *outcomes) record(m *outbound, out outcome) {
	value, err := json.Marshal(out)
	if err != nil {
		o.lost(err)
		return
	}
	// TryProduce refuses where Produce would block. The context is nobody's: the report of a delivery that happened is
	// worth writing after the delivery's own context has ended.
	o.client.TryProduce(context.Background(), &kgo.Record{
		Topic: events.TopicDeliveries, Partition: m.partition, Key: []byte(m.shipmentID), Value: value,
	}, func(_ *kgo.Record, err error) {
		if err != nil {
			o.lost(err)
			return
		}
		o.failing.Store(false)
	})
}

func (o *outcomes) lost(err error) {
	o.metrics.outcomesLost.Inc()
	if !o.failing.Swap(true) {
		o.log.LogAttrs(context.Background(), slog.LevelWarn, "outcomes lost",
			slog.String("topic", events.TopicDeliveries), slog.Any("err", err))
	}
}

func (o *outcomes) close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout) // Run's context has ended by now.
	defer cancel()
	_ = o.client.Flush(ctx) // What is left is reported as lost by its own callback.
	o.client.Close()
}
