package returns

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// An alias maps a return or a service to a shipment. A return may have several, because its lines may belong to several
// shipments. The topic is compacted, so the key of a record holds both ids; the first, which chooses the partition, is
// in a header as well.

// headerAlias holds the id of the return or service.
const headerAlias = "orderledger-alias"

// aliasKey returns the key of an alias's record.
func aliasKey(id, shipmentID string) string { return id + "\x00" + shipmentID }

// aliasRecord returns an alias as a record of orders.aliases.v1.
func aliasRecord(id, shipmentID, sellerID string, partitions int) (*kgo.Record, error) {
	value, err := (&ledgerv1.Alias{ShipmentId: shipmentID, SellerId: sellerID}).MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("alias %s: %w", id, err)
	}
	return &kgo.Record{
		Topic: events.TopicAliases, Partition: events.KeyPartition(id, partitions),
		Key: []byte(aliasKey(id, shipmentID)), Value: value, Headers: kafka.Headers(headerAlias, id),
	}, nil
}

// aliasEvents lists the event types that aliasesOf makes aliases of.
func aliasEvents() pubsub.EventFilter {
	return pubsub.EventFilter{
		events.TypeReturnCreated: nil, events.TypeServiceActivated: nil, events.TypeTechVisitRequested: nil,
		events.TypeShipmentCreated: {2, 18}, // Event.after.services
	}
}

// aliasesOf returns the ids that an event introduces: those of a new return, a new service or a new tech visit.
func aliasesOf(e *ledgerv1.Event) []string {
	var ids []string
	switch body := e.GetBody().(type) {
	case *ledgerv1.Event_ReturnCreated:
		for _, line := range body.ReturnCreated.GetLines() {
			if id := line.GetReturnId(); len(ids) == 0 || ids[len(ids)-1] != id {
				ids = append(ids, id)
			}
		}
	case *ledgerv1.Event_ServiceActivated:
		ids = append(ids, body.ServiceActivated.GetServiceId())
	case *ledgerv1.Event_TechVisitRequested:
		ids = append(ids, body.TechVisitRequested.GetServiceId())
	case *ledgerv1.Event_ShipmentCreated:
		// Services may be created together with their shipment, without events of their own.
		for _, service := range e.GetAfter().GetServices() {
			ids = append(ids, service.GetServiceId())
		}
	}
	return ids
}
