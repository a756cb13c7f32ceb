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
	passed := 0
	for _, ceType := range events.Types() {
		full, empty := eventstest.Event(ceType), eventstest.Event(ceType) // Every field is set.
		empty.After.Services = nil
		for _, event := range []*ledgerv1.Event{full, empty} {
			if passes(eventRecord(ceType, event)) {
				passed++
			} else {
				require.Empty(t, aliasesOf(event), ceType)
			}
		}
	}
	require.Equal(t, 2*3+1, passed, "three types always, and the creation of a shipment that has services")
}

func TestUnresolvedRecordRoundTrip(t *testing.T) {
	t.Parallel()
	rec := journal.InboxRecord{
		SellerID: "own", CorrelationID: "story", AuthType: "marketplace", AuthID: "flipkart", TraceParent: "00-1-2-00",
		ReceivedAt: time.UnixMilli(1_700_000_000_000), Body: []byte(`{}`),
	}
	out := unresolvedRecord("R1", 3, rec)
	require.Equal(t, events.TopicUnresolved, out.Topic)
	require.Equal(t, events.KeyPartition("R1", 3), out.Partition)
	id, got := readUnresolved(out)
	require.Equal(t, "R1", id)
	require.Equal(t, rec, got)
}
