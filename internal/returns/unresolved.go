package returns

import (
	"encoding/hex"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
)

// headerSeller holds the seller of an unresolved notification.
const headerSeller = "orderledger-sellerid"

// headerSellers holds the sellers that the sender speaks for, with commas between them, if it named none.
const headerSellers = "orderledger-sellers"

// headerHash holds the hash of the notification as it was received, if the resolver has rewritten it since.
const headerHash = "orderledger-hash"

// headerSubject says by what the shipment is found: "item" means by the order item in the key. Without it, by the
// return.
const (
	headerSubject = "orderledger-subject"
	subjectItem   = "item"
)

// subject is what a notification names instead of its shipment: a return, or an order item of a return_created.
type subject struct {
	kind aliasKind
	id   string
}

// subjectOf returns the subject of a notification: of a return_created, the order item of the first line that names no
// shipment; of others, the return, because only the ledger knows which shipments it has.
func subjectOf(n *marketplace.Notification) subject {
	if n.EventType == marketplace.EventReturnCreated {
		for _, line := range n.Lines() {
			if line.ShipmentID == "" {
				return subject{aliasItem, line.OrderItemID}
			}
		}
	}
	return subject{aliasReturn, n.ReturnID}
}

// unresolvedRecord is a notification on its way to the resolver, in the partition of its subject.
func unresolvedRecord(s subject, partitions int, rec journal.InboxRecord) *kgo.Record {
	kind, hash := "", ""
	if s.kind == aliasItem {
		kind = subjectItem
	}
	if rec.Hash != (events.Hash{}) {
		hash = hex.EncodeToString(rec.Hash[:])
	}
	return &kgo.Record{
		Topic: events.TopicUnresolved, Partition: events.KeyPartition(s.id, partitions),
		Key: []byte(s.id), Value: rec.Body, Timestamp: rec.ReceivedAt,
		Headers: kafka.Headers(
			headerSubject, kind,
			headerHash, hash,
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
func readUnresolved(in *kgo.Record) (s subject, rec journal.InboxRecord) {
	text := func(key string) string { return string(kafka.Header(in, key)) }
	var sellers []string
	if list := text(headerSellers); list != "" {
		sellers = strings.Split(list, ",")
	}
	s = subject{aliasReturn, string(in.Key)}
	if text(headerSubject) == subjectItem {
		s.kind = aliasItem
	}
	rec = journal.InboxRecord{
		SellerID: text(headerSeller), Sellers: sellers, CorrelationID: text(events.HeaderCorrelationID),
		AuthType: text(events.HeaderAuthType), AuthID: text(events.HeaderAuthID),
		TraceParent: text(events.HeaderTraceParent), ReceivedAt: in.Timestamp, Body: in.Value,
	}
	if hash, err := hex.DecodeString(text(headerHash)); err == nil && len(hash) == len(rec.Hash) {
		rec.Hash = events.Hash(hash)
	}
	return s, rec
}
