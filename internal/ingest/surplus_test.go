package ingest_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// An operator raises the partitions of topics, of some more than of others, and another program writes to the new ones.
// Returns still find their shipments, in whichever of two instances, and nothing waits for the new partitions.
func TestSurplusPartitionsChangeNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	client := testkit.Client(t, f.brokers, kafka.ManualPartitions())
	for topic, to := range map[string]int{
		events.TopicUnresolved: 3*lanes + 1, events.TopicEvents: lanes + 2, events.TopicInbox: 2 * lanes,
	} {
		testkit.AddPartitions(t, client, topic, to)
		astray := &kgo.Record{Topic: topic, Partition: int32(to - 1), Key: []byte("astray"), Value: []byte("x")}
		require.NoError(t, client.ProduceSync(t.Context(), astray).FirstErr())
	}
	a, b := f.pair(nil)
	for _, group := range []string{kafka.GroupLanes("orderledger"), kafka.GroupResolver("orderledger"), kafka.GroupAliases("orderledger")} {
		testkit.WaitMembers(t, client, group, 2)
		for _, m := range testkit.Members(t, client, group) {
			assigned, ok := m.Assigned.AsConsumer()
			require.True(t, ok)
			for _, topic := range assigned.Topics {
				for _, p := range topic.Partitions {
					require.Less(t, p, int32(lanes), "%s of %s", topic.Topic, group)
				}
			}
		}
	}
	const n = 6
	for i := range n {
		a.notify(created(fmt.Sprintf("S%d", i)))
		b.notify(aReturn("return_picked_up", fmt.Sprintf("R%d", i), "2024-04-07T00:00:00Z", fmt.Sprintf(`{"orderItemId":"I-S%d"}`, i)))
	}
	for i := range n {
		f.state(fmt.Sprintf("S%d", i), status(ledgerv1.Status_STATUS_APPROVED))
	}
	for i := range n {
		id := fmt.Sprintf("S%d", i)
		a.notify(fmt.Sprintf(`{"eventType":"shipment_delivered","timestamp":"2024-04-05T00:00:00Z","shipmentId":%q,"attributes":{"status":"DELIVERED"}}`, id))
		a.notify(aReturn("return_created", fmt.Sprintf("R%d", i), "2024-04-06T00:00:00Z", line(id)))
	}
	for i := range n {
		f.state(fmt.Sprintf("S%d", i), returned(ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP))
	}
	testkit.Eventually(t, func() bool {
		got := a.send(http.MethodGet, "/progress", "")
		return got.status == http.StatusOK && got.member(t, "behind", "resolver") == 0.0 && got.member(t, "behind", "inbox") == 0.0
	}, "nothing waits for the records astray")
}
