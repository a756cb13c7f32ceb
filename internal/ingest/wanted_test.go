package ingest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// recordOf is the record of an event.
func recordOf(ceType string, event *ledgerv1.Event) *kgo.Record {
	headers, value := eventstest.Record(eventstest.Envelope(ceType), event)
	rec := &kgo.Record{Value: value}
	for _, h := range headers {
		rec.Headers = append(rec.Headers, kgo.RecordHeader(h))
	}
	return rec
}

func TestWorkersPassOverOnlyEventsThatMeanNothingToThem(t *testing.T) {
	t.Parallel()
	passed := 0
	check := func(ceType string, event *ledgerv1.Event) {
		aliases, hasAliases, packing, asksPacking := ingest.Wanted(recordOf(ceType, event), event)
		require.True(t, aliases || !hasAliases, "aliases of %s", ceType)
		require.True(t, packing || !asksPacking, "packing for %s", ceType)
		if !aliases && !packing {
			passed++
		}
	}
	for _, ceType := range events.Types() {
		event := eventstest.Event(ceType) // All its members are there.
		check(ceType, event)
		event.After.Services = nil
		if cancelled := event.GetItemsCancelled(); cancelled != nil {
			cancelled.Revision = 0
		}
		check(ceType, event)
	}
	// All but the five that are wanted whatever they hold, and of the other two the one with nothing in it.
	require.Equal(t, 2*(len(events.Types())-5)-2, passed)
}

func TestWorkersLookAtWhatTheyCannotJudge(t *testing.T) {
	t.Parallel()
	named := func(ceType string) *kgo.Record {
		return &kgo.Record{Headers: []kgo.RecordHeader{{Key: events.HeaderType, Value: []byte(ceType)}}}
	}
	torn := recordOf(events.TypeShipmentCreated, eventstest.Event(events.TypeShipmentCreated))
	torn.Value = torn.Value[:len(torn.Value)/2]
	for name, rec := range map[string]*kgo.Record{
		"a type that is not in the catalogue": named("orders.ShipmentPraised.v1"), "no type": new(kgo.Record), "a torn value": torn,
	} {
		aliases, _, packing, _ := ingest.Wanted(rec, nil)
		require.True(t, aliases, name)
		require.Equal(t, rec != torn, packing, name)
	}
}
