package emitter

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// ledger is a Kafka with the topics of the project and a writer in the role of the journal: it writes transactions with
// dense lane sequences.
type ledger struct {
	cluster *kfake.Cluster // Nil unless the broker runs in this process.
	brokers []string
	lanes   int
	writer  *kgo.Client
	seq     map[int32]uint64
}

// newLedger returns a ledger on a broker in this process, for faults inside the broker and for benchmarks.
func newLedger(t testing.TB, lanes int) *ledger {
	t.Helper()
	return newLedgerOn(t, testkit.Kfake, lanes)
}

func newLedgerOn(t testing.TB, on testkit.KafkaBackend, lanes int) *ledger {
	t.Helper()
	cluster, brokers := on.Open(t)
	testkit.Topics(t, brokers, lanes)
	return &ledger{
		cluster: cluster, brokers: brokers, lanes: lanes, seq: map[int32]uint64{},
		writer: testkit.Client(t, brokers, kafka.ManualPartitions(), kgo.TransactionalID("journal")),
	}
}

// created returns the record of a new shipment.
func (l *ledger) created(t testing.TB, shipment string) *kgo.Record {
	t.Helper()
	return l.record(t, created(twoItems(func(s *ledgerv1.Shipment) { s.ShipmentId, s.Version = shipment, 1 })))
}

// changed returns the record of a later version of a shipment.
func (l *ledger) changed(t testing.TB, shipment string, version uint64) *kgo.Record {
	t.Helper()
	return l.record(t, &ledgerv1.Event{
		Transition: &ledgerv1.Transition{},
		After:      twoItems(func(s *ledgerv1.Shipment) { s.ShipmentId, s.Version = shipment, version }),
		Body:       &ledgerv1.Event_ShipmentHeld{ShipmentHeld: &ledgerv1.ShipmentHeld{}},
	})
}

func (l *ledger) record(t testing.TB, e *ledgerv1.Event) *kgo.Record {
	t.Helper()
	id := e.GetAfter().GetShipmentId()
	lane := events.Lane(id, l.lanes)
	l.seq[lane]++
	env := events.Envelope{
		ID: events.EventID(id, e.GetAfter().GetVersion()), Type: events.TypeOf(e), Source: events.Source, ShipmentID: id,
		Version: e.GetAfter().GetVersion(), LaneSeq: l.seq[lane], OccurredAt: sampleTime, RecordedAt: sampleTime,
		CorrelationID: "story-1", InboxOffset: events.NoInboxOffset, TraceParent: "00-1-2-01",
	}
	value, err := e.MarshalVT()
	require.NoError(t, err)
	return &kgo.Record{
		Topic: events.TopicEvents, Partition: lane, Key: []byte(id), Value: value, Timestamp: sampleTime,
		Headers: kafka.AppendRecordHeaders(nil, env.AppendUnchained(env.AppendHeaders(nil))),
	}
}

// commit writes the records in one transaction.
func (l *ledger) commit(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	require.NoError(t, l.writer.BeginTransaction())
	require.NoError(t, l.writer.ProduceSync(t.Context(), records...).FirstErr())
	require.NoError(t, l.writer.EndTransaction(t.Context(), kgo.TryCommit))
	testkit.Settled(t, l.writer, events.TopicEvents)
}

// translate runs a translator until the test ends or the returned function stops it.
func (l *ledger) translate(t testing.TB, reg prometheus.Registerer) (stop func()) {
	t.Helper()
	return l.translateWith(t, DefaultTranslateConfig(), reg)
}

func (l *ledger) translateWith(t testing.TB, config TranslateConfig, reg prometheus.Registerer) (stop func()) {
	t.Helper()
	tr, err := NewTranslator(config, testkit.KafkaConfig(l.brokers, l.lanes), verbose(t), reg)
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- tr.Run(context.WithoutCancel(t.Context())) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			tr.Close()
			require.NoError(t, <-ran)
		}
	}
	t.Cleanup(stop)
	return stop
}

// waitDone waits until the translator has committed the end of the log.
func (l *ledger) waitDone(t testing.TB) {
	t.Helper()
	adm := kadm.NewClient(l.writer)
	ends, err := adm.ListEndOffsets(t.Context(), events.TopicEvents)
	require.NoError(t, err)
	group := kafka.GroupTranslate(testkit.KafkaConfig(l.brokers, l.lanes).Cluster)
	testkit.Eventually(t, func() bool {
		got, err := adm.FetchOffsets(t.Context(), group)
		if errors.Is(err, kerr.GroupIDNotFound) {
			return false
		}
		require.NoError(t, err)
		done := true
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := got.Lookup(end.Topic, end.Partition)
			done = done && (end.Offset == 0 || at.At == end.Offset)
		})
		return done
	}, "the end is committed, markers included")
}

// read returns all records of a topic, by partition.
func (l *ledger) read(t testing.TB, topic string) map[int32][]*kgo.Record {
	t.Helper()
	ends, err := kadm.NewClient(l.writer).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	left := int64(0)
	ends.Each(func(end kadm.ListedOffset) { left += end.Offset })
	client := testkit.Client(t, l.brokers, kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	out := map[int32][]*kgo.Record{}
	for left > 0 {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { out[r.Partition] = append(out[r.Partition], r); left-- })
	}
	return out
}

func headers(r *kgo.Record) map[string]string {
	out := map[string]string{}
	for _, h := range r.Headers {
		out[h.Key] = string(h.Value)
	}
	return out
}

// count reads a counter of the translator by the value of its label.
func count(t testing.TB, reg *prometheus.Registry, name, label string) int {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == metricsPrefix+name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

// verbose returns the log of a verbose test. Without -v there is none, so that benchmarks do not measure it.
func verbose(t testing.TB) *slog.Logger {
	t.Helper()
	if testing.Verbose() {
		return testkit.Logger(t)
	}
	return nil
}
