package returns

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestOfSenderKeepsReturnsApart(t *testing.T) {
	t.Parallel()
	shipmentOf := func(id, seller string, siblings ...string) linkedShipment {
		return linkedShipment{id: id, sellerID: seller, siblings: siblings, count: max(1, len(siblings))}
	}
	for name, tc := range map[string]struct {
		linked    []linkedShipment
		rec       journal.InboxRecord
		kept      int
		ambiguous bool
	}{
		"one seller": {
			linked: []linkedShipment{shipmentOf("S1", "a"), shipmentOf("S2", "a")}, kept: 2,
		},
		"two returns of one id": {
			linked: []linkedShipment{shipmentOf("S1", "a"), shipmentOf("S2", "b")}, kept: 2, ambiguous: true,
		},
		"one return of two sellers": {
			linked: []linkedShipment{shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b", "S1", "S2")}, kept: 2,
		},
		"only one names the other": {
			linked: []linkedShipment{shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b")}, kept: 2, ambiguous: true,
		},
		"a third seller has a return of its own": {
			linked: []linkedShipment{
				shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b", "S1", "S2"), shipmentOf("S3", "c"),
			}, kept: 3, ambiguous: true,
		},
		"the credential speaks for one of them": {
			linked: []linkedShipment{shipmentOf("S1", "a"), shipmentOf("S2", "b")},
			rec:    journal.InboxRecord{Sellers: []string{"b", "d"}}, kept: 1,
		},
		"the sender names one of them": {
			linked: []linkedShipment{shipmentOf("S1", "a", "S1", "S2"), shipmentOf("S2", "b", "S1", "S2")},
			rec:    journal.InboxRecord{SellerID: "a"}, kept: 1,
		},
		"nobody has it": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept, ambiguous := ofSender(tc.linked, &tc.rec)
			require.Len(t, kept, tc.kept)
			require.Equal(t, tc.ambiguous, ambiguous)
		})
	}
}

// inboxOf returns the shipment and the order items of each record of the inbox.
func inboxOf(t *testing.T, brokers []string) (parts []string) {
	t.Helper()
	client := testkit.Client(t, brokers, kgo.ConsumeTopics(events.TopicInbox))
	for end := testkit.End(t, client, events.TopicInbox, 0); int64(len(parts)) < end; {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(rec *kgo.Record) {
			n, err := marketplace.ParseNotification(rec.Value, marketplace.DefaultSettings())
			require.NoError(t, err)
			var items []string
			for _, l := range n.Lines() {
				items = append(items, l.OrderItemID)
			}
			parts = append(parts, string(rec.Key)+" gets "+strings.Join(items, ","))
		})
	}
	return parts
}

// TestResolverShares has a return over three shipments, each with one item, and a notification of all three and of an
// item that no shipment has.
func TestResolverShares(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC)
	const limit = 7 * 24 * time.Hour
	body := `{"eventType":"return_completed","timestamp":"2024-04-08T00:00:00Z","returnId":"R1","attributes":{"returnItems":[` +
		`{"orderItemId":"1"},{"orderItemId":"2"},{"orderItemId":"3"},{"orderItemId":"9"}]}}`
	// have returns what the inbox has after steps: each names the shipments that have recorded the return since the last.
	// The notification arrives after the first step. If late, its limit is over after the last one.
	have := func(t *testing.T, late bool, steps ...string) (inbox []string, pending int) {
		t.Helper()
		now := start
		r, brokers := newResolver(t, limit, func() time.Time { return now })
		r.caughtUp[0], r.examined[0] = true, 6
		key := subjectKey{0, subject{aliasReturn, "R1"}}
		for i, step := range steps {
			var aliases []*kgo.Record
			for _, id := range strings.Fields(step) {
				rec, err := alias{aliasKey{aliasReturn, "R1", "own", id}, &ledgerv1.Alias{
					ShipmentId: id, SellerId: "own", OrderItemIds: []string{strings.TrimPrefix(id, "S")},
					SiblingShipmentIds: []string{"S1", "S2", "S3"}, SiblingCount: 3,
				}}.record(1)
				require.NoError(t, err)
				aliases = append(aliases, rec)
			}
			require.NoError(t, r.readAliases(t.Context(), kgo.Fetches{{Topics: []kgo.FetchTopic{{
				Topic: events.TopicAliases, Partitions: []kgo.FetchPartition{{Records: aliases}},
			}}}}))
			if i == 0 {
				in := unresolvedRecord(key.subject, 1, journal.InboxRecord{
					SellerID: "own", Body: []byte(body), ReceivedAt: start,
				})
				in.Offset = 5
				require.NoError(t, r.resolve(t.Context(), in))
			}
		}
		if late {
			now = start.Add(limit)
		}
		require.NoError(t, r.expire(t.Context()))
		return inboxOf(t, brokers), len(pendingOf(t, r.store, key))
	}
	for name, tc := range map[string]struct {
		steps   []string
		late    bool
		want    []string
		pending int
	}{
		"all shipments are known": {
			steps: []string{"S1 S2 S3"}, want: []string{"S1 gets 1", "S2 gets 2", "S3 gets 3,9"},
		},
		"a shipment that is not known waits for its part": {
			steps: []string{"S1 S3"}, want: []string{"S1 gets 1", "S3 gets 3"}, pending: 1,
		},
		"a late shipment gets its lines, and the others get theirs once": {
			steps: []string{"", "S1", "S3", "S2"}, want: []string{"S1 gets 1", "S3 gets 3", "S2 gets 2,9"},
		},
		"after the limit, shipments that never recorded the return get the lines that nobody has": {
			steps: []string{"S2"}, late: true, want: []string{"S2 gets 2", "S1 gets 1,3,9", "S3 gets 1,3,9"},
		},
		"after the limit, nobody gets anything again": {
			steps: []string{"", "S1", "S2"}, late: true, want: []string{"S1 gets 1", "S2 gets 2", "S3 gets 3,9"},
		},
		"after the limit, a return that no shipment has recorded goes to its own id": {
			steps: []string{""}, late: true, want: []string{"R1 gets 1,2,3,9"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, pending := have(t, tc.late, tc.steps...)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.pending, pending)
		})
	}
}
