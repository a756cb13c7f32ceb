package netfault_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

func TestLossyDialerLosesReplyAfterBrokerActed(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		_, brokers := on.Open(t)
		testkit.Topics(t, brokers, 1)
		var net netfault.LossyDialer
		client := testkit.Client(t, brokers, kgo.Dialer(net.Dial), kgo.DefaultProduceTopic("orders.inbox.v1"), kafka.ManualPartitions())

		net.DropReplies(kmsg.Produce, 2)
		require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("once")).FirstErr())
		require.Equal(t, 2, net.LostReplies(kmsg.Produce))

		// The client tried three times and the broker, which knew the batch
		// after the first, kept one.
		ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), "orders.inbox.v1")
		require.NoError(t, err)
		end, _ := ends.Lookup("orders.inbox.v1", 0)
		require.EqualValues(t, 1, end.Offset)
	})
}

func TestLossyDialerUnconfirmedCommitIsCommitted(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		_, brokers := on.Open(t)
		testkit.Topics(t, brokers, 1)
		var net netfault.LossyDialer
		client := testkit.Client(t, brokers, kgo.Dialer(net.Dial), kgo.TransactionalID("t"), kgo.RequestRetries(1),
			kgo.DefaultProduceTopic("orders.inbox.v1"), kafka.ManualPartitions())
		require.NoError(t, client.BeginTransaction())
		require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("stored")).FirstErr())

		net.DropReplies(kmsg.EndTxn, -1)
		require.Error(t, client.EndTransaction(t.Context(), kgo.TryCommit))
		require.Positive(t, net.LostReplies(kmsg.EndTxn))

		reader := testkit.Client(t, brokers, kgo.ConsumeTopics("orders.inbox.v1"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		got := reader.PollFetches(t.Context()).Records()
		require.Len(t, got, 1)
		require.Equal(t, "stored", string(got[0].Value))
	})
}

func TestLossyDialerRequestNeverArrives(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		_, brokers := on.Open(t)
		testkit.Topics(t, brokers, 1)
		var net netfault.LossyDialer
		client := testkit.Client(t, brokers, kgo.Dialer(net.Dial), kgo.TransactionalID("t"), kgo.RequestRetries(0),
			kgo.DefaultProduceTopic("orders.inbox.v1"), kafka.ManualPartitions())
		require.NoError(t, client.BeginTransaction())
		require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord("pending")).FirstErr())
		net.DropRequests(kmsg.EndTxn, -1)
		require.Error(t, client.EndTransaction(t.Context(), kgo.TryCommit))
		require.Zero(t, net.LostReplies(kmsg.EndTxn))

		adm := kadm.NewClient(testkit.Client(t, brokers))
		stable, err := adm.ListCommittedOffsets(t.Context(), "orders.inbox.v1")
		require.NoError(t, err)
		end, _ := stable.Lookup("orders.inbox.v1", 0)
		require.Zero(t, end.Offset, "the transaction is open")
	})
}
