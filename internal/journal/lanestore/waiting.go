package lanestore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// InboxRecord is a notification that was accepted and is not decided yet. It is part of this package because a waiting
// input is stored with the whole record that it came in.
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
	// ReceivedAt is when it was accepted; it is the timestamp of its Kafka record. For an input that waits it is when the
	// waiting was recorded.
	ReceivedAt time.Time
	// Offset is its position in the lane's inbox partition, set by the journal.
	Offset int64
	// Body is the notification as it came.
	Body []byte
}

// WaitingInput is a fact whose shipment was not known when it was decided.
type WaitingInput struct {
	// Seq is the decisionseq that recorded it as waiting: the order in which inputs are applied.
	Seq        uint64      `json:"seq"`
	Record     InboxRecord `json:"record"`
	RecordedAt time.Time   `json:"recorded_at"`
	// Quarantined says that it has waited too long. It still waits.
	Quarantined bool `json:"quarantined,omitempty"`
}

func (w *WaitingInput) encode() []byte {
	b, _ := json.Marshal(w) // Plain fields only; it can't fail.
	return b
}

func decodeWaiting(b []byte) (*WaitingInput, error) {
	w := new(WaitingInput)
	if err := json.Unmarshal(b, w); err != nil {
		return nil, err
	}
	return w, nil
}

func waitingOf(env *events.Envelope, d *ledgerv1.Decision) *WaitingInput {
	w := &WaitingInput{
		Seq: env.LaneSeq, RecordedAt: env.RecordedAt,
		Record: InboxRecord{
			ShipmentID: env.ShipmentID, Key: d.GetInputKey(), SellerID: d.GetSellerId(),
			CorrelationID: env.CorrelationID, AuthType: env.AuthType, AuthID: env.AuthID, TraceParent: env.TraceParent,
			ReceivedAt: env.RecordedAt, Offset: d.GetInboxOffset(), Body: d.GetBody(),
		},
	}
	copy(w.Record.Hash[:], d.GetInputHash())
	return w
}

// waiting keeps the list of waiting inputs: recorded as waiting minus answered since.
func (b *Batch) waiting(env *events.Envelope, d *ledgerv1.Decision) error {
	switch {
	case d.GetOutcome() == ledgerv1.Outcome_OUTCOME_WAITING && !d.GetWaited():
		w := waitingOf(env, d)
		at := waitingKey(env.ShipmentID, w.Seq)
		b.m.Waiting++
		b.added = append(b.added, w)
		if err := b.set(queueKey(w.Seq), at); err != nil {
			return err
		}
		return b.set(at, w.encode())
	case !d.GetWaited():
		return nil
	}
	w, at, err := b.find(env.ShipmentID, d.GetInboxOffset())
	if err != nil || w == nil {
		return err
	}
	if err := b.delete(queueKey(w.Seq)); err != nil {
		return err
	}
	if shipment.Code(d.GetReason()) == shipment.ReasonWaitedTooLong {
		// Quarantine is a flag, not an end: the creation of its shipment still applies the input.
		w.Quarantined = true
		return b.set(at, w.encode())
	}
	b.m.Waiting--
	return b.delete(at)
}

// find returns the waiting input that came from an offset of the inbox, and its key.
func (b *Batch) find(shipmentID string, offset int64) (*WaitingInput, []byte, error) {
	for _, w := range b.added {
		if w.Record.Offset == offset && w.Record.ShipmentID == shipmentID {
			return w, waitingKey(shipmentID, w.Seq), nil
		}
	}
	var (
		found *WaitingInput
		at    []byte
	)
	err := b.s.scan(waitingPrefix(shipmentID), func(key, value []byte) (bool, error) {
		w, err := decodeWaiting(value)
		if err != nil {
			return false, fmt.Errorf("lane store: waiting input of %s: %w", shipmentID, err)
		}
		if w.Record.Offset == offset {
			found, at = w, append([]byte(nil), key...)
		}
		return found == nil, nil
	})
	return found, at, err
}

// WaitingFor returns the inputs that wait for a shipment, oldest first.
func (s *Store) WaitingFor(shipmentID string) ([]*WaitingInput, error) {
	var list []*WaitingInput
	err := s.scan(waitingPrefix(shipmentID), func(_, value []byte) (bool, error) {
		w, err := decodeWaiting(value)
		list = append(list, w)
		return true, err
	})
	return list, err
}

// OldestWaiting returns the inputs that have waited longest and are not quarantined by age, at most n.
func (s *Store) OldestWaiting(n int) ([]*WaitingInput, error) {
	var list []*WaitingInput
	err := s.scan(prefixQueue, func(_, at []byte) (bool, error) {
		raw, ok, err := s.get(at)
		if err != nil || !ok {
			return err == nil, err
		}
		w, err := decodeWaiting(raw)
		list = append(list, w)
		return len(list) < n, err
	})
	return list, err
}

// WaitingShipments calls fn for every shipment for which inputs wait. The first error of fn ends it.
func (s *Store) WaitingShipments(fn func(id string) error) error {
	last := ""
	return s.scan(prefixWaiting, func(_, value []byte) (bool, error) {
		w, err := decodeWaiting(value)
		if err != nil || w.Record.ShipmentID == last {
			return err == nil, err
		}
		last = w.Record.ShipmentID
		return true, fn(last)
	})
}
