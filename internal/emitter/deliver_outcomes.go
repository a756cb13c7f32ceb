package emitter

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
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

// outcomeType is the ce_type of an outcome.
const outcomeType = "suborders.DeliveryOutcome.v1"

// headers describes the outcome in headers, so that consumers need not parse the body. With the number of the message
// they see which messages have no outcome.
func (o *outcome) headers(m *outbound) []kgo.RecordHeader {
	id := strconv.FormatInt(o.MessageID, 10)
	if m.id == 0 { // A malformed record may have no id.
		id = fmt.Sprintf("%d:%d", m.partition, m.offset)
	}
	return kafka.Headers(
		events.HeaderID, id+"/"+o.Endpoint+"/"+o.At,
		events.HeaderType, outcomeType,
		events.HeaderSource, events.Source,
		events.HeaderSpecVersion, events.SpecVersion,
		events.HeaderSubject, m.shipmentID,
		events.HeaderTime, o.At,
		events.HeaderContentType, jsonContentType,
		events.HeaderCausationID, id,
		events.HeaderTraceParent, m.traceparent,
		headerEndpoint, o.Endpoint,
		headerOutcome, o.Outcome,
		headerProfile, m.profile,
		headerSeq, m.seq,
		headerSeller, m.seller,
	)
}

// Headers that only records of suborders.deliveries.v1 have.
const (
	headerEndpoint = "ol_endpoint"
	headerOutcome  = "ol_outcome"
)

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
		Headers: out.headers(m),
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
