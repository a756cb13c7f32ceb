package kafka_test

import (
	"bytes"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// Clients of any language read the records: kgo's default codec is not built into all of them.
func TestOptionsUseCodecsThatClientsRead(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		_, brokers := on.Open(t)
		testkit.CreateTopic(t, testkit.Client(t, brokers), "t", 1, nil)
		value := bytes.Repeat([]byte("compressible "), 100)
		for want, opts := range [][]kgo.Opt{{}, {kafka.Compressed()}} { // The numbers of the codecs: 0 none, 1 gzip.
			record := &kgo.Record{Topic: "t", Value: value}
			require.NoError(t, testkit.Client(t, brokers, opts...).ProduceSync(t.Context(), record).FirstErr())
			reader := testkit.Client(t, brokers, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(int64(want))}}))
			got := reader.PollFetches(t.Context()).Records()
			require.NotEmpty(t, got)
			require.EqualValues(t, want, got[0].Attrs.CompressionType())
			require.Equal(t, value, got[0].Value)
		}
	})
}

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
