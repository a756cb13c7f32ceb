package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The keys of a lane store. Ids are preceded by their length: they may hold any byte.
var (
	keyMeta     = []byte("m") //nolint:gochecknoglobals // A constant, which Go can't hold as bytes.
	prefixQueue = []byte("q") //nolint:gochecknoglobals // Likewise. Inputs that wait, oldest first → their key under w.
)

func stateKey(shipmentID string) []byte { return appendID([]byte("s"), shipmentID) }

func answerKey(shipmentID, key string) []byte {
	return append(appendID(append(startKey(shipmentID, key), 'k'), shipmentID), key...)
}

// offsetKey holds the offset of the last event that answered an input. It is apart from the answer because the one is
// known from the events and the other from the decisions, and building reads them one after the other.
func offsetKey(shipmentID, key string) []byte {
	return append(appendID(append(startKey(shipmentID, key), 'o'), shipmentID), key...)
}

func startKey(shipmentID, key string) []byte {
	return append(make([]byte, 0, 16+len(shipmentID)+len(key)), oncePart(key)...)
}

func waitingPrefix(shipmentID string) []byte { return appendID([]byte("w"), shipmentID) }

func waitingKey(shipmentID string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(waitingPrefix(shipmentID), seq)
}

func queueKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefixQueue[0]}, seq)
}

func appendID(b []byte, id string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(id))), id...)
}

// prefixEnd returns the first key after all those with the prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// answer is what became of an input with a key.
type answer struct {
	outcome     ledgerv1.Outcome
	hash        events.Hash
	first, last uint64
	reason      shipment.Code
	message     string
	offset      int64
}

var errMalformed = errors.New("malformed value")

func (a *answer) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(a.outcome))
	b = append(b, a.hash[:]...)
	b = binary.AppendUvarint(b, a.first)
	b = binary.AppendUvarint(b, a.last)
	b = binary.AppendVarint(b, a.offset)
	b = appendID(b, string(a.reason))
	return append(b, a.message...)
}

func (a *answer) decode(b []byte) error {
	d := decoder{b: b}
	a.outcome = ledgerv1.Outcome(d.uvarint())
	copy(a.hash[:], d.take(len(a.hash)))
	a.first, a.last = d.uvarint(), d.uvarint()
	a.offset = d.varint()
	a.reason = shipment.Code(d.take(int(d.uvarint())))
	a.message = string(d.b)
	if d.bad {
		return errMalformed
	}
	return nil
}

func decodeOffset(b []byte) int64 {
	d := decoder{b: b}
	return d.varint()
}

// decoder reads values one after the other and remembers whether one was missing.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	return skip(d, v, n)
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	return skip(d, v, n)
}

func skip[T any](d *decoder, v T, n int) T {
	if n <= 0 {
		d.bad, d.b = true, nil
		return *new(T)
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// waitingInput is a fact whose shipment was not known when it was decided.
type waitingInput struct {
	// Seq is the decisionseq that recorded it as waiting: the order in which inputs are applied.
	Seq        uint64      `json:"seq"`
	Record     InboxRecord `json:"record"`
	RecordedAt time.Time   `json:"recorded_at"`
	// Quarantined says that it has waited too long. It still waits.
	Quarantined bool `json:"quarantined,omitempty"`
}

func (w *waitingInput) encode() []byte {
	b, _ := json.Marshal(w) // Plain fields only; it can't fail.
	return b
}

func decodeWaiting(b []byte) (*waitingInput, error) {
	w := new(waitingInput)
	if err := json.Unmarshal(b, w); err != nil {
		return nil, err
	}
	return w, nil
}
