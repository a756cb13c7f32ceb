package ingest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/ingest"
)

func TestWorkersPassOverOnlyEventsThatMeanNothingToThem(t *testing.T) {
	t.Parallel()
	passed := 0
	for _, ceType := range events.Types() {
		event := eventstest.Event(ceType) // All its members are there.
		headers, value := eventstest.Record(eventstest.Envelope(ceType), event)
		rec := &kgo.Record{Value: value}
		for _, h := range headers {
			rec.Headers = append(rec.Headers, kgo.RecordHeader(h))
		}
		aliases, hasAliases, packing, asksPacking := ingest.Wanted(rec, event)
		require.Equal(t, hasAliases, aliases, "aliases of %s", ceType)
		require.Equal(t, asksPacking, packing, "packing for %s", ceType)
		if !aliases && !packing {
			passed++
		}
	}
	require.Greater(t, passed, 20)

	unknown := &kgo.Record{Headers: []kgo.RecordHeader{{Key: events.HeaderType, Value: []byte("orders.ShipmentPraised.v1")}}}
	aliases, _, packing, _ := ingest.Wanted(unknown, nil)
	require.True(t, aliases && packing, "what is not in the catalogue is not passed over in silence")
	aliases, _, packing, _ = ingest.Wanted(new(kgo.Record), nil)
	require.True(t, aliases && packing, "nor is what has no type")
}
