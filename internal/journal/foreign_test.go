package journal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// Another program wrote to the inbox under keys that belong to no shipment of the lane. The records are quarantined,
// and whoever reads the lane from its beginning can still open it.
func TestInboxForeignRecordsKeepLaneReadable(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		const lanes = 2
		b := setupOn(t, on, lanes)
		j := b.start().ready()
		var own, other string
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
			if events.Lane(id, lanes) == 0 {
				own = id
			} else {
				other = id
			}
		}
		client := testkit.Client(t, b.brokers, kafka.ManualPartitions())
		var last int64
		for _, key := range []string{other, "", strings.Repeat("x", 8<<10), "\xff\xfe"} {
			r := &kgo.Record{Topic: events.TopicInbox, Key: []byte(key), Value: toy{Kind: "note"}.body()}
			if key == "\xff\xfe" && events.Lane(key, lanes) == 0 {
				continue // It belongs there.
			}
			require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
			last = r.Offset
		}
		j.decided(0, last)
		j.mustSubmit(createCmd(own))
		j.stop()

		j = b.start(storeIn(t.TempDir())).ready()
		j.mustSubmit(cmd(own, "note", "x"))
		j.stop()
		k := b.check()
		for _, d := range k.decisions[0][:last+1] {
			require.Equal(t, "bad_id", d.GetReason())
			require.Empty(t, d.Decision.GetShipmentId())
			require.NotEmpty(t, d.GetBody())
		}
		require.Contains(t, k.decisions[0][0].GetMessage(), other, "the message has the key")
	})
}
