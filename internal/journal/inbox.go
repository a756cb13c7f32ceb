package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/kafka"
)

// headerSeller carries the tenant of a notification. Events need no such header: their state has it.
const headerSeller = "orderledger-sellerid"

// headerSellers carries InboxRecord.Sellers, with commas between them.
const headerSellers = "orderledger-sellers"

// headerHistory is "true" where InboxRecord.History is. It is not part of the key or the hash of the input: the same
// notification without it is a repeat.
const headerHistory = "orderledger-history"

// headerAmbiguous is "true" where InboxRecord.Ambiguous is.
const headerAmbiguous = "orderledger-ambiguous"

// maxText bounds keys and ids in headers. A longer one is replaced by its digest, so that no text from outside can make
// a decision too large to be written.
const maxText = 4 << 10

// maxSellers bounds the list of a sender's sellers in the same way. A configuration with a longer one is refused.
const maxSellers = 64 << 10

// InboxRecord is a notification that was accepted and is not decided yet.
type InboxRecord = lanestore.InboxRecord

// Position is where a record of the inbox is.
type Position struct {
	Lane   int32
	Offset int64
}

// Inbox appends notifications to the inbox. It may be used by many goroutines.
type Inbox struct {
	client *kgo.Client
	lanes  int
	now    func() time.Time
}

// NewInbox returns an inbox that writes with a client of its own. Options are the broker options.
func NewInbox(lanes int, options ...kgo.Opt) (*Inbox, error) {
	if lanes < 1 {
		return nil, fmt.Errorf("inbox of %d lanes: want 1 or more", lanes)
	}
	client, err := kgo.NewClient(append(slices.Clone(options), kafka.ManualPartitions(), kafka.BoundedProducer())...)
	if err != nil {
		return nil, fmt.Errorf("inbox client: %w", err)
	}
	return &Inbox{client: client, lanes: lanes, now: time.Now}, nil
}

// Append writes a record to its lane's partition and returns when it is durable. A retry after an error may store it
// twice: the lane recognizes the second copy by its key. When ctx ends first, the record may be stored or not.
func (i *Inbox) Append(ctx context.Context, r InboxRecord) (lane int32, offset int64, err error) {
	lane = events.Lane(r.ShipmentID, i.lanes)
	if r.ReceivedAt.IsZero() {
		r.ReceivedAt = i.now()
	}
	rec := inboxRecord(&r, lane)
	if err := kafka.Produce(ctx, i.client, rec); err != nil {
		return lane, 0, fmt.Errorf("append to inbox lane %d: %w", lane, err)
	}
	return lane, rec.Offset, nil
}

// AppendAll is Append for several records, which it writes side by side. Records of one lane keep their order. After an
// error any of them may be stored.
func (i *Inbox) AppendAll(ctx context.Context, records []InboxRecord) ([]Position, error) {
	out := make([]*kgo.Record, len(records))
	for n := range records {
		r := &records[n]
		if r.ReceivedAt.IsZero() {
			r.ReceivedAt = i.now()
		}
		out[n] = inboxRecord(r, events.Lane(r.ShipmentID, i.lanes))
	}
	if err := kafka.Produce(ctx, i.client, out...); err != nil {
		return nil, fmt.Errorf("append %d records to the inbox: %w", len(out), err)
	}
	at := make([]Position, len(out))
	for n, rec := range out {
		at[n] = Position{rec.Partition, rec.Offset}
	}
	return at, nil
}

// Close ends all writes; a record that Append has not confirmed may be stored or not. It may be called more than once.
func (i *Inbox) Close() { i.client.Close() }

// inboxRecord returns the Kafka record of a notification.
func inboxRecord(r *InboxRecord, lane int32) *kgo.Record {
	if r.Hash == (events.Hash{}) {
		r.Hash = sha256.Sum256(r.Body)
	}
	return &kgo.Record{
		Topic: events.TopicInbox, Partition: lane, Key: []byte(r.ShipmentID), Value: r.Body,
		Headers: kafka.Headers(
			events.HeaderInputKey, r.Key,
			events.HeaderInputHash, hex.EncodeToString(r.Hash[:]),
			headerSeller, r.SellerID,
			headerSellers, strings.Join(r.Sellers, ","),
			headerAmbiguous, trueOrNone(r.Ambiguous),
			headerHistory, trueOrNone(r.History),
			events.HeaderCorrelationID, r.CorrelationID,
			events.HeaderAuthType, r.AuthType,
			events.HeaderAuthID, r.AuthID,
			events.HeaderTraceParent, r.TraceParent,
		),
		Timestamp: r.ReceivedAt.Truncate(time.Millisecond),
	}
}

// trueOrNone returns the value of a header that is left out where it is not true.
func trueOrNone(b bool) string {
	if b {
		return events.True
	}
	return ""
}

// errForeign says that a record is in the wrong lane for its shipment: a program wrote to the inbox without Inbox.
var errForeign = errors.New("the shipment id does not belong to this lane")

// readInbox reads a record of the inbox, which other programs may have written. An error says why the record can only
// be quarantined; the record is returned too, with everything that could be read.
func readInbox(rec *kgo.Record, lanes int) (InboxRecord, error) {
	r := InboxRecord{ShipmentID: string(rec.Key), ReceivedAt: rec.Timestamp.UTC(), Offset: rec.Offset, Body: rec.Value}
	for i := range rec.Headers {
		v := rec.Headers[i].Value
		switch rec.Headers[i].Key {
		case events.HeaderInputKey:
			r.Key = bounded(string(v))
		case events.HeaderInputHash:
			if len(v) == hex.EncodedLen(len(r.Hash)) {
				if _, err := hex.Decode(r.Hash[:], v); err != nil {
					r.Hash = events.Hash{}
				}
			}
		case headerSeller:
			r.SellerID = bounded(string(v))
		case headerSellers:
			if len(v) > 0 {
				// The digest of a longer list is the id of no seller.
				r.Sellers = strings.Split(boundedTo(maxSellers, string(v)), ",")
			}
		case headerAmbiguous:
			r.Ambiguous = string(v) == events.True
		case headerHistory:
			r.History = string(v) == events.True
		case events.HeaderCorrelationID:
			r.CorrelationID = bounded(string(v))
		case events.HeaderAuthType:
			r.AuthType = bounded(string(v))
		case events.HeaderAuthID:
			r.AuthID = bounded(string(v))
		case events.HeaderTraceParent:
			r.TraceParent = bounded(string(v))
		}
	}
	if r.Hash == (events.Hash{}) {
		r.Hash = sha256.Sum256(rec.Value)
	}
	if r.ShipmentID == "" || len(r.ShipmentID) > maxText || events.Lane(r.ShipmentID, lanes) != rec.Partition {
		// Its decision can't have the key: whoever reads the lane refuses a record whose key belongs to another.
		err := fmt.Errorf("%w: %q", errForeign, bounded(r.ShipmentID))
		r.ShipmentID = ""
		return r, err
	}
	return r, nil
}

// bounded returns s, or its digest if it is too long.
func bounded(s string) string { return boundedTo(maxText, s) }

func boundedTo(size int, s string) string {
	if len(s) <= size {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:]) + ":" + strconv.Itoa(len(s))
}
