package testkit

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
)

// Kafka returns the address of a Kafka of the test's own: one broker in memory, which creates no topic on demand. It is
// closed when the test ends.
func Kafka(t testing.TB, opts ...kfake.Opt) []string {
	t.Helper()
	_, brokers := KafkaCluster(t, opts...)
	return brokers
}

// KafkaCluster is Kafka that also returns the cluster, for faults inside it: ControlKey, Fault, MoveTopicPartition.
// Close it early to test a broker that goes away.
func KafkaCluster(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, []string) {
	t.Helper()
	Kfake.skipUnlessAvailable(t)
	t.Log("testkit: backend kfake (Kafka in the process)")
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster, cluster.ListenAddrs()
}

// KafkaConfig returns a valid configuration for these brokers.
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
