package ingest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderledger/orderledger/internal/journal"
)

// waitingRoom is the resolver's store: the aliases of the partitions it has, and the notifications that wait for one.
//
// It is on disk and not in memory because aliases are kept for ever, one for each return there ever was, and because a
// marketplace that leaves out return_created for an hour must not fill the memory of this process. It is a cache:
// emptied at each start and built again from the topics, so it is never out of step with them, and syncing it would be
// in vain.
//
//	a <partition> <return> 0 <shipment>   seller            an alias
//	u <partition> <return> 0 <offset>     notification      one that waits, in order within its return
//	w <partition> <offset>                return            the same, in order within its partition
type waitingRoom struct{ db *pebble.DB }

func openWaitingRoom(dir string) (*waitingRoom, error) {
	// A folder of its own below the one that was named: only that is emptied.
	dir = filepath.Join(dir, "waiting")
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("empty resolver store: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("resolver store: %w", err)
	}
	db, err := pebble.Open(dir, &pebble.Options{DisableWAL: true, Logger: silent{}})
	if err != nil {
		return nil, fmt.Errorf("open resolver store: %w", err)
	}
	return &waitingRoom{db}, nil
}

func (s *waitingRoom) close() error { return s.db.Close() }

// knownShipment is a shipment of a return.
type knownShipment struct{ id, sellerID string }

// waitingOne is a notification that waits.
type waitingOne struct {
	offset int64
	rec    journal.InboxRecord
}

func prefix(kind byte, partition int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, uint32(partition))
}

// prefixOf ends the id with its length in front, so that no id is the beginning of another.
func prefixOf(kind byte, r knownReturn) []byte {
	key := prefix(kind, r.partition)
	key = binary.BigEndian.AppendUint32(key, uint32(len(r.id)))
	return append(key, r.id...)
}

func offsetKey(key []byte, offset int64) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(offset))
}

func (s *waitingRoom) know(r knownReturn, shipmentID, sellerID string) error {
	return s.db.Set(append(prefixOf('a', r), shipmentID...), []byte(sellerID), pebble.NoSync)
}

// shipments returns the shipments of a return, in the order of their ids.
func (s *waitingRoom) shipments(r knownReturn) (out []knownShipment, err error) {
	from := prefixOf('a', r)
	err = s.scan(from, func(key, value []byte) (bool, error) {
		out = append(out, knownShipment{id: string(key[len(from):]), sellerID: string(value)})
		return true, nil
	})
	return out, err
}

func (s *waitingRoom) keep(r knownReturn, offset int64, rec journal.InboxRecord) error {
	text, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("keep notification of return: %w", err)
	}
	b := s.db.NewBatch()
	defer b.Close() //nolint:errcheck // Committed or given up.
	if err := errors.Join(
		b.Set(offsetKey(prefixOf('u', r), offset), text, nil),
		b.Set(offsetKey(prefix('w', r.partition), offset), []byte(r.id), nil),
	); err != nil {
		return fmt.Errorf("keep notification of return: %w", err)
	}
	return b.Commit(pebble.NoSync)
}

func (s *waitingRoom) forget(r knownReturn, offset int64) error {
	return errors.Join(
		s.db.Delete(offsetKey(prefixOf('u', r), offset), pebble.NoSync),
		s.db.Delete(offsetKey(prefix('w', r.partition), offset), pebble.NoSync),
	)
}

// waiting returns what waits for a return, in order.
func (s *waitingRoom) waiting(r knownReturn) (out []waitingOne, err error) {
	from := prefixOf('u', r)
	err = s.scan(from, func(key, value []byte) (bool, error) {
		one := waitingOne{offset: int64(binary.BigEndian.Uint64(key[len(from):]))}
		err := json.Unmarshal(value, &one.rec)
		out = append(out, one)
		return true, err
	})
	return out, err
}

// returns returns the returns of a partition that something waits for, each once, in the order in which it began.
func (s *waitingRoom) returns(partition int32) (out []knownReturn, err error) {
	seen := map[string]bool{}
	err = s.scan(prefix('w', partition), func(_, value []byte) (bool, error) {
		if id := string(value); !seen[id] {
			seen[id] = true
			out = append(out, knownReturn{partition, id})
		}
		return true, nil
	})
	return out, err
}

// oldest returns what has waited longest in a partition.
func (s *waitingRoom) oldest(partition int32) (r knownReturn, one waitingOne, ok bool, err error) {
	from := prefix('w', partition)
	err = s.scan(from, func(key, value []byte) (bool, error) {
		r = knownReturn{partition, string(value)}
		one.offset = int64(binary.BigEndian.Uint64(key[len(from):]))
		ok = true
		return false, nil
	})
	if err != nil || !ok {
		return r, one, false, err
	}
	text, closer, err := s.db.Get(offsetKey(prefixOf('u', r), one.offset))
	if err != nil {
		return r, one, false, fmt.Errorf("oldest waiting notification: %w", err)
	}
	err = json.Unmarshal(text, &one.rec)
	return r, one, true, errors.Join(err, closer.Close())
}

// drop forgets a partition.
func (s *waitingRoom) drop(partition int32) error {
	var errs []error
	for _, kind := range []byte{'a', 'u', 'w'} {
		from := prefix(kind, partition)
		errs = append(errs, s.db.DeleteRange(from, after(from), pebble.NoSync))
	}
	return errors.Join(errs...)
}

func (s *waitingRoom) scan(from []byte, fn func(key, value []byte) (more bool, err error)) error {
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: after(from)})
	if err != nil {
		return fmt.Errorf("read resolver store: %w", err)
	}
	for ok := iter.First(); ok; ok = iter.Next() {
		more, err := fn(iter.Key(), iter.Value())
		if err != nil || !more {
			return errors.Join(err, iter.Close())
		}
	}
	return errors.Join(iter.Error(), iter.Close())
}

// after is the first key behind all that begin with this one.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// silent drops the store's own log: its errors come back to the caller.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

// Fatalf is called where the store can not go on; the process must not end inside a library.
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("resolver store: "+format, args...))
}
