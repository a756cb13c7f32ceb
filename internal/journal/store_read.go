package journal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

var errStoreClosed = errors.New("the lane store is closed")

// get returns a copy of a value.
func (s *store) get(key []byte) ([]byte, bool, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return nil, false, errStoreClosed
	}
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

// state returns the latest state of a shipment, nil when it is not known.
func (s *store) state(shipmentID string) (*ledgerv1.Shipment, error) {
	raw, ok, err := s.get(stateKey(shipmentID))
	if err != nil || !ok {
		return nil, err
	}
	return decodeState(shipmentID, raw)
}

// decodeState decodes a state, which holds nothing of the bytes.
func decodeState(shipmentID string, raw []byte) (*ledgerv1.Shipment, error) {
	state := new(ledgerv1.Shipment)
	if err := state.UnmarshalVT(raw); err != nil {
		return nil, fmt.Errorf("lane store: state of %s: %w", shipmentID, err)
	}
	return state, nil
}

// answered returns what an input with this key of this shipment was answered, nil when there was none.
func (s *store) answered(shipmentID, key string) (*answer, error) {
	raw, ok, err := s.get(answerKey(shipmentID, key))
	if err != nil || !ok {
		return nil, err
	}
	a := new(answer)
	if err := a.decode(raw); err != nil {
		return nil, fmt.Errorf("lane store: answer to %s of %s: %w", key, shipmentID, err)
	}
	if raw, ok, err = s.get(offsetKey(shipmentID, key)); err != nil {
		return nil, err
	}
	if ok && a.last > 0 {
		a.offset = decodeOffset(raw)
	}
	return a, nil
}

// probe looks for keys as the store was when the first was looked for. Many keys of inputs are new, and an iterator,
// unlike a single read, can use the filters of the lowest level, where most of the store lies: no block is read for a
// new key.
type probe struct{ it *pebble.Iterator }

func (p *probe) has(s *store, key []byte) (bool, error) {
	if p.it == nil {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if s.db == nil {
			return false, errStoreClosed
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

// get returns a value, good until the next look.
func (p *probe) get(s *store, key []byte) ([]byte, bool, error) {
	there, err := p.has(s, key)
	if err != nil || !there {
		return nil, false, err
	}
	value, err := p.it.ValueAndErr()
	if err != nil {
		return nil, false, fmt.Errorf("read lane store: %w", err)
	}
	return value, true, nil
}

// close lets the store be closed. It may be called without has.
func (p *probe) close() error {
	if p.it == nil {
		return nil
	}
	err := p.it.Close()
	p.it = nil
	return err
}

// scan calls fn for each key and value under a prefix, in order, until it says stop.
func (s *store) scan(prefix []byte, fn func(key, value []byte) (more bool, err error)) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.db == nil {
		return errStoreClosed
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)})
	if err != nil {
		return fmt.Errorf("read lane store: %w", err)
	}
	more := true
	for ok := it.First(); ok && more && err == nil; ok = it.Next() {
		more, err = fn(it.Key(), it.Value())
	}
	return errors.Join(err, it.Close())
}

// waitingFor returns what waits for a shipment, oldest first.
func (s *store) waitingFor(shipmentID string) ([]*waitingInput, error) {
	var list []*waitingInput
	err := s.scan(waitingPrefix(shipmentID), func(_, value []byte) (bool, error) {
		w, err := decodeWaiting(value)
		list = append(list, w)
		return true, err
	})
	return list, err
}

// oldestWaiting returns the inputs that have waited longest and are not quarantined by age, at most n.
func (s *store) oldestWaiting(n int) ([]*waitingInput, error) {
	var list []*waitingInput
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

// waitingShipments calls fn for every shipment for which something waits.
func (s *store) waitingShipments(fn func(id string) error) error {
	last := ""
	return s.scan([]byte("w"), func(_, value []byte) (bool, error) {
		w, err := decodeWaiting(value)
		if err != nil || w.Record.ShipmentID == last {
			return err == nil, err
		}
		last = w.Record.ShipmentID
		return true, fn(last)
	})
}
