package emitter

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

const testSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// stage is a Kafka with the topics of the project and a producer in the role of the translator.
type stage struct {
	cluster *kfake.Cluster // Nil unless the broker runs in this process.
	brokers []string
	lanes   int
	client  *kgo.Client
	id      int64 // The last message id.
}

// setup returns a stage on a broker in this process, for faults inside the broker and for benchmarks.
func setup(t testing.TB, lanes int) *stage {
	t.Helper()
	return setupOn(t, testkit.Kfake, lanes)
}

func setupOn(t testing.TB, on testkit.KafkaBackend, lanes int) *stage {
	t.Helper()
	cluster, brokers := on.Open(t)
	testkit.Topics(t, brokers, lanes)
	return &stage{
		cluster: cluster, brokers: brokers, lanes: lanes,
		client: testkit.Client(t, brokers, kgo.RecordPartitioner(kgo.ManualPartitioner())),
	}
}

// record returns the next message of a suborder; only SUBORDER_COMPLETE has stages.
func (s *stage) record(order, eventType string, stages ...string) *kgo.Record {
	s.id++
	return s.recordWithID(s.id, order, eventType, stages...)
}

func (s *stage) recordWithID(id int64, order, eventType string, stages ...string) *kgo.Record {
	body := fmt.Sprintf(`{ "locationCode": "IN1", "messageId": %d, "orderCode": %q, "eventType": %q, "filler": %q }`,
		id, order, eventType, strings.Repeat("x", int(id)%200))
	r := &kgo.Record{
		Topic: events.TopicSuborders, Partition: events.Lane(order, s.lanes), Key: []byte(order), Value: []byte(body),
		Headers: []kgo.RecordHeader{
			{Key: "ce_id", Value: strconv.AppendInt(nil, id, 10)},
			{Key: "ce_type", Value: []byte(eventType)},
			{Key: "ce_time", Value: []byte("2026-01-02T03:04:05Z")},
		},
	}
	if len(stages) > 0 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "ol_stages", Value: []byte(strings.Join(stages, ","))})
	}
	return r
}

func (s *stage) publish(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	require.NoError(t, s.client.ProduceSync(t.Context(), records...).FirstErr())
}

// publishMany publishes the given number of messages for each order, in turn, and returns their total.
func (s *stage) publishMany(t testing.TB, orders, each int) int {
	t.Helper()
	var records []*kgo.Record
	for range each {
		for i := range orders {
			records = append(records, s.record(orderCode(i), "SUBORDER_PROPERTIES_UPDATE"))
		}
	}
	s.publish(t, records...)
	return len(records)
}

func orderCode(i int) string { return fmt.Sprintf("order-%d", i) }

func endpoint(name string, r *testkit.Receiver) Endpoint {
	return Endpoint{
		Name: name, URL: r.URL(), Secrets: []string{testSecret}, Scope: Everything(), Start: StartEarliest,
		Timeout:       5 * time.Second,
		RetrySchedule: []time.Duration{5 * time.Millisecond}, RetrySlow: 10 * time.Millisecond,
	}
}

func config(endpoints ...Endpoint) DeliverConfig {
	c := DefaultDeliverConfig()
	c.Endpoints = endpoints
	c.CommitInterval = 10 * time.Millisecond
	return c
}

// start runs a deliverer until the test ends or the returned function stops it.
func (s *stage) start(t testing.TB, c DeliverConfig, options ...kgo.Opt) (stop func()) {
	t.Helper()
	return s.startWith(t, c, nil, options...)
}

func (s *stage) startWith(t testing.TB, c DeliverConfig, reg prometheus.Registerer, options ...kgo.Opt) (stop func()) {
	t.Helper()
	_, stop = s.launch(t, c, reg, options...)
	return stop
}

func (s *stage) launch(
	t testing.TB, c DeliverConfig, reg prometheus.Registerer, options ...kgo.Opt,
) (d *Deliverer, stop func()) {
	t.Helper()
	var log *slog.Logger
	if testing.Verbose() {
		log = testkit.Logger(t)
	}
	d, err := NewDeliverer(c, testkit.KafkaConfig(s.brokers, s.lanes), log, reg, options...)
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- d.Run(context.WithoutCancel(t.Context())) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			d.Close()
			require.NoError(t, <-ran)
		}
	}
	t.Cleanup(stop)
	return d, stop
}

// waitDraining waits until a deliverer has begun to hand a partition over.
func waitDraining(t testing.TB, d *Deliverer) {
	t.Helper()
	w, draining := d.workers[0], false
	testkit.Eventually(t, func() bool {
		w.do(func() {
			for _, p := range w.partitions {
				draining = draining || p.draining
			}
		})
		return draining
	}, "a partition is draining")
}

// committed returns the sum of the committed offsets of a group.
func (s *stage) committed(t testing.TB, group string) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(s.client).FetchOffsets(context.WithoutCancel(t.Context()), group)
	if err != nil {
		require.ErrorIs(t, err, kerr.GroupIDNotFound) // No member has joined yet.
		return 0
	}
	sum := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) { sum += max(o.At, 0) })
	return sum
}

// waitCommitted waits until a group has committed the end of the topic.
func (s *stage) waitCommitted(t testing.TB, group string) {
	t.Helper()
	ends, err := kadm.NewClient(s.client).ListEndOffsets(t.Context(), events.TopicSuborders)
	require.NoError(t, err)
	want := int64(0)
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	testkit.Eventually(t, func() bool { return s.committed(t, group) == want }, "committed to the end")
}

// settleStart runs a deliverer until it has committed the start of an endpoint.
func (s *stage) settleStart(t testing.TB, e Endpoint) {
	t.Helper()
	stop := s.start(t, config(e))
	s.waitStarted(t, e.Name)
	stop()
}

// waitStarted waits until the group of an endpoint has a position in every partition.
func (s *stage) waitStarted(t testing.TB, name string) {
	t.Helper()
	group := kafka.GroupEndpoint(testkit.KafkaConfig(s.brokers, s.lanes).Cluster, name)
	testkit.Eventually(t, func() bool {
		offsets, err := kadm.NewClient(s.client).FetchOffsets(context.WithoutCancel(t.Context()), group)
		if err != nil {
			require.ErrorIs(t, err, kerr.GroupIDNotFound)
		}
		positions := 0
		offsets.Each(func(o kadm.OffsetResponse) {
			if o.At >= 0 {
				positions++
			}
		})
		return positions == s.lanes
	}, "every partition has a position")
}
