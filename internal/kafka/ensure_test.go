package kafka_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func setup(t *testing.T, on testkit.KafkaBackend, lanes int) (*kgo.Client, kafka.Config) {
	t.Helper()
	_, brokers := on.Open(t)
	return testkit.Client(t, brokers), testkit.KafkaConfig(brokers, lanes)
}

// faulty is setup with the fake broker itself, for faults.
func faulty(t *testing.T, lanes int) (*kfake.Cluster, *kgo.Client, kafka.Config) {
	t.Helper()
	cluster, brokers := testkit.KafkaCluster(t)
	return cluster, testkit.Client(t, brokers), testkit.KafkaConfig(brokers, lanes)
}

// partitions returns how many partitions a topic has, 0 when there is none.
func partitions(t *testing.T, client *kgo.Client, topic string) int {
	t.Helper()
	topics, err := kadm.NewClient(client).ListTopics(t.Context(), topic)
	require.NoError(t, err)
	return len(topics[topic].Partitions)
}

func settings(t *testing.T, client *kgo.Client, topic string) map[string]string {
	t.Helper()
	got, err := kadm.NewClient(client).DescribeTopicConfigs(t.Context(), topic)
	require.NoError(t, err)
	m := map[string]string{}
	for _, c := range got[0].Configs {
		m[c.Key] = c.MaybeValue()
	}
	return m
}

func TestEnsureTopicsCreatesEveryTopic(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 5)
		for range 2 { // The second time nothing is created and everything is checked.
			layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
			require.NoError(t, err)
			require.EqualValues(t, 5, layout.Lanes)
		}
		topics, err := kadm.NewClient(client).ListTopics(t.Context())
		require.NoError(t, err)
		require.Len(t, topics, len(kafka.Topics()))
		require.Len(t, topics["orders.events.v1"].Partitions, 5)
		require.Len(t, topics["orders.deadletters.v1"].Partitions, 1)
		require.Equal(t, "-1", settings(t, client, "orders.events.v1")["retention.ms"])
		require.Equal(t, "2592000000", settings(t, client, "orders.unresolved.v1")["retention.ms"])
		require.Equal(t, "compact", settings(t, client, "orders.aliases.v1")["cleanup.policy"])
		for _, topic := range kafka.Topics() {
			got := settings(t, client, topic.Name)
			require.Equal(t, "9223372036854775807", got["message.timestamp.after.max.ms"], topic.Name)
			require.Equal(t, "9223372036854775807", got["message.timestamp.before.max.ms"], topic.Name)
			require.Equal(t, "producer", got["compression.type"], topic.Name)
		}
	})
}

func TestEnsureTopicsOnTheEmbeddedBroker(t *testing.T) {
	t.Parallel()
	client, cfg := setup(t, testkit.Kfake, 2)
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Embedded)
	require.NoError(t, err)
	for _, topic := range kafka.Topics() {
		got := settings(t, client, topic.Name)
		require.Equal(t, "delete", got["cleanup.policy"], topic.Name)
		require.Equal(t, "-1", got["retention.ms"], topic.Name)
		require.Equal(t, "33554432", got["segment.bytes"], topic.Name)
	}
}

// A broker that does not know the settings of timestamps gets topics without them.
func TestEnsureTopicsWithoutUnknownSettings(t *testing.T) {
	t.Parallel()
	cluster, client, cfg := faulty(t, 1)
	cluster.ControlKey(int16(kmsg.CreateTopics), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := kreq.(*kmsg.CreateTopicsRequest)
		for _, c := range req.Topics[0].Configs {
			if c.Name == "message.timestamp.after.max.ms" {
				resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
				refused := kmsg.NewCreateTopicsResponseTopic()
				refused.Topic, refused.ErrorCode = req.Topics[0].Topic, kerr.InvalidConfig.Code
				resp.Topics = append(resp.Topics, refused)
				return resp, nil, true
			}
		}
		return nil, nil, false
	})
	for range 2 {
		_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
	}
	require.NotContains(t, settings(t, client, events.TopicEvents), "message.timestamp.after.max.ms")
}

