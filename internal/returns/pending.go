package returns

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

// pendingStore holds the aliases of the resolver's partitions, and the notifications that wait for one.
//
// It is on disk and not in memory because aliases are kept for ever, one for each return there ever was, and because a
// marketplace that leaves out return_created for an hour must not fill the memory of this process. It is a cache: each
// start empties it and rebuilds it from the topics. So it never disagrees with them, and syncing it would gain nothing.
//
//	a <partition> <return> 0 <shipment>   seller            an alias
//	u <partition> <return> 0 <offset>     notification      a pending one, in order within its return
//	w <partition> <offset>                return            the same, in order within its partition
type pendingStore struct{ db *pebble.DB }

// The first byte of each kind of key.
const (
	kindAlias    = 'a'
	kindByReturn = 'u'
	kindByOffset = 'w'
)

func openPendingStore(dir string) (*pendingStore, error) {
	// Only this subfolder is emptied: the configured folder may hold other files.
	dir = filepath.Join(dir, "waiting")
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("empty pending store: %w", err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create pending store: %w", err)
	}
	db, err := pebble.Open(dir, &pebble.Options{DisableWAL: true, Logger: silent{}})
	if err != nil {
		return nil, fmt.Errorf("open pending store: %w", err)
	}
	return &pendingStore{db}, nil
}

func (s *pendingStore) close() error { return s.db.Close() }

// returnKey is a return in its partition.
type returnKey struct {
	partition int32
	id        string
}

// linkedShipment is a shipment of a return.
type linkedShipment struct{ id, sellerID string }

// pendingNotification is a notification that waits for an alias.
type pendingNotification struct {
	offset int64
	rec    journal.InboxRecord
}

func partitionPrefix(kind byte, partition int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, uint32(partition))
}

// returnPrefix writes the id behind its length, so that no id is the beginning of another.
func returnPrefix(kind byte, r returnKey) []byte {
	key := partitionPrefix(kind, r.partition)
	key = binary.BigEndian.AppendUint32(key, uint32(len(r.id)))
	return append(key, r.id...)
}

func offsetKey(key []byte, offset int64) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(offset))
}

// link stores an alias.
func (s *pendingStore) link(r returnKey, shipmentID, sellerID string) error {
	return s.db.Set(append(returnPrefix(kindAlias, r), shipmentID...), []byte(sellerID), pebble.NoSync)
}

// shipments returns the shipments of a return, in the order of their ids.
func (s *pendingStore) shipments(r returnKey) (out []linkedShipment, err error) {
	from := returnPrefix(kindAlias, r)
	err = s.scan(from, func(key, value []byte) (bool, error) {
		out = append(out, linkedShipment{id: string(key[len(from):]), sellerID: string(value)})
		return true, nil
	})
	return out, err
}

// put stores a notification.
func (s *pendingStore) put(r returnKey, offset int64, rec journal.InboxRecord) error {
	text, err := json.Marshal(rec)
	if err != nil {
		return fmt.Errorf("store pending notification: %w", err)
	}
	b := s.db.NewBatch()
	defer b.Close() //nolint:errcheck // Committed, or abandoned after an error.
	if err := errors.Join(
		b.Set(offsetKey(returnPrefix(kindByReturn, r), offset), text, nil),
		b.Set(offsetKey(partitionPrefix(kindByOffset, r.partition), offset), []byte(r.id), nil),
	); err != nil {
		return fmt.Errorf("store pending notification: %w", err)
	}
	return b.Commit(pebble.NoSync)
}

// remove removes a notification.
func (s *pendingStore) remove(r returnKey, offset int64) error {
	return errors.Join(
		s.db.Delete(offsetKey(returnPrefix(kindByReturn, r), offset), pebble.NoSync),
		s.db.Delete(offsetKey(partitionPrefix(kindByOffset, r.partition), offset), pebble.NoSync),
	)
}

// pending returns the notifications of a return, in order.
func (s *pendingStore) pending(r returnKey) (out []pendingNotification, err error) {
	from := returnPrefix(kindByReturn, r)
	err = s.scan(from, func(key, value []byte) (bool, error) {
		one := pendingNotification{offset: int64(binary.BigEndian.Uint64(key[len(from):]))}
		err := json.Unmarshal(value, &one.rec)
		out = append(out, one)
		return true, err
	})
	return out, err
}

// returns returns the returns of a partition that have pending notifications, each once, oldest notification first.
func (s *pendingStore) returns(partition int32) (out []returnKey, err error) {
	seen := map[string]bool{}
	err = s.scan(partitionPrefix(kindByOffset, partition), func(_, value []byte) (bool, error) {
		if id := string(value); !seen[id] {
			seen[id] = true
			out = append(out, returnKey{partition, id})
		}
		return true, nil
	})
	return out, err
}

// oldest returns the oldest pending notification of a partition.
func (s *pendingStore) oldest(partition int32) (r returnKey, one pendingNotification, ok bool, err error) {
	from := partitionPrefix(kindByOffset, partition)
	err = s.scan(from, func(key, value []byte) (bool, error) {
		r = returnKey{partition, string(value)}
		one.offset = int64(binary.BigEndian.Uint64(key[len(from):]))
		ok = true
		return false, nil
	})
	if err != nil || !ok {
		return r, one, false, err
	}
	text, closer, err := s.db.Get(offsetKey(returnPrefix(kindByReturn, r), one.offset))
	if err != nil {
		return r, one, false, fmt.Errorf("read oldest pending notification: %w", err)
	}
	err = json.Unmarshal(text, &one.rec)
	return r, one, true, errors.Join(err, closer.Close())
}

// drop removes a partition.
func (s *pendingStore) drop(partition int32) error {
	var errs []error
	for _, kind := range []byte{kindAlias, kindByReturn, kindByOffset} {
		from := partitionPrefix(kind, partition)
		errs = append(errs, s.db.DeleteRange(from, after(from), pebble.NoSync))
	}
	return errors.Join(errs...)
}

func (s *pendingStore) scan(from []byte, fn func(key, value []byte) (more bool, err error)) error {
	iter, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: after(from)})
	if err != nil {
		return fmt.Errorf("read pending store: %w", err)
	}
	for ok := iter.First(); ok; ok = iter.Next() {
		more, err := fn(iter.Key(), iter.Value())
		if err != nil || !more {
			return errors.Join(err, iter.Close())
		}
	}
	return errors.Join(iter.Error(), iter.Close())
}

// after returns the first key behind all keys with a prefix.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// silent drops Pebble's own log: its errors are returned to the caller as well.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}

// Fatalf is called when Pebble cannot continue. It panics, because a library must not end the process.
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf("pending store: "+format, args...))
}
