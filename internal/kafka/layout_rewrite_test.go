package kafka_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// The inbox has no chain. Its first record says whether the number of lanes can be right.
func TestRewriteLayoutComparesInbox(t *testing.T) {
	t.Parallel()
	const shipment = "ship-1"
	right := events.Lane(shipment, 2)
	for name, c := range map[string]struct {
		lane int32
		want string // Empty if the layout is written.
	}{
		"the record is in its lane":                {right, ""},
		"the record is in another lane":            {1 - right, `with 2 lanes, shipment "ship-1" belongs to lane`},
		"the record is in a lane that can't exist": {2, "there are records in a lane that it does not have"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client, cfg := faulty(t, 2)
			layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
			require.NoError(t, err)
			testkit.AddPartitions(t, client, events.TopicInbox, 3)
			record := &kgo.Record{Topic: events.TopicInbox, Partition: c.lane, Key: []byte(shipment)}
			producer := testkit.Client(t, cfg.Brokers, kafka.ManualPartitions())
			require.NoError(t, producer.ProduceSync(t.Context(), record).FirstErr())
			drop(t, client, events.TopicLayout)

			verified, err := kafka.RewriteLayout(t.Context(), client, cfg, kafka.Cluster, layout)
			if c.want == "" {
				require.NoError(t, err)
				require.Equal(t, 1, verified)
				require.EqualValues(t, 1, layoutRecords(t, client))
				return
			}
			require.ErrorIs(t, err, kafka.ErrLayout)
			require.ErrorContains(t, err, c.want)
			require.Zero(t, layoutRecords(t, client), "nothing is written")
		})
	}
}
