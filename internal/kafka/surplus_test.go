package kafka_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestSurplusPartitionsAreHarmless(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 2)
		layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.Equal(t, preflight.OK, found(t, cfg)["kafka surplus"].Level)
		testkit.AddPartitions(t, client, events.TopicEvents, 4)
		testkit.AddPartitions(t, client, events.TopicUnresolved, 3)
		again, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.Equal(t, layout, again)
		cfg.Lanes = 0
		again, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.EqualValues(t, 2, again.Lanes, "the number of lanes does not follow the partitions")
		f := found(t, cfg)["kafka surplus"]
		require.Equal(t, preflight.Warn, f.Level)
		require.Contains(t, f.Seen, "topic orders.events.v1: 2 more partitions than the ledger uses")
	})
}

// Nobody reads a record that another program wrote into a surplus partition. A metric and the checks say so.
func TestSurplusRecordsAreReported(t *testing.T) {
	t.Parallel()
	_, client, cfg := faulty(t, 2)
	layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	testkit.AddPartitions(t, client, events.TopicInbox, 4)
	producer := testkit.Client(t, cfg.Brokers, kafka.ManualPartitions())
	for range 2 {
		record := &kgo.Record{Topic: events.TopicInbox, Partition: 3, Value: []byte("astray")}
		require.NoError(t, producer.ProduceSync(t.Context(), record).FirstErr())
	}
	testkit.Trim(t, client, events.TopicInbox, 3, 1) // One is left.

	f := found(t, cfg)["kafka surplus"]
	requireFailure(t, f, "topic orders.inbox.v1: 1 records in its partitions from 2 on, which nobody reads", "find the producer")
	require.NoError(t, preflight.Run(t.Context(), kafka.Checks(cfg, uses)).Start(t.Context(), testkit.Logger(t)), "programs start all the same")

	reg := prometheus.NewRegistry()
	monitor, err := kafka.NewLayoutMonitor(client, cfg, layout, testkit.Logger(t), reg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- monitor.Run(ctx) }()
	testkit.Eventually(t, func() bool {
		return value(t, reg, "orderledger_kafka_surplus_records", events.TopicInbox) == 1
	}, "the metric")
	require.InEpsilon(t, 2, value(t, reg, "orderledger_kafka_surplus_partitions", events.TopicInbox), 0)
	require.Zero(t, value(t, reg, "orderledger_kafka_surplus_records", events.TopicEvents))
	cancel()
	require.NoError(t, <-ended)
}

// value returns a gauge with the label topic.
func value(t *testing.T, reg *prometheus.Registry, name, topic string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && m.GetLabel()[0].GetValue() == topic {
				return m.GetGauge().GetValue()
			}
		}
	}
	require.FailNow(t, "no such metric", name)
	return 0
}

// Members of a group with two topics get equal partitions of both, and none beyond the lanes, however many partitions
// the topics have.
func TestLanesOnlyDealsTopicsAlike(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 4)
		_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		testkit.AddPartitions(t, client, events.TopicUnresolved, 9)
		assigned := make(chan map[string][]int32, 10)
		for range 2 {
			testkit.Client(t, cfg.Brokers, kgo.ConsumerGroup("joined"),
				kgo.ConsumeTopics(events.TopicUnresolved, events.TopicAliases),
				kgo.Balancers(kafka.LanesOnly(kgo.RangeBalancer(), 4)),
				kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) { assigned <- got }))
		}
		for got := range assigned {
			require.ElementsMatch(t, got[events.TopicUnresolved], got[events.TopicAliases])
			for _, p := range got[events.TopicUnresolved] {
				require.Less(t, p, int32(4))
			}
			if len(got[events.TopicAliases]) == 2 { // Both members are there.
				return
			}
		}
	})
}

// A client that names no balancer of its own gets no partition beyond the lanes either.
func TestOptionsDealOnlyLanes(t *testing.T) {
	t.Parallel()
	_, client, cfg := faulty(t, 2)
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	testkit.AddPartitions(t, client, events.TopicInbox, 5)
	assigned := make(chan []int32, 1)
	member, err := kgo.NewClient(append(kafka.Options(cfg), kgo.ConsumerGroup("alone"), kgo.ConsumeTopics(events.TopicInbox),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) {
			if got := got[events.TopicInbox]; len(got) > 0 {
				assigned <- got
			}
		}))...)
	require.NoError(t, err)
	t.Cleanup(member.Close)
	require.ElementsMatch(t, []int32{0, 1}, <-assigned)
}
