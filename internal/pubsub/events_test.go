package pubsub_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
)

func TestEventFilter(t *testing.T) {
	t.Parallel()
	filter := pubsub.EventFilter{
		events.TypeReturnCreated:   nil,
		events.TypeShipmentCreated: {2, 18}, // Event.after.services
	}.Filter()
	record := func(ceType string) *kgo.Record {
		r := eventstest.Record(eventstest.Envelope(ceType), eventstest.Event(ceType))
		return &kgo.Record{Headers: kafka.AppendRecordHeaders(nil, r.Headers), Value: r.Value}
	}
	torn := record(events.TypeShipmentCreated)
	torn.Value = torn.Value[:len(torn.Value)/2]
	bare := record(events.TypeShipmentCreated)
	bare.Value = protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), nil)
	for name, tc := range map[string]struct {
		rec  *kgo.Record
		pass bool
	}{
		"a type that is needed":               {record(events.TypeReturnCreated), true},
		"a type that is not":                  {record(events.TypeLabelsRequested), false},
		"a type with its field":               {record(events.TypeShipmentCreated), true},
		"a type without its field":            {bare, false},
		"a torn value":                        {torn, true},
		"a type that is not in the catalogue": {&kgo.Record{Headers: kafka.Headers(events.HeaderType, "orders.ShipmentPraised.v1")}, true},
		"no type":                             {new(kgo.Record), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.pass, filter(tc.rec))
		})
	}
}
