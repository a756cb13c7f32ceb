package lanestore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Waiting is a fact that waits for its shipment, by reference: the decision that recorded it as waiting holds its
// content. The inbox can't be the place, because it is trimmed, and a copy here would be one more for every structure
// that lists facts.
type Waiting struct {
	ShipmentID string
	// Seq is the decisionseq that recorded it as waiting: the order in which inputs are applied.
	Seq uint64
	// Decision is the offset of that decision.
	Decision int64
	// Inbox is the offset in the lane's inbox from which it came.
	Inbox int64
	// Sender is for whom it was sent.
	Sender Sender
	// Bytes is its HeldBytes.
	Bytes int
	// Since is when its waiting began.
	Since time.Time
	// Quarantined says that it has waited too long. It still waits.
	Quarantined bool
}

// Sender identifies the sellers that an input was sent for: the one that it names, or all those that its sender speaks
// for. The same notification of another sender is another input, because until the creation nobody knows whose the
// shipment is.
type Sender [16]byte

// SenderOf returns the sender of an input that names a seller, or comes from somebody who speaks for several.
func SenderOf(sellerID string, sellers []string) (s Sender) {
	b := appendID(nil, sellerID)
	for _, id := range slices.Sorted(slices.Values(sellers)) {
		b = appendID(b, id)
	}
	sum := sha256.Sum256(b)
	copy(s[:], sum[:])
	return s
}

// HeldBytes returns the size of what a decision holds of an input that waits: its body, and the sellers that its sender
// speaks for, which may be larger.
func HeldBytes(body []byte, sellers []string) int {
	n := len(body)
	for _, id := range sellers {
		n += 2 + len(id) // Tag and length of the field.
	}
	return n
}

// Tally counts facts that wait, and their HeldBytes.
type Tally struct{ Count, Bytes int }

// Add counts one more fact.
func (t Tally) Add(bytes int) Tally { return Tally{Count: t.Count + 1, Bytes: t.Bytes + bytes} }

// waitID names a waiting fact by where it came from.
type waitID struct {
	shipmentID string
	inbox      int64
}

func (w *Waiting) encode(b []byte) []byte {
	b = binary.AppendVarint(b, w.Decision)
	b = binary.AppendVarint(b, w.Inbox)
	b = append(b, w.Sender[:]...)
	b = binary.AppendUvarint(b, uint64(w.Bytes))
	b = binary.AppendVarint(b, w.Since.UnixMilli())
	flags := uint64(0)
	if w.Quarantined {
		flags = 1
	}
	return binary.AppendUvarint(b, flags)
}

// decodeWaiting decodes the value at a key of a shipment.
func decodeWaiting(shipmentID string, key, value []byte) (Waiting, error) {
	d := decoder{b: value}
	w := Waiting{ShipmentID: shipmentID, Decision: d.varint(), Inbox: d.varint()}
	copy(w.Sender[:], d.take(len(w.Sender)))
	w.Bytes = int(d.uvarint())
	w.Since = time.UnixMilli(d.varint()).UTC()
	w.Quarantined = d.uvarint() == 1
	if d.bad || len(key) < 8 {
		return w, fmt.Errorf("lane store: waiting input of %s: %w", shipmentID, errMalformed)
	}
	w.Seq = binary.BigEndian.Uint64(key[len(key)-8:])
	return w, nil
}

// waiting keeps the list of waiting inputs: recorded as waiting minus answered since. It reads one key at most, however
// many inputs wait: a lane must not stop because thousands of facts of one shipment end their waiting.
func (b *Batch) waiting(env *events.Envelope, d *ledgerv1.Decision, offset int64) error {
	id := waitID{env.ShipmentID, d.GetInboxOffset()}
	switch {
	case d.GetOutcome() == ledgerv1.Outcome_OUTCOME_WAITING && !d.GetWaited():
		w := &Waiting{
			ShipmentID: env.ShipmentID, Seq: env.LaneSeq, Decision: offset, Inbox: d.GetInboxOffset(),
			Sender: SenderOf(d.GetSellerId(), d.GetSenderSellers()), Since: b.began(env, d),
			Bytes: HeldBytes(d.GetBody(), d.GetSenderSellers()),
		}
		if key := d.GetInputKey(); key != "" {
			a := AnswerOf(d, offset)
			if err := b.set(waitingAnswerKey(env.ShipmentID, w.Sender, key), a.encode(nil)); err != nil {
				return err
			}
		}
		return b.addWaiting(id, w)
	case !d.GetWaited():
		return nil
	}
	w, err := b.find(id)
	if err != nil || w == nil {
		return err
	}
	// The decision that ends it answers its key for good, or the input can be sent again.
	if err := b.delete(waitingAnswerKey(env.ShipmentID, w.Sender, d.GetInputKey())); err != nil {
		return err
	}
	if !w.Quarantined {
		if err := b.deleteDue(w); err != nil {
			return err
		}
	}
	if shipment.Code(d.GetReason()) == shipment.ReasonWaitedTooLong {
		// Quarantine is a flag, not an end: the creation of its shipment still applies the input.
		w.Quarantined = true
		b.touched[id] = w
		return b.set(waitingKey(w.ShipmentID, w.Seq), w.encode(nil))
	}
	b.touched[id] = nil
	b.m.Waiting--
	if err := b.count(w, -1); err != nil {
		return err
	}
	if err := b.delete(inboxKey(id)); err != nil {
		return err
	}
	return b.delete(waitingKey(w.ShipmentID, w.Seq))
}

