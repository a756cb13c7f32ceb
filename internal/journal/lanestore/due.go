package lanestore

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// The waiting inputs that are not quarantined by age lie in an index in the order in which their waiting began. The
// store remembers below which key the index is empty: Pebble steps over every key that was deleted and not compacted
// yet, so a search from the beginning would read all that expired before.

// dueKey is the key of a waiting input in the index of their age.
func dueKey(since time.Time, seq uint64) []byte {
	key := binary.BigEndian.AppendUint64([]byte{prefixDue[0]}, uint64(max(0, since.UnixMilli())))
	return binary.BigEndian.AppendUint64(key, seq)
}

func (b *Batch) setDue(w *Waiting) error {
	key := dueKey(w.Since, w.Seq)
	if b.firstDue == nil || bytes.Compare(key, b.firstDue) < 0 {
		b.firstDue = key
	}
	return b.set(key, waitingKey(w.ShipmentID, w.Seq))
}

func (b *Batch) deleteDue(w *Waiting) error { return b.delete(dueKey(w.Since, w.Seq)) }

// OldestWaiting returns when the waiting began that has lasted longest, of those that are not quarantined by age; false
// if there is none.
func (s *Store) OldestWaiting() (since time.Time, found bool, err error) {
	err = s.scanRange(s.firstDue, prefixEnd(prefixDue), func(key, _ []byte) (bool, error) {
		since, found = time.UnixMilli(int64(binary.BigEndian.Uint64(key[1:]))).UTC(), true
		s.firstDue = bytes.Clone(key)
		return false, nil
	})
	if err == nil && !found {
		s.firstDue = prefixEnd(prefixDue)
	}
	return since, found, err
}

// WaitingSince returns the inputs whose waiting began at a time or before it and that are not quarantined by age, the
// oldest first, at most n.
func (s *Store) WaitingSince(at time.Time, n int) ([]Waiting, error) {
	return s.byAge(s.firstDue, dueKey(at.Add(time.Millisecond), 0), n)
}

// CapWaiting sets the beginning of every wait that begins after now to now. A clock that ran ahead recorded such times,
// and their inputs would wait until the clock is there again.
func (s *Store) CapWaiting(now time.Time) error {
	now = now.Truncate(time.Millisecond)
	list, err := s.byAge(dueKey(now.Add(time.Millisecond), 0), prefixEnd(prefixDue), math.MaxInt)
	if err != nil || len(list) == 0 {
		return err
	}
	b := s.Begin()
	for _, w := range list {
		if err := b.deleteDue(&w); err != nil {
			return err
		}
		w.Since = now
		if err := b.setDue(&w); err != nil {
			return err
		}
		if err := b.set(waitingKey(w.ShipmentID, w.Seq), w.encode(nil)); err != nil {
			return err
		}
	}
	return b.Commit()
}

// byAge returns the inputs at the keys of the index from one on and below another, at most n.
func (s *Store) byAge(from, below []byte, n int) ([]Waiting, error) {
	var keys [][]byte
	err := s.scanRange(from, below, func(_, key []byte) (bool, error) {
		keys = append(keys, bytes.Clone(key))
		return len(keys) < n, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]Waiting, 0, len(keys))
	for _, key := range keys {
		raw, ok, err := s.get(key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		d := decoder{b: key[len(prefixWaiting):]}
		w, err := decodeWaiting(string(d.take(int(d.uvarint()))), key, raw)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}
