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

// outcome is the value of a record of suborders.deliveries.v1: the outcome of one attempt.
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

// outcomeMalformed is the outcome of a record that cannot be sent at all.
const outcomeMalformed = "malformed"

// outcomes writes the outcomes of attempts to their topic. They are only a report, so a delivery never waits for them:
// an outcome that cannot be written is counted as lost.
type outcomes struct {
	options []kgo.Opt
	metrics *deliverMetrics
	log     *slog.Logger
	client  *kgo.Client
	failing atomic.Bool // Whether the last write failed, so that only the first of a series is logged.
}

// flushTimeout bounds how long a stop waits for the last outcomes.
const flushTimeout = 5 * time.Second

func newOutcomes(options []kgo.Opt, metrics *deliverMetrics, log *slog.Logger) *outcomes {
	return &outcomes{options: options, metrics: metrics, log: log}
}

func (o *outcomes) open() error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, o.options...),
		kafka.ManualPartitions(),
		// Many goroutines write one outcome at a time; a short wait turns them into batches.
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
	// TryProduce fails where Produce would block. The outcome is worth writing even if the context of the delivery has
	// ended, so it gets none.
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
	_ = o.client.Flush(ctx) // The callbacks count what could not be written.
	o.client.Close()
}
