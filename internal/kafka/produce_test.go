package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// During an outage Produce returns in time, and what its callers leave behind in the client is bounded: they are
// answered, and send their records again.
func TestProduceDuringOutage(t *testing.T) {
	t.Parallel()
	const bound, size = 64 << 20, 1 << 20
	cluster, brokers := testkit.KafkaCluster(t)
	client := testkit.Client(t, brokers, kafka.ManualPartitions(), kafka.BoundedProducer())
	testkit.CreateTopic(t, client, "t", 1, nil)
	record := func(size int) *kgo.Record { return &kgo.Record{Topic: "t", Value: make([]byte, size)} }
	require.NoError(t, kafka.Produce(t.Context(), client, record(1)))

	cluster.Close()
	produce := func(within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return kafka.Produce(ctx, client, record(size))
	}
	for range bound/size + 16 {
		require.ErrorIs(t, produce(10*time.Millisecond), context.DeadlineExceeded)
	}
	require.LessOrEqual(t, client.BufferedProduceBytes(), int64(bound))
}
