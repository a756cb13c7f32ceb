package kafka_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestMetricsSurviveANewClient(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	reg := prometheus.NewRegistry()
	for range 2 {
		client := testkit.Client(t, brokers, kafka.Metrics(reg), kafka.Metrics(nil), kafka.Logging(testkit.Logger(t)))
		require.NoError(t, client.Ping(t.Context()))
		client.Close()
	}
	client, err := kgo.NewClient(append(kafka.Options(testkit.KafkaConfig(brokers, 0)), kafka.Metrics(reg))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	require.NoError(t, client.Ping(t.Context()))
	families, err := reg.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
}
