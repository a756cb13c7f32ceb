package pubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestMessageRoundTrip(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 3)
		cfg := b.config(t)
		p := publisher(t, cfg)
		out := message.NewMessage("id-1", []byte("body"))
		out.Metadata.Set("ce_type", "ShipmentPacked")
		out.Metadata.Set(pubsub.MetadataKey, "S1")
		out.Metadata.Set(pubsub.MetadataPartition, "2")
		require.NoError(t, p.Publish(topic, out))

		_, messages := subscribe(t, cfg)
		in := take(t, messages)
		require.Equal(t, "id-1", in.UUID)
		require.Equal(t, "body", string(in.Payload))
		require.Equal(t, message.Metadata{"ce_type": "ShipmentPacked"}, in.Metadata)
		record := pubsub.Record(in.Context())
		require.Equal(t, "S1", string(record.Key))
		require.EqualValues(t, 2, record.Partition)
		require.EqualValues(t, 0, record.Offset)
		in.Ack()
	})
}

func TestMessageUUIDHeader(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		cfg.UUIDHeader = "ce_id"
		p := publisher(t, cfg)
		require.NoError(t, p.Publish(topic, message.NewMessage("event-7", nil)))
		client := testkit.Client(t, b.brokers, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("foreign")}).FirstErr())

		_, messages := subscribe(t, cfg)
		first := take(t, messages)
		require.Equal(t, "event-7", first.UUID)
		require.Equal(t, "event-7", first.Metadata.Get("ce_id"), "the header is part of the contract, so it stays")
		require.Nil(t, pubsub.Record(first.Context()).Value, "a message without payload is a tombstone")
		require.Len(t, pubsub.Record(first.Context()).Headers, 1)
		first.Ack()
		second := take(t, messages)
		require.Equal(t, "t/0/1", second.UUID, "a record without the header gets its position as UUID")
		second.Ack()
	})
}

func TestPublisherExplicitPartitions(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 2)
		cfg := b.config(t)
		cfg.ExplicitPartitions = true
		cfg.PublishTimeout = testkit.Limit
		p := publisher(t, cfg)
		named := message.NewMessage("1", nil)
		named.Metadata.Set(pubsub.MetadataPartition, "1")
		require.ErrorContains(t, p.Publish(topic, named, message.NewMessage("2", nil)), "names no partition")
		require.Zero(t, testkit.End(t, b.client, topic, 1), "nothing of the batch is written")
		require.NoError(t, p.Publish(topic, named))
		require.EqualValues(t, 1, testkit.End(t, b.client, topic, 1))

		for _, partition := range []string{"2", "-1", "x"} {
			m := message.NewMessage("3", nil)
			m.Metadata.Set(pubsub.MetadataPartition, partition)
			require.Error(t, p.Publish(topic, m), "partition %s", partition)
		}
	})
}

func TestPublisherTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Kfake, 1)
	cfg := b.config(t)
	cfg.PublishTimeout = time.Millisecond
	b.cluster.Close()
	require.Error(t, publisher(t, cfg).Publish(topic, message.NewMessage("1", nil)))
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, pubsub.DefaultConfig().Validate())
	bad := pubsub.Config{InstanceID: "i", DrainTimeout: -1, MaxBuffered: -1, Partitions: -1}
	for _, want := range []string{"instance id", "drain timeout", "max buffered", "partitions"} {
		require.ErrorContains(t, bad.Validate(), want)
	}
	_, err := pubsub.NewPublisher(bad)
	require.Error(t, err)
	_, err = pubsub.NewSubscriber(bad)
	require.Error(t, err)
}

func TestClosedPubSub(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		p, err := pubsub.NewPublisher(b.config(t))
		require.NoError(t, err)
		require.NoError(t, p.Close())
		require.NoError(t, p.Close())
		require.ErrorIs(t, p.Publish(topic, message.NewMessage("1", nil)), pubsub.ErrClosed)
		s, err := pubsub.NewSubscriber(b.config(t))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		_, err = s.Subscribe(t.Context(), topic)
		require.ErrorIs(t, err, pubsub.ErrClosed)
	})
}
