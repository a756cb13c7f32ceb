package returns

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// pendingStore holds the aliases of the resolver's partitions, and the notifications that wait for one.
//
// It is on disk and not in memory because aliases are kept for ever, one for each return and order item there ever was,
// and because a marketplace that leaves out return_created for an hour must not fill the memory of this process. It is
// a cache: each start empties it and rebuilds it from the topics. So it never disagrees with them, and syncing it would
// gain nothing.
//
//	a <partition> <subject> <seller, shipment>   Alias          an alias
//	u <partition> <subject> <offset>             notification   a pending one, in order within its subject
//	w <partition> <offset>                       subject        the same, in order within its partition
type pendingStore struct{ db *pebble.DB }

// The first byte of each kind of key.
const (
	kindAlias     = 'a'
	kindBySubject = 'u'
	kindByOffset  = 'w'
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

// subjectKey is a subject in its partition.
type subjectKey struct {
	partition int32
	subject
}

// linkedShipment is a shipment of a return, or of an order item, that has an alias.
type linkedShipment struct {
	id, sellerID string
	items        []string // The lines of the return in it.
	siblings     []string // Shipments of the return, this one included; nil if there is no other.
	count        int      // The number of all shipments of the return; at least 1.
}

// pendingNotification is a notification that waits for aliases.
type pendingNotification struct {
	offset int64
	rec    journal.InboxRecord
	since  time.Time // When its waiting began.
	done   []string  // The shipments that have got their part.
}

// storedNotification is the form of a pendingNotification in the store.
type storedNotification struct {
	Record journal.InboxRecord
	Since  time.Time
	Done   []string `json:",omitempty"`
}

func (p *pendingNotification) decode(text []byte) error {
	var stored storedNotification
	if err := json.Unmarshal(text, &stored); err != nil {
		return fmt.Errorf("read pending notification: %w", err)
	}
	p.rec, p.since, p.done = stored.Record, stored.Since, stored.Done
	return nil
}

func partitionPrefix(kind byte, partition int32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, uint32(partition))
}

// subjectPrefix writes the id behind its length, so that no id is the beginning of another.
func subjectPrefix(kind byte, k subjectKey) []byte {
	key := append(partitionPrefix(kind, k.partition), byte(k.kind))
	key = binary.BigEndian.AppendUint32(key, uint32(len(k.id)))
	return append(key, k.id...)
}

func offsetKey(key []byte, offset int64) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(offset))
}

// link stores an alias.
func (s *pendingStore) link(partition int32, key aliasKey, value []byte) error {
	at := subjectPrefix(kindAlias, subjectKey{partition, subject{key.kind, key.id}})
	return s.db.Set(append(at, key.encode()...), value, pebble.NoSync)
}

// shipments returns the shipments of a subject that have aliases, in the order of their ids.
func (s *pendingStore) shipments(k subjectKey) (out []linkedShipment, err error) {
	from := subjectPrefix(kindAlias, k)
	err = s.scan(from, func(_, value []byte) (bool, error) {
		var a ledgerv1.Alias
		if err := a.UnmarshalVT(value); err != nil {
			return false, fmt.Errorf("read alias: %w", err)
		}
		out = append(out, linkedShipment{
			id: a.GetShipmentId(), sellerID: a.GetSellerId(), items: a.GetOrderItemIds(), siblings: a.GetSiblingShipmentIds(),
			count: max(1, int(a.GetSiblingCount())),
		})
		return true, nil
	})
	slices.SortFunc(out, func(a, b linkedShipment) int { return strings.Compare(a.id, b.id) })
	return out, err
}

// put stores a notification, or replaces it.
func (s *pendingStore) put(k subjectKey, p pendingNotification) error {
	text, err := json.Marshal(storedNotification{p.rec, p.since, p.done})
	if err != nil {
		return fmt.Errorf("store pending notification: %w", err)
	}
	b := s.db.NewBatch()
	defer b.Close() //nolint:errcheck // Committed, or abandoned after an error.
	if err := errors.Join(
		b.Set(offsetKey(subjectPrefix(kindBySubject, k), p.offset), text, nil),
		b.Set(offsetKey(partitionPrefix(kindByOffset, k.partition), p.offset), append([]byte{byte(k.kind)}, k.id...), nil),
	); err != nil {
		return fmt.Errorf("store pending notification: %w", err)
	}
	return b.Commit(pebble.NoSync)
}

// remove removes a notification.
func (s *pendingStore) remove(k subjectKey, offset int64) error {
	return errors.Join(
		s.db.Delete(offsetKey(subjectPrefix(kindBySubject, k), offset), pebble.NoSync),
		s.db.Delete(offsetKey(partitionPrefix(kindByOffset, k.partition), offset), pebble.NoSync),
	)
}

// eachPending calls fn for the notifications of a subject, in order, one by one: a sender may have sent more for one
// return than the memory holds. fn may change the store. The first error of fn ends it.
func (s *pendingStore) eachPending(k subjectKey, fn func(*pendingNotification) error) error {
	from := subjectPrefix(kindBySubject, k)
	return s.scan(from, func(key, value []byte) (bool, error) {
		one := pendingNotification{offset: int64(binary.BigEndian.Uint64(key[len(from):]))}
		if err := one.decode(value); err != nil {
			return false, err
		}
		return true, fn(&one)
	})
}

// subjects returns the subjects of a partition that have pending notifications, each once, oldest notification first.
func (s *pendingStore) subjects(partition int32) (out []subjectKey, err error) {
	seen := map[string]bool{}
	err = s.scan(partitionPrefix(kindByOffset, partition), func(_, value []byte) (bool, error) {
		if text := string(value); !seen[text] {
			seen[text] = true
			out = append(out, subjectKey{partition, subject{aliasKind(text[0]), text[1:]}})
		}
		return true, nil
	})
	return out, err
}

// oldest returns the oldest pending notification of a partition.
func (s *pendingStore) oldest(partition int32) (k subjectKey, one pendingNotification, ok bool, err error) {
	from := partitionPrefix(kindByOffset, partition)
	err = s.scan(from, func(key, value []byte) (bool, error) {
		k = subjectKey{partition, subject{aliasKind(value[0]), string(value[1:])}}
		one.offset = int64(binary.BigEndian.Uint64(key[len(from):]))
		ok = true
		return false, nil
	})
	if err != nil || !ok {
		return k, one, false, err
	}
	text, closer, err := s.db.Get(offsetKey(subjectPrefix(kindBySubject, k), one.offset))
	if err != nil {
		return k, one, false, fmt.Errorf("read oldest pending notification: %w", err)
	}
	err = one.decode(text)
	return k, one, true, errors.Join(err, closer.Close())
}

// drop removes a partition.
func (s *pendingStore) drop(partition int32) error {
	var errs []error
	for _, kind := range []byte{kindAlias, kindBySubject, kindByOffset} {
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