// began returns when a wait began by the wall clock. The decision says so, unless its seller has its own time. Then the
// recorded time is the nearest to it, and no later than now, because it may be years ahead of the clock.
func (b *Batch) began(env *events.Envelope, d *ledgerv1.Decision) time.Time {
	own := b.s.options.OwnTime
	if env.DecidedAt.IsZero() || own != nil && own(d.GetSellerId()) {
		if now := b.s.options.Now(); env.RecordedAt.After(now) {
			return now.UTC().Truncate(time.Millisecond)
		}
		return env.RecordedAt
	}
	return env.DecidedAt
}

func (b *Batch) addWaiting(id waitID, w *Waiting) error {
	if b.touched == nil {
		b.touched, b.tallies = map[waitID]*Waiting{}, map[string]Tally{}
	}
	b.touched[id] = w
	b.m.Waiting++
	if err := b.count(w, 1); err != nil {
		return err
	}
	at := waitingKey(w.ShipmentID, w.Seq)
	if err := b.setDue(w); err != nil {
		return err
	}
	if err := b.set(inboxKey(id), at); err != nil {
		return err
	}
	return b.set(at, w.encode(nil))
}

// find returns the waiting input that came from an offset of the inbox, nil for none.
func (b *Batch) find(id waitID) (*Waiting, error) {
	if w, ok := b.touched[id]; ok {
		return w, nil
	}
	if b.touched == nil {
		b.touched, b.tallies = map[waitID]*Waiting{}, map[string]Tally{}
	}
	at, ok, err := b.s.get(inboxKey(id))
	if err != nil || !ok {
		return nil, err
	}
	value, ok, err := b.s.get(at)
	if err != nil || !ok {
		return nil, err
	}
	w, err := decodeWaiting(id.shipmentID, at, value)
	return &w, err
}

// count changes the tallies of the shipment of w, and of its sender there, by n facts of its size.
func (b *Batch) count(w *Waiting, n int) error {
	for _, key := range [][]byte{tallyKey(w.ShipmentID), senderTallyKey(w.ShipmentID, w.Sender)} {
		t, ok := b.tallies[string(key)]
		if !ok {
			var err error
			if t, err = b.s.tally(key); err != nil {
				return err
			}
		}
		t.Count += n
		t.Bytes += n * w.Bytes
		b.tallies[string(key)] = t
	}
	return nil
}

// writeTallies adds the tallies that changed to the batch.
func (b *Batch) writeTallies() error {
	for key, t := range b.tallies {
		var err error
		if t.Count <= 0 {
			err = b.delete([]byte(key))
		} else {
			value := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(t.Count)), uint64(t.Bytes))
			err = b.set([]byte(key), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// WaitingTally returns how many inputs wait for a shipment.
func (s *Store) WaitingTally(shipmentID string) (Tally, error) { return s.tally(tallyKey(shipmentID)) }

// SenderTally returns how many inputs of a sender wait for a shipment.
func (s *Store) SenderTally(shipmentID string, sender Sender) (Tally, error) {
	return s.tally(senderTallyKey(shipmentID, sender))
}

func (s *Store) tally(key []byte) (t Tally, err error) {
	raw, ok, err := s.get(key)
	if err != nil || !ok {
		return t, err
	}
	d := decoder{b: raw}
	t = Tally{Count: int(d.uvarint()), Bytes: int(d.uvarint())}
	if d.bad {
		return t, fmt.Errorf("lane store: waiting inputs at %q: %w", key, errMalformed)
	}
	return t, nil
}

// WaitingFor returns the inputs that wait for a shipment, oldest first.
func (s *Store) WaitingFor(shipmentID string) ([]Waiting, error) {
	var list []Waiting
	err := s.scan(waitingPrefix(shipmentID), func(key, value []byte) (bool, error) {
		w, err := decodeWaiting(shipmentID, key, value)
		list = append(list, w)
		return true, err
	})
	return list, err
}

// WaitingShipments calls fn for every shipment for which inputs wait. The first error of fn ends it.
func (s *Store) WaitingShipments(fn func(id string) error) error {
	return s.scan(prefixTally, func(key, _ []byte) (bool, error) {
		d := decoder{b: bytes.Clone(key[len(prefixTally):])}
		id := string(d.take(int(d.uvarint())))
		if d.bad {
			return false, fmt.Errorf("lane store: waiting inputs: %w", errMalformed)
		}
		return true, fn(id)
	})
}
