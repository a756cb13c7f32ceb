package ingest_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// ledger reads all events. It returns the groups left of each shipment, and the events as shipment and offset. It
// checks that versions and lane sequences are dense.
func (c *cluster) ledger() (left map[string]uint16, at map[string]bool) {
	c.Helper()
	client := testkit.Client(c, c.brokers, kgo.ConsumeTopics(events.TopicEvents),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords())
	ends, err := kadm.NewClient(client).ListEndOffsets(c.Context(), events.TopicEvents)
	require.NoError(c, err)
	open := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			open[o.Partition] = o.Offset
		}
	})
	left, at = map[string]uint16{}, map[string]bool{}
	versions, laneseq := map[string]uint64{}, map[int32]uint64{}
	ctx, cancel := context.WithTimeout(c.Context(), testkit.Limit)
	defer cancel()
	for len(open) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(c, fetches.Err())
		fetches.EachRecord(func(rec *kgo.Record) {
			if rec.Offset+1 >= open[rec.Partition] {
				delete(open, rec.Partition)
			}
			if rec.Attrs.IsControl() {
				return
			}
			env, event, err := events.Decode(kafka.EventRecord(rec))
			require.NoError(c, err)
			versions[env.ShipmentID]++
			laneseq[rec.Partition]++
			require.Equal(c, versions[env.ShipmentID], env.Version, "version of %s", env.ShipmentID)
			require.Equal(c, laneseq[rec.Partition], env.LaneSeq, "laneseq of lane %d", rec.Partition)
			at[fmt.Sprint(env.ShipmentID, " ", rec.Offset)] = true
			left[env.ShipmentID] = groupsLeft(event.GetAfter())
		})
	}
	return left, at
}

// groupsLeft returns the groups that are not cancelled, a bit each.
func groupsLeft(s *ledgerv1.Shipment) (left uint16) {
	for _, it := range s.GetItems() {
		g, err := strconv.Atoi(strings.TrimPrefix(it.GetCancellationGroupId(), "g"))
		if err == nil && it.GetStatus() != ledgerv1.Status_STATUS_CANCELLED {
			left |= 1 << g
		}
	}
	return left
}
