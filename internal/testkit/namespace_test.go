package testkit_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestNamespaceIsolation(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		var clients []*kgo.Client
		for lanes := 1; lanes <= 2; lanes++ {
			_, brokers := on.Open(t)
			testkit.Topics(t, brokers, lanes)
			clients = append(clients, testkit.Client(t, brokers, kafka.ManualPartitions(), kgo.TransactionalID("the-same"),
				kgo.ConsumeTopics(events.TopicEvents), kgo.ConsumerGroup("the-same"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
				kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())))
		}
		for i, client := range clients {
			adm := kadm.NewClient(client)
			topics, err := adm.ListTopics(t.Context())
			require.NoError(t, err)
			require.Len(t, topics, len(kafka.Topics()))
			require.Len(t, topics[events.TopicEvents].Partitions, i+1)
			_, err = adm.CreateTopic(t.Context(), 1, -1, nil, events.TopicEvents)
			require.ErrorIs(t, err, kerr.TopicAlreadyExists)
			settings, err := adm.DescribeTopicConfigs(t.Context(), events.TopicInbox)
			require.NoError(t, err)
			require.NoError(t, settings[0].Err)
			require.Equal(t, events.TopicInbox, settings[0].Name)

			require.NoError(t, client.BeginTransaction())
			r := &kgo.Record{Topic: events.TopicEvents, Partition: int32(i), Value: []byte{byte(i)}}
			require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
		}
		// Neither has fenced the other.
		for i, client := range clients {
			require.NoError(t, client.EndTransaction(t.Context(), kgo.TryCommit))
			got := client.PollRecords(t.Context(), 10).Records()
			require.Len(t, got, 1)
			require.Equal(t, []byte{byte(i)}, got[0].Value)
			require.Equal(t, events.TopicEvents, got[0].Topic)
			require.NoError(t, client.CommitUncommittedOffsets(t.Context()))
			testkit.WaitMembers(t, client, "the-same", 1)
			groups, err := kadm.NewClient(client).ListGroups(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{"the-same"}, groups.Groups())
		}
	})
}

func TestNamespaceAddresses(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		_, brokers := on.Open(t)
		testkit.Topics(t, brokers, 1)
		client := testkit.Client(t, brokers)
		metadata, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), client)
		require.NoError(t, err)
		found := kmsg.NewPtrFindCoordinatorRequest()
		found.CoordinatorKeys = []string{"g"}
		var coordinator *kmsg.FindCoordinatorResponse
		testkit.Eventually(t, func() bool { // A broker that has just started first creates the topic of groups.
			coordinator, err = found.RequestWith(t.Context(), client)
			return err == nil && coordinator.Coordinators[0].ErrorCode == 0
		}, "the coordinator is found")
		c := coordinator.Coordinators[0]
		require.Equal(t, "g", c.Key)
		require.Contains(t, brokers, net.JoinHostPort(c.Host, fmt.Sprint(c.Port)))
		for _, b := range metadata.Brokers {
			require.Contains(t, brokers, net.JoinHostPort(b.Host, fmt.Sprint(b.Port)))
		}
	})
}
