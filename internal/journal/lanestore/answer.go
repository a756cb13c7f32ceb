package lanestore

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// GeneratedKey is the prefix of the keys that the journal generates for commands without one. They are in the ledger,
// so that an outcome in doubt can be looked up, but their answers are not kept: no caller can repeat them.
const GeneratedKey = "auto/"

// LastCall is a key that no command has. Its answer is that to the latest accepted command of a shipment whose caller
// gave no key; see Keyless.
const LastCall = GeneratedKey

// Keyless reports whether the key of a command was made for it, because its caller gave none.
func Keyless(key string) bool {
	return strings.HasPrefix(key, GeneratedKey) || strings.HasPrefix(key, EphemeralKey)
}

// Reasons of decisions that the owner of a lane takes without the rules of shipments. They are permanent.
const (
	// ReasonRepeated is the reason of a decision about an input whose key had been answered before.
	ReasonRepeated shipment.Code = "repeated_key"
	// ReasonRestored is the reason of a decision written anew from the events that the input gave, after an embedded
	// broker lost the first one. Its value is an older word, which existing ledgers contain.
	ReasonRestored shipment.Code = "restored"
)

// Answer is the outcome of an input with a key.
type Answer struct {
	Outcome     ledgerv1.Outcome
	Hash        events.Hash
	First, Last uint64 // Versions of the events it gave; 0 for none.
	Reason      shipment.Code
	Message     string
	Offset      int64 // Of the last event, or of the decision if there was none.
	DecidedMs   int64 // When it was decided, by the clock of the lane's owner, in Unix milliseconds.
}

// IsAnswer reports whether a decision answers its key for good. An invalid input, or one that waited too long, may be
// sent again and is then decided anew; so is one that a later version of the program can decide. A waiting input is
// answered to its sender only: its sender may not speak for the shipment's seller.
func IsAnswer(outcome ledgerv1.Outcome, reason shipment.Code) bool {
	return outcome != ledgerv1.Outcome_OUTCOME_QUARANTINED && outcome != ledgerv1.Outcome_OUTCOME_WAITING &&
		reason != shipment.ReasonFailed && reason != shipment.ReasonTooLarge
}

// AnswerOf returns the answer that a decision gives, at an offset of the decisions.
func AnswerOf(d *ledgerv1.Decision, offset int64) Answer {
	a := Answer{
		Outcome: d.GetOutcome(), First: d.GetFirstVersion(), Last: d.GetLastVersion(),
		Reason: shipment.Code(d.GetReason()), Message: d.GetMessage(), Offset: offset,
	}
	copy(a.Hash[:], d.GetInputHash())
	at := d.GetDecidedAt()
	if at == nil {
		at = d.GetRecordedAt()
	}
	a.DecidedMs = at.AsTime().UnixMilli()
	return a
}

var errMalformed = errors.New("malformed value")

func (a *Answer) encode(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(a.Outcome))
	b = append(b, a.Hash[:]...)
	b = binary.AppendUvarint(b, a.First)
	b = binary.AppendUvarint(b, a.Last)
	b = binary.AppendVarint(b, a.Offset)
	b = binary.AppendVarint(b, a.DecidedMs)
	b = appendID(b, string(a.Reason))
	return append(b, a.Message...)
}

func (a *Answer) decode(b []byte) error {
	d := decoder{b: b}
	a.Outcome = ledgerv1.Outcome(d.uvarint())
	copy(a.Hash[:], d.take(len(a.Hash)))
	a.First, a.Last = d.uvarint(), d.uvarint()
	a.Offset = d.varint()
	a.DecidedMs = d.varint()
	a.Reason = shipment.Code(d.take(int(d.uvarint())))
	a.Message = string(d.b)
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
