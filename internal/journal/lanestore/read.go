package lanestore

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// get returns a copy of a value.
func (s *Store) get(key []byte) ([]byte, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return nil, false, ErrClosed
	}
	s.reads.Add(1)
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read lane store: %w", err)
	}
	defer func() { _ = closer.Close() }()
	return append([]byte(nil), v...), true, nil
}

// State returns the latest state of a shipment, nil when it is not known.
func (s *Store) State(shipmentID string) (*ledgerv1.Shipment, error) {
	raw, ok, err := s.get(stateKey(shipmentID))
	if err != nil || !ok {
		return nil, err
	}
	return DecodeState(shipmentID, raw)
}

// HasState reports whether a shipment is known.
func (s *Store) HasState(shipmentID string) (bool, error) {
	_, ok, err := s.get(stateKey(shipmentID))
	return ok, err
}

// DecodeState decodes a state. It keeps no part of the bytes.
func DecodeState(shipmentID string, raw []byte) (*ledgerv1.Shipment, error) {
	state := new(ledgerv1.Shipment)
	if err := state.UnmarshalVT(raw); err != nil {
		return nil, fmt.Errorf("lane store: state of %s: %w", shipmentID, err)
	}
	return state, nil
}

// Answered returns the answer to an input of a shipment with this key, nil when there was none.
func (s *Store) Answered(shipmentID, key string) (*Answer, error) {
	raw, ok, err := s.get(answerKey(shipmentID, key))
	if err != nil || !ok {
		return nil, err
	}
	a := new(Answer)
	if err := a.decode(raw); err != nil {
		return nil, fmt.Errorf("lane store: answer to %s of %s: %w", key, shipmentID, err)
	}
	if raw, ok, err = s.get(offsetKey(shipmentID, key)); err != nil {
		return nil, err
	}
	if ok && a.Last > 0 {
		a.Offset = decodeOffset(raw)
	}
	return a, nil
}

// WaitingAnswer returns the answer to an input of a sender that waits for a shipment, nil if none with this key waits.
func (s *Store) WaitingAnswer(shipmentID string, sender Sender, key string) (*Answer, error) {
	raw, ok, err := s.get(waitingAnswerKey(shipmentID, sender, key))
	if err != nil || !ok {
		return nil, err
	}
	a := new(Answer)
	if err := a.decode(raw); err != nil {
		return nil, fmt.Errorf("lane store: answer to waiting input %s of %s: %w", key, shipmentID, err)
	}
	return a, nil
}

// Reads returns how many keys were read since the store was opened. Tests see by it that work grows no faster than its
// input.
func (s *Store) Reads() int64 { return s.reads.Load() }

// scan calls fn for each key and value under a prefix, in order, until fn returns false or an error.
func (s *Store) scan(prefix []byte, fn func(key, value []byte) (more bool, err error)) error {
	return s.scanRange(prefix, prefixEnd(prefix), fn)
}

// scanRange is scan for the keys from one on and below another.
func (s *Store) scanRange(from, below []byte, fn func(key, value []byte) (more bool, err error)) error {
	if bytes.Compare(from, below) >= 0 {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return ErrClosed
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: below})
	if err != nil {
		return fmt.Errorf("read lane store: %w", err)
	}
	more := true
	for ok := it.First(); ok && more && err == nil; ok = it.Next() {
		s.reads.Add(1)
		more, err = fn(it.Key(), it.Value())
	}
	return errors.Join(err, it.Close())
}

// Probe reads a store as it was at the first read. Its zero value is ready; Close ends it, and it can then start again.
//
// Many keys of inputs are new. An iterator, unlike a single read, can use the filters of the lowest level, where most
// of the store lies, so that no block is read for a new key.
type Probe struct{ it *pebble.Iterator }

// State returns the encoded state of a shipment, valid until the next read.
func (p *Probe) State(s *Store, shipmentID string) ([]byte, bool, error) {
	there, err := p.has(s, stateKey(shipmentID))
	if err != nil || !there {
		return nil, false, err
	}
	value, err := p.it.ValueAndErr()
	if err != nil {
		return nil, false, fmt.Errorf("read lane store: %w", err)
	}
	return value, true, nil
}

// Answered is Store.Answered, without a read of the disk if the key is new.
func (p *Probe) Answered(s *Store, shipmentID, key string) (*Answer, error) {
	there, err := p.has(s, answerKey(shipmentID, key))
	if err != nil || !there {
		return nil, err
	}
	return s.Answered(shipmentID, key)
}

func (p *Probe) has(s *Store, key []byte) (bool, error) {
	if p.it == nil {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if s.db == nil {
			return false, ErrClosed
		}
		it, err := s.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
		if err != nil {
			return false, fmt.Errorf("read lane store: %w", err)
		}
		p.it = it
	}
	there := p.it.SeekPrefixGE(key) && bytes.Equal(p.it.Key(), key)
	if err := p.it.Error(); err != nil {
		return false, fmt.Errorf("read lane store: %w", err)
	}
	return there, nil
}

// Close ends the reads; a store with an open probe can't be closed. It may be called without a read.
func (p *Probe) Close() error {
	if p.it == nil {
		return nil
	}
	err := p.it.Close()
	p.it = nil
	return err
}