func TestEnsureTopicsReportsAllProblems(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 4)
		cfg.MinISR = 2
		make := func(topic string, partitions int32, settings map[string]string) {
			testkit.CreateTopic(t, client, topic, partitions, settings)
		}
		_, err := kafka.EnsureLayout(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		make("orders.events.v1", 4, map[string]string{"retention.ms": "604800000", "retention.bytes": "1000000"})
		make("suborders.v1", 3, map[string]string{
			"message.timestamp.after.max.ms": "3600000", "message.timestamp.before.max.ms": "3600000", "compression.type": "snappy",
		})
		make("orders.unresolved.v1", 5, nil)
		make("suborders.queues.v1", 4, map[string]string{"message.timestamp.type": "LogAppendTime"})

		_, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.Error(t, err)
		for _, want := range []string{
			`topic orders.events.v1: retention.ms is "604800000", want "-1"; kafka-configs.sh --alter --entity-type topics --entity-name orders.events.v1 --add-config retention.ms=-1`,
			`topic orders.events.v1: retention.bytes is "1000000", want "-1"`,
			`topic orders.events.v1: max.message.bytes is "1048588", want "4194304"`,
			`topic suborders.v1: 3 partitions, want 4`,
			`topic suborders.v1: message.timestamp.after.max.ms is "3600000", want "9223372036854775807"; kafka-configs.sh --alter`,
			`topic suborders.v1: message.timestamp.before.max.ms is "3600000", want "9223372036854775807"`,
			`topic suborders.v1: compression.type is "snappy", want "producer"`,
			`topic suborders.queues.v1: cleanup.policy is "delete", want "compact"`,
			`topic suborders.queues.v1: message.timestamp.type is "LogAppendTime", want "CreateTime"`,
			`topic suborders.v1: min.insync.replicas is "1", want "2"`,
		} {
			require.ErrorContains(t, err, want)
		}
		require.NotContains(t, err.Error(), "topic orders.decisions.v1", "new topics are correct")
		require.NotContains(t, err.Error(), "topic orders.unresolved.v1: 5 partitions", "more partitions do no harm")
		require.Equal(t, 4, partitions(t, client, "orders.aliases.v1"))
	})
}

func TestEnsureTopicsReportsMissingReplicas(t *testing.T) {
	t.Parallel()
	_, brokers := testkit.KafkaCluster(t, kfake.NumBrokers(3))
	client, cfg := testkit.Client(t, brokers), testkit.KafkaConfig(brokers, 1)
	cfg.Replication = 1
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	cfg.Replication = 3
	_, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.ErrorContains(t, err, "topic orders.events.v1: 1 replicas, want 3; raise it with kafka-reassign-partitions.sh")
}

func TestEnsureTopicsRetriesAnUnknownTopic(t *testing.T) {
	t.Parallel()
	cluster, client, cfg := faulty(t, 1)
	asked := 0
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		if asked++; asked > 1 {
			return nil, nil, false
		}
		cluster.KeepControl()
		resp := kreq.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, r := range kreq.(*kmsg.DescribeConfigsRequest).Resources {
			unknown := kmsg.NewDescribeConfigsResponseResource()
			unknown.ResourceName, unknown.ResourceType = r.ResourceName, r.ResourceType
			unknown.ErrorCode = kerr.UnknownTopicOrPartition.Code
			resp.Resources = append(resp.Resources, unknown)
		}
		return resp, nil, true
	})
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	require.Equal(t, 3, asked, "the layout's topic, once more, and all topics")
}

func TestEnsureTopicsAcceptsMoreRetention(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 2)
		_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		forever, large := "-1", "10000000"
		_, err = kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{
			{Op: kadm.SetConfig, Name: "retention.ms", Value: &forever},
			{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &large},
		}, "suborders.v1")
		require.NoError(t, err)
		_, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
	})
}

func TestEnsureTopicsRunsConcurrently(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 3)
		errs := make(chan error)
		for range 4 {
			go func() {
				_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
				errs <- err
			}()
		}
		for range 4 {
			require.NoError(t, <-errs)
		}
	})
}
