package pubsub_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

// keyed publishes each message with its payload as the key, which the suite's tests of order need.
type keyed struct{ message.Publisher }

func (k keyed) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		m.Metadata.Set(pubsub.MetadataKey, string(m.Payload))
	}
	return k.Publisher.Publish(topic, messages...)
}

// TestWatermillConformance runs Watermill's own suite once for each set of features.
func TestWatermillConformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		features tests.Features
		group    string
		keyed    bool
	}{
		"with consumer groups": {features: tests.Features{ConsumerGroups: true, Persistent: true}, group: "suite"},
		"with order":           {features: tests.Features{ConsumerGroups: true, Persistent: true, GuaranteedOrder: true}, group: "suite", keyed: true},
		"without a group":      {features: tests.Features{Persistent: true, NewSubscriberReceivesOldMessages: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
				_, brokers := on.Open(t, kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(8))
				suite(t, brokers, c.group, c.keyed, c.features)
			})
		})
	}
}

func suite(t *testing.T, brokers []string, group string, byKey bool, features tests.Features) {
	t.Helper()
	construct := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		t.Helper()
		cfg := pubsub.Config{
			// The suite publishes to topics that it has not created.
			Client: []kgo.Opt{
				kgo.SeedBrokers(brokers...), kgo.AllowAutoTopicCreation(), kgo.HeartbeatInterval(200 * time.Millisecond),
			},
			Group: group, Partitions: 8,
			// The suite closes subscribers while it holds messages that it never acks.
			DrainTimeout: 50 * time.Millisecond,
			// It nacks hundreds of times in a row.
			NackBackoff: 10 * time.Millisecond, NackBackoffMax: 10 * time.Millisecond,
		}
		pub, err := pubsub.NewPublisher(cfg)
		require.NoError(t, err)
		sub, err := pubsub.NewSubscriber(cfg)
		require.NoError(t, err)
		if byKey {
			return keyed{pub}, sub
		}
		return pub, sub
	}
	tests.TestPubSub(t, features,
		func(t *testing.T) (message.Publisher, message.Subscriber) { t.Helper(); return construct(t, group) },
		construct)
}
