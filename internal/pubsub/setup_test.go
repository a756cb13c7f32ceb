package pubsub_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

const topic = "t"

// bundle is a broker with one topic.
type bundle struct {
	cluster *kfake.Cluster // Nil unless the broker runs in this process.
	brokers []string
	client  *kgo.Client
}

func setup(t *testing.T, on testkit.KafkaBackend, partitions int32) bundle {
	t.Helper()
	cluster, brokers := on.Open(t)
	b := bundle{cluster, brokers, testkit.Client(t, brokers)}
	testkit.CreateTopic(t, b.client, topic, partitions, nil)
	return b
}

// config returns a configuration with short intervals, so that tests need not wait.
func (b bundle) config(t *testing.T, opts ...kgo.Opt) pubsub.Config {
	t.Helper()
	return pubsub.Config{
		Client: append([]kgo.Opt{kgo.SeedBrokers(b.brokers...), kgo.HeartbeatInterval(50 * time.Millisecond)}, opts...),
		Group:  "g", Log: testkit.Logger(t), NackBackoff: time.Millisecond, DrainTimeout: testkit.Limit,
	}
}

func publisher(t *testing.T, cfg pubsub.Config) *pubsub.Publisher {
	t.Helper()
	p, err := pubsub.NewPublisher(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// subscribe returns a subscriber and its messages.
func subscribe(t *testing.T, cfg pubsub.Config) (*pubsub.Subscriber, <-chan *message.Message) {
	t.Helper()
	s, err := pubsub.NewSubscriber(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	messages, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return s, messages
}

// take returns the next message without acking it.
func take(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-messages:
		require.True(t, ok, "the channel is open")
		return m
	case <-time.After(testkit.Limit):
		require.Fail(t, "no message arrived")
	}
	return nil
}

// publishNumbered publishes messages with the UUIDs 0 to n-1, spread over partitions by key.
func publishNumbered(t *testing.T, p message.Publisher, n, keys int) {
	t.Helper()
	batch := make([]*message.Message, n)
	for i := range batch {
		batch[i] = message.NewMessage(strconv.Itoa(i), []byte{byte(i % keys)})
		batch[i].Metadata.Set(pubsub.MetadataKey, strconv.Itoa(i%keys))
	}
	require.NoError(t, p.Publish(topic, batch...))
}
