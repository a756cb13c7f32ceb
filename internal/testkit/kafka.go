package testkit

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
)

// Kafka returns the address of a Kafka of the test's own: one broker, in
// memory, that creates no topic by itself. It is closed when the test ends.
func Kafka(t testing.TB, opts ...kfake.Opt) []string {
	t.Helper()
	_, brokers := KafkaCluster(t, opts...)
	return brokers
}

// KafkaCluster is Kafka with a hand on the broker, for faults: ControlKey,
// Fault, MoveTopicPartition. Close it early to test a broker that goes away.
func KafkaCluster(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, []string) {
	t.Helper()
	Kfake.demand(t)
	t.Log("testkit: backend kfake (Kafka in the process)")
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster, cluster.ListenAddrs()
}

// ApacheKafka returns the addresses of Apache Kafka itself, and skips the test when there are none. Everybody shares
// it: a test that needs only a Kafka of its own uses [KafkaBackend.Open].
func ApacheKafka(t testing.TB) []string {
	t.Helper()
	Apache.demand(t)
	brokers := strings.Split(os.Getenv(EnvKafka), ",")
	t.Logf("testkit: backend %s %s", Apache, apacheVersion(t, brokers))
	return brokers
}

// KafkaConfig returns a configuration for these brokers, valid as it is.
func KafkaConfig(brokers []string, lanes int) kafka.Config {
	cfg := kafka.DefaultConfig()
	cfg.Brokers = brokers
	cfg.Lanes = lanes
	return cfg
}

// Client returns a client for these brokers, closed when the test ends.
func Client(t testing.TB, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(kafka.Options(KafkaConfig(brokers, 0)), opts...)...)
	require.NoError(t, err)
	t.Cleanup(client.CloseAllowingRebalance)
	return client
}

// Topics creates every topic of a ledger with so many lanes.
func Topics(t testing.TB, brokers []string, lanes int) {
	t.Helper()
	// The caller may be in a cleanup, where the test's context has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
	defer cancel()
	on := kafka.Embedded
	if isApache(brokers) {
		on = kafka.Cluster
	}
	got, err := kafka.EnsureTopics(ctx, Client(t, brokers), KafkaConfig(brokers, lanes), on)
	require.NoError(t, err)
	require.Equal(t, lanes, got)
}
