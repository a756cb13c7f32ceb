package returns

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func eventRecord(ceType string, event *ledgerv1.Event) *kgo.Record {
	r := eventstest.Record(eventstest.Envelope(ceType), event)
	return &kgo.Record{Headers: kafka.AppendRecordHeaders(nil, r.Headers), Value: r.Value}
}

func TestAliasEventsPassEveryAlias(t *testing.T) {
	t.Parallel()
	passes := aliasEvents().Filter()
	for _, ceType := range events.Types() {
		event := eventstest.Event(ceType) // Every field is set.
		require.Equal(t, len(aliasesOf(event)) > 0, passes(eventRecord(ceType, event)), ceType)
	}
}

func TestAliasesOfReturn(t *testing.T) {
	t.Parallel()
	line := func(returnID, item string, siblings ...string) *ledgerv1.Return {
		return &ledgerv1.Return{
			ReturnId: returnID, OrderItemId: item, SiblingShipmentIds: siblings, SiblingCount: uint32(len(siblings)),
		}
	}
	// The return had a line before, and the shipment has another return.
	event := &ledgerv1.Event{
		After: &ledgerv1.Shipment{
			ShipmentId: "S1", SellerId: "own",
			Returns: []*ledgerv1.Return{line("R1", "1"), line("R2", "2"), line("R1", "3", "S1", "S2")},
		},
		Body: &ledgerv1.Event_ReturnCreated{ReturnCreated: &ledgerv1.ReturnCreated{
			Lines: []*ledgerv1.Return{line("R1", "3")},
		}},
	}
	require.Equal(t, []alias{{
		key: aliasKey{aliasReturn, "R1", "own", "S1"},
		value: &ledgerv1.Alias{
			ShipmentId: "S1", SellerId: "own", OrderItemIds: []string{"1", "3"},
			SiblingShipmentIds: []string{"S1", "S2"}, SiblingCount: 2,
		},
	}}, aliasesOf(event))
}

func TestAliasKeyRoundTrip(t *testing.T) {
	t.Parallel()
	seen := map[string]aliasKey{}
	for _, k := range []aliasKey{
		{aliasReturn, "R1", "own", "S1"},
		{aliasItem, "R1", "own", "S1"},
		{aliasReturn, "R1", "", "S1"},
		{aliasReturn, "R1,3:own", "own", "S1"},
		{aliasReturn, "R", "1own", "S1"},
		{aliasService, "R1\x00", "o,", ":S1"},
	} {
		got, ok := readAliasKey(k.encode())
		require.True(t, ok, "%s", k.encode())
		require.Equal(t, k, got)
		require.NotContains(t, seen, string(k.encode()))
		seen[string(k.encode())] = k
	}
	for _, bad := range []string{
		"", "r", "r2:R1,3:own,2:S1", "r2:R1,3:own,2:S1,x", "r9999999999:R1,", "r3:R1,3:own,2:S1,", "r0:,3:own,2:S1,",
		"R1\x00S1",
	} {
		_, ok := readAliasKey([]byte(bad))
		require.False(t, ok, bad)
	}
}

func TestUnresolvedRecordRoundTrip(t *testing.T) {
	t.Parallel()
	rec := journal.InboxRecord{
		SellerID: "own", CorrelationID: "story", AuthType: "marketplace", AuthID: "flipkart", TraceParent: "00-1-2-00",
		ReceivedAt: time.UnixMilli(1_700_000_000_000), Body: []byte(`{}`),
	}
	rewritten := rec
	rewritten.Hash[0] = 1
	rewritten.Sellers = []string{"own", "other"}
	for _, tc := range []struct {
		subject
		rec journal.InboxRecord
	}{{subject{aliasReturn, "R1"}, rec}, {subject{aliasItem, "I1"}, rewritten}} {
		out := unresolvedRecord(tc.subject, 3, tc.rec)
		require.Equal(t, events.TopicUnresolved, out.Topic)
		require.Equal(t, events.KeyPartition(tc.id, 3), out.Partition)
		s, got := readUnresolved(out)
		require.Equal(t, tc.subject, s)
		require.Equal(t, tc.rec, got)
	}
}
