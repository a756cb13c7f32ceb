package ingest

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// An alias leads from a return or a service to a shipment. One return may have several: its lines may lie in several
// shipments. The topic is compacted, so its key names both ends; the first end, which chooses the partition, stands in
// a header of its own.

// headerAlias holds the id that an alias leads from.
const headerAlias = "orderledger-alias"

// aliasKey is the key of the record: the newest of each pair is kept.
func aliasKey(id, shipmentID string) string { return id + "\x00" + shipmentID }

// aliasRecord is an alias on its way to orders.aliases.v1.
func aliasRecord(id, shipmentID, sellerID string, partitions int) (*kgo.Record, error) {
	value, err := (&ledgerv1.Alias{ShipmentId: shipmentID, SellerId: sellerID}).MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("alias %s: %w", id, err)
	}
	return &kgo.Record{
		Topic: events.TopicAliases, Partition: events.KeyPartition(id, partitions), Key: []byte(aliasKey(id, shipmentID)), Value: value,
		Headers: []kgo.RecordHeader{{Key: headerAlias, Value: []byte(id)}},
	}, nil
}

// writeAliases tells that a return has lines in all these shipments.
func (g *Ingest) writeAliases(ctx context.Context, returnID, sellerID string, shipments []string) error {
	records := make([]*kgo.Record, 0, len(shipments))
	for _, id := range shipments {
		rec, err := aliasRecord(returnID, id, sellerID, g.cfg.Lanes)
		if err != nil {
			return err
		}
		records = append(records, rec)
	}
	if err := g.producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return newProblem(problemUnavailable, "the notification could not be stored").
			because(fmt.Errorf("produce to %s: %w", events.TopicAliases, err)).retryAfter(retrySoon)
	}
	return nil
}

// aliasesOf are the ids that an event makes known: those of a new return, of a new service, of a new tech visit.
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
		// Services and returns may come with the shipment itself, without events of their own.
		for _, service := range e.GetAfter().GetServices() {
			ids = append(ids, service.GetServiceId())
		}
	}
	return ids
}
