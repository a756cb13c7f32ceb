package lanestore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Batch is a change of the store together with the position that the store has after it. The records of both topics go
// through it, whether they were just committed or are read in a takeover: there is one way to build a lane. The caller
// extends or checks the chain of each topic, and passes the chain after each record.
type Batch struct {
	s    *Store
	b    *pebble.Batch
	m    Meta
	buf  []byte // Reused for keys and values; Pebble copies them.
	size int
	// touched are the waiting inputs that this batch changes, nil for those that it ends, and tallies the tallies after
	// it, by their keys: reads of the database find neither yet. Both are nil until the batch changes one.
	touched  map[waitID]*Waiting
	tallies  map[string]Tally
	firstDue []byte // The first key that the batch adds to the index of waiting inputs by age.

	horizon int64 // The Unix second before which ephemeral keys are old.
	replay  bool  // The records are read from the lane.
	swept   bool
	err     error // Of the sweep; Commit returns it.
}

// Begin returns an empty change that starts at the store's position. Only one may be open at a time.
func (s *Store) Begin() *Batch {
	m := s.meta
	m.Ahead = slices.Clone(m.Ahead)
	b := &Batch{s: s, b: s.db.NewBatch(), m: m, horizon: min(s.options.Now().Add(-ephemeralKept).Unix(), lastSecond)}
	b.err = b.sweep()
	return b
}

// BeginReplay is Begin for records that are read from the lane. It leaves old answers to ephemeral keys out.
func (s *Store) BeginReplay() *Batch {
	b := s.Begin()
	b.replay = true
	return b
}

// Event puts a record of the events: the shipment's encoded state after it, and where its input's events are.
func (b *Batch) Event(env *events.Envelope, after []byte, offset int64, chain events.Chain) error {
	if err := b.set(stateKey(env.ShipmentID), after); err != nil {
		return err
	}
	if key := env.InputKey; env.DecisionEvent == 1 && key != "" {
		b.buf = binary.AppendVarint(b.buf[:0], LastEvent(env, offset))
		var err error
		if !strings.HasPrefix(key, GeneratedKey) && !b.dropped(key) {
			err = b.set(offsetKey(env.ShipmentID, key), b.buf)
		}
		if Keyless(key) {
			err = errors.Join(err, b.set(offsetKey(env.ShipmentID, LastCall), b.buf))
		}
		if err != nil {
			return err
		}
	}
	b.m.Events.move(offset, chain)
	b.m.RecordedMs = max(b.m.RecordedMs, env.RecordedAt.UnixMilli())
	return nil
}

// LastEvent returns the offset of the last event of a decision whose first event has this envelope and offset. The
// events of a decision are one after the other in one transaction, so no other record and no marker lies between them.
func LastEvent(first *events.Envelope, offset int64) int64 {
	return offset + int64(first.DecisionEvents) - 1
}

// Decision puts a record of the decisions: the answer to its key, the inbox position, and what waits.
func (b *Batch) Decision(env *events.Envelope, d *ledgerv1.Decision, offset int64, chain events.Chain) error {
	b.Skip(env, offset, chain)
	if d.GetEventsLaneseq() >= b.m.DecidedSeq {
		b.m.DecidedSeq = d.GetEventsLaneseq()
		b.m.DecidedHead = Head{}
		copy(b.m.DecidedHead[:], d.GetEventsHead())
	}
	if d.InboxOffset != nil {
		b.m.decided(d.GetInboxOffset(), shipment.Code(d.GetReason()) == ReasonRestored)
	}
	if err := b.waiting(env, d, offset); err != nil {
		return err
	}
	return b.answer(env, d, offset)
}

// Skip moves over a record of the decisions that changes nothing else: a voided decision, or one that voids others.
func (b *Batch) Skip(env *events.Envelope, offset int64, chain events.Chain) {
	b.m.Decisions.move(offset, chain)
	b.m.RecordedMs = max(b.m.RecordedMs, env.RecordedAt.UnixMilli())
}

// Size returns about how many bytes the batch holds.
func (b *Batch) Size() int { return b.size }

func (b *Batch) answer(env *events.Envelope, d *ledgerv1.Decision, offset int64) error {
	key, reason := d.GetInputKey(), shipment.Code(d.GetReason())
	if Keyless(key) && d.GetOutcome() == ledgerv1.Outcome_OUTCOME_ACCEPTED && d.GetLastVersion() > 0 {
		a := AnswerOf(d, offset)
		b.buf = a.encode(b.buf[:0])
		if err := b.set(answerKey(env.ShipmentID, LastCall), b.buf); err != nil {
			return err
		}
	}
	if key == "" || strings.HasPrefix(key, GeneratedKey) || b.dropped(key) || !IsAnswer(d.GetOutcome(), reason) ||
		reason == ReasonRepeated || reason == shipment.CodeIdempotencyKeyReused {
		return nil // The key keeps the answer it has.
	}
	a := AnswerOf(d, offset)
	b.buf = a.encode(b.buf[:0])
	return b.set(answerKey(env.ShipmentID, key), b.buf)
}

func (b *Batch) set(key, value []byte) error {
	b.size += len(key) + len(value)
	return b.b.Set(key, value, nil)
}

func (b *Batch) delete(key []byte) error {
	b.size += len(key)
	return b.b.Delete(key, nil)
}

// Commit writes the batch and its position, both or nothing. It does not flush them to disk: that would cost each batch
// of a lane an fsync, and a store that loses its last writes merely has an earlier position.
func (b *Batch) Commit() error {
	if b.err != nil {
		return b.err
	}
	if err := b.writeTallies(); err != nil {
		return err
	}
	raw, err := json.Marshal(&b.m)
	if err != nil {
		return err
	}
	if err := b.b.Set(keyMeta, raw, nil); err != nil {
		return err
	}
	if err := b.b.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write lane store: %w", err)
	}
	b.s.meta = b.m
	if b.firstDue != nil && bytes.Compare(b.firstDue, b.s.firstDue) < 0 {
		b.s.firstDue = b.firstDue
	}
	if b.swept {
		b.s.swept = b.horizon
	}
	return b.b.Close()
}
