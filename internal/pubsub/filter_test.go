package pubsub_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestSubscriberFilter(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	require.NoError(t, cluster.CreateTopic("filtered", 1, nil))
	client := testkit.Client(t, brokers)
	for _, value := range []string{"no", "yes", "no", "yes", "no", "no"} {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "filtered", Value: []byte(value)}).FirstErr())
	}
	s, err := pubsub.NewSubscriber(pubsub.Config{
		Client: []kgo.Opt{kgo.SeedBrokers(brokers...)}, Group: "filtered", Log: testkit.Logger(t),
		Filter: func(r *kgo.Record) bool { return string(r.Value) == "yes" },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	messages, err := s.Subscribe(t.Context(), "filtered")
	require.NoError(t, err)

	committed := func() int64 {
		offsets, err := kadm.NewClient(client).FetchOffsets(t.Context(), "filtered")
		require.NoError(t, err)
		at, ok := offsets.Lookup("filtered", 0)
		if !ok {
			return 0
		}
		return at.At
	}
	for _, offset := range []int64{1, 3} {
		m := take(t, messages)
		require.Equal(t, offset, pubsub.Record(m.Context()).Offset)
		testkit.Eventually(t, func() bool { return committed() == offset }, "everything before the message is committed, and the message is not")
		m.Ack()
	}
	testkit.Eventually(t, func() bool { return committed() == 6 }, "the records after the last message are committed")
	select {
	case m := <-messages:
		require.Fail(t, "a filtered record was delivered", string(m.Payload))
	default:
	}
}
