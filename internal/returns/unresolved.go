package returns

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
)

// headerSeller holds the seller of an unresolved notification.
const headerSeller = "orderledger-sellerid"

// headerSellers holds the sellers that the sender speaks for, with commas between them, if it named none.
const headerSellers = "orderledger-sellers"

// unresolvedRecord is a notification on its way to the resolver, in the partition of its return.
func unresolvedRecord(returnID string, partitions int, rec journal.InboxRecord) *kgo.Record {
	return &kgo.Record{
		Topic: events.TopicUnresolved, Partition: events.KeyPartition(returnID, partitions),
		Key: []byte(returnID), Value: rec.Body, Timestamp: rec.ReceivedAt,
		Headers: kafka.Headers(
			headerSeller, rec.SellerID,
			headerSellers, strings.Join(rec.Sellers, ","),
			events.HeaderCorrelationID, rec.CorrelationID,
			events.HeaderAuthType, rec.AuthType,
			events.HeaderAuthID, rec.AuthID,
			events.HeaderTraceParent, rec.TraceParent,
		),
	}
}

// readUnresolved reads what unresolvedRecord made.
func readUnresolved(in *kgo.Record) (returnID string, rec journal.InboxRecord) {
	text := func(key string) string { return string(kafka.Header(in, key)) }
	var sellers []string
	if list := text(headerSellers); list != "" {
		sellers = strings.Split(list, ",")
	}
	return string(in.Key), journal.InboxRecord{
		SellerID: text(headerSeller), Sellers: sellers, CorrelationID: text(events.HeaderCorrelationID),
		AuthType: text(events.HeaderAuthType), AuthID: text(events.HeaderAuthID),
		TraceParent: text(events.HeaderTraceParent), ReceivedAt: in.Timestamp, Body: in.Value,
	}
}
