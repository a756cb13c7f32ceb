package returns

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// An alias maps a return, a service or an order item of a seller to a shipment. Ids are the sellers' and the
// marketplace's, so two sellers may have one id: each has an alias of its own, and so has each shipment of a return.
// The topic is compacted, so all of that is in the key. The id alone chooses the partition, because a notification may
// name no seller.

// aliasKind says what an alias is of. A return and an order item may have the same id.
type aliasKind byte

// The first byte of an alias's key.
const (
	aliasReturn  aliasKind = 'r'
	aliasService aliasKind = 's'
	aliasItem    aliasKind = 'i'
)

// aliasKey is the key of an alias's record.
type aliasKey struct {
	kind                     aliasKind
	id, sellerID, shipmentID string
}

// encode writes each part behind its length, as in r2:R1,3:own,2:S1, so that no id can look like two.
func (k aliasKey) encode() []byte {
	b := []byte{byte(k.kind)}
	for _, part := range []string{k.id, k.sellerID, k.shipmentID} {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(b, ':')
		b = append(b, part...)
		b = append(b, ',')
	}
	return b
}

// readAliasKey reads what encode wrote.
func readAliasKey(b []byte) (k aliasKey, ok bool) {
	if len(b) == 0 {
		return k, false
	}
	k.kind = aliasKind(b[0])
	b = b[1:]
	for _, part := range []*string{&k.id, &k.sellerID, &k.shipmentID} {
		length, rest, ok := bytes.Cut(b, []byte(":"))
		n, err := strconv.ParseUint(string(length), 10, 31)
		if !ok || err != nil || uint64(len(rest)) <= n || rest[n] != ',' {
			return k, false
		}
		*part, b = string(rest[:n]), rest[n+1:]
	}
	return k, len(b) == 0 && k.id != "" && k.shipmentID != ""
}

// alias is a record of orders.aliases.v1.
type alias struct {
	key   aliasKey
	value *ledgerv1.Alias
}

// record returns the Kafka record.
func (a alias) record(partitions int) (*kgo.Record, error) {
	value, err := a.value.MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("alias %s: %w", a.key.id, err)
	}
	return &kgo.Record{
		Topic: events.TopicAliases, Partition: events.KeyPartition(a.key.id, partitions), Key: a.key.encode(), Value: value,
	}, nil
}

// aliasEvents lists the event types that aliasesOf makes aliases of.
func aliasEvents() pubsub.EventFilter {
	return pubsub.EventFilter{
		events.TypeReturnCreated: nil, events.TypeServiceActivated: nil, events.TypeTechVisitRequested: nil,
		events.TypeShipmentCreated: nil,
	}
}

// aliasesOf returns the aliases of the ids that an event introduces: those of a new shipment's items and services, of a
// new return, a new service or a new tech visit.
func aliasesOf(e *ledgerv1.Event) []alias {
	s := e.GetAfter()
	var out []alias
	add := func(kind aliasKind, id string) *ledgerv1.Alias {
		value := &ledgerv1.Alias{ShipmentId: s.GetShipmentId(), SellerId: s.GetSellerId()}
		out = append(out, alias{aliasKey{kind, id, s.GetSellerId(), s.GetShipmentId()}, value})
		return value
	}
	switch body := e.GetBody().(type) {
	case *ledgerv1.Event_ReturnCreated:
		var ids []string
		for _, line := range body.ReturnCreated.GetLines() {
			if id := line.GetReturnId(); !slices.Contains(ids, id) {
				ids = append(ids, id)
				returnAlias(add(aliasReturn, id), s, id)
			}
		}
	case *ledgerv1.Event_ServiceActivated:
		add(aliasService, body.ServiceActivated.GetServiceId())
	case *ledgerv1.Event_TechVisitRequested:
		add(aliasService, body.TechVisitRequested.GetServiceId())
	case *ledgerv1.Event_ShipmentCreated:
		for _, item := range s.GetItems() {
			add(aliasItem, item.GetOrderItemId())
		}
		// Services may be created together with their shipment, without events of their own.
		for _, service := range s.GetServices() {
			add(aliasService, service.GetServiceId())
		}
	}
	return out
}

// returnAlias completes the alias of a return from the state: a later line of the return replaces the alias, which must
// still have the earlier lines.
func returnAlias(a *ledgerv1.Alias, s *ledgerv1.Shipment, returnID string) {
	for _, line := range s.GetReturns() {
		if line.GetReturnId() != returnID {
			continue
		}
		a.OrderItemIds = append(a.OrderItemIds, line.GetOrderItemId())
		a.SiblingCount = max(a.GetSiblingCount(), line.GetSiblingCount())
		for _, id := range line.GetSiblingShipmentIds() {
			if !slices.Contains(a.GetSiblingShipmentIds(), id) {
				a.SiblingShipmentIds = append(a.SiblingShipmentIds, id)
			}
		}
	}
}
