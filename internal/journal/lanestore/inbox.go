package lanestore

import (
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// InboxRecord is a notification that was accepted and is not decided yet. It is part of this package because the
// decision about a waiting input holds the whole record that it came in.
type InboxRecord struct {
	// ShipmentID chooses the lane.
	ShipmentID string
	// Key is the natural key of the notification: a repeat with the same key is a duplicate. Empty means that it has none.
	Key string
	// Hash is the digest of the input; zero means that of the body.
	Hash events.Hash
	// SellerID is the tenant for whom it came.
	SellerID, CorrelationID, AuthType, AuthID, TraceParent string
	// Sellers are those that the sender's credential speaks for, if the notification names no seller and there are
	// several. The shipment must be of one of them. Nil means that SellerID decides.
	Sellers []string
	// Ambiguous says that its shipment could not be found because several could be meant: the lane quarantines it.
	Ambiguous bool
	// History marks the shipment as history, if this input creates it.
	History bool
	// ReceivedAt is when it was accepted; it is the timestamp of its Kafka record. For an input that waits it is when the
	// waiting was decided.
	ReceivedAt time.Time
	// Offset is its position in the lane's inbox partition, set by the journal.
	Offset int64
	// Body is the notification as it came.
	Body []byte
}

// InboxRecordOf returns the record that a waiting decision holds.
func InboxRecordOf(env *events.Envelope, d *ledgerv1.Decision) InboxRecord {
	r := InboxRecord{
		ShipmentID: env.ShipmentID, Key: d.GetInputKey(), SellerID: d.GetSellerId(), Sellers: d.GetSenderSellers(),
		CorrelationID: env.CorrelationID, AuthType: env.AuthType, AuthID: env.AuthID, TraceParent: env.TraceParent,
		ReceivedAt: env.DecidedAt, Offset: d.GetInboxOffset(), Body: d.GetBody(),
		History: d.GetHistory(),
	}
	copy(r.Hash[:], d.GetInputHash())
	return r
}
