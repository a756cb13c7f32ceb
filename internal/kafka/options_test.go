package kafka_test

import (
	"bytes"
	"sync"
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
		large, small := bytes.Repeat([]byte("compressible "), 200), bytes.Repeat([]byte("compressible "), 100)
		for offset, c := range []struct {
			opts  []kgo.Opt
			value []byte
			codec uint8 // 0 none, 1 gzip.
		}{
			{nil, large, 0},
			{[]kgo.Opt{kafka.Compressed()}, large, 1},
			{[]kgo.Opt{kafka.Compressed()}, small, 0}, // It would cost the caller more than it saves.
		} {
			record := &kgo.Record{Topic: "t", Value: c.value}
			require.NoError(t, testkit.Client(t, brokers, c.opts...).ProduceSync(t.Context(), record).FirstErr())
			reader := testkit.Client(t, brokers, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().At(int64(offset))}}))
			got := reader.PollFetches(t.Context()).Records()
			require.NotEmpty(t, got)
			require.Equal(t, c.codec, got[0].Attrs.CompressionType())
			require.Equal(t, c.value, got[0].Value)
		}
	})
}

// Programs make many clients of one list of options, also at the same time. Only the race detector sees the failure.
func TestOptionsServeClientsConcurrently(t *testing.T) {
	t.Parallel()
	options := kafka.Options(kafka.Config{Brokers: []string{"127.0.0.1:9"}})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			client, err := kgo.NewClient(options...)
			if err == nil {
				client.Close()
			}
		})
	}
	wg.Wait()
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
