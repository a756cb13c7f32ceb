package pubsub_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestRecordsThatAreNotWantedMakeNoMessageAndAreCommitted(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	require.NoError(t, cluster.CreateTopic("wanted", 1, nil))
	client := testkit.Client(t, brokers)
	for _, value := range []string{"no", "yes", "no", "yes", "no", "no"} {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "wanted", Value: []byte(value)}).FirstErr())
	}
	s, err := pubsub.NewSubscriber(pubsub.Config{
		Client: []kgo.Opt{kgo.SeedBrokers(brokers...)}, Group: "wanted", Log: testkit.Logger(t),
		Wants: func(r *kgo.Record) bool { return string(r.Value) == "yes" },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	messages, err := s.Subscribe(t.Context(), "wanted")
	require.NoError(t, err)

	committed := func() int64 {
		offsets, err := kadm.NewClient(client).FetchOffsets(t.Context(), "wanted")
		require.NoError(t, err)
		at, there := offsets.Lookup("wanted", 0)
		if !there {
			return 0
		}
		return at.At
	}
	for _, offset := range []int64{1, 3} {
		m := take(t, messages)
		require.Equal(t, offset, pubsub.Record(m.Context()).Offset)
		testkit.Eventually(t, func() bool { return committed() == offset }, "what is before it is committed, and it is not")
		m.Ack()
	}
	testkit.Eventually(t, func() bool { return committed() == 6 }, "what is behind the last message is committed")
	select {
	case m := <-messages:
		require.Fail(t, "a message of a record that is not wanted", string(m.Payload))
	default:
	}
}
