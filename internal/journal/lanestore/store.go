package lanestore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/orderledger/orderledger/internal/disk"
)

// ErrClosed says that a store was closed before or during a read.
var ErrClosed = errors.New("the lane store is closed")

// Store is the store of one lane. One goroutine writes: Begin, Batch, Meta and Rebuild are its own. Others may read
// states and answers meanwhile, until Close.
type Store struct {
	dir     string
	options Options

	mu sync.RWMutex // Guards db against closing during a read.
	db *pebble.DB   // Nil once closed.

	// For the writing goroutine only.
	meta     Meta   // Of the last batch written.
	firstDue []byte // The index of waiting inputs by age has no key below.
	swept    int64  // The horizon of the last sweep.

	reads atomic.Int64
}

// Dir returns the folder of a lane's store under a common root.
func Dir(root string, lane int32) string {
	return filepath.Join(root, "lane-"+strconv.Itoa(int(lane)))
}

// Open opens the store in a folder, and creates it if there is none. A store that can't be opened, or that belongs to
// another ledger than want names, is removed: the lane itself holds everything that was in it. A full disk is an error:
// the store is good, and reading the lane again would need the space too.
func Open(ctx context.Context, dir string, o Options, want Meta) (*Store, error) {
	s := &Store{dir: dir, options: o, firstDue: prefixDue}
	err := s.open()
	if err == nil && !s.meta.SameLedger(want) {
		err = errors.New("it belongs to another ledger or format")
	}
	if err == nil {
		return s, nil
	}
	if disk.Full(err) {
		_ = s.Close() // What it holds is good.
		return nil, fmt.Errorf("open lane store %s: %w", dir, err)
	}
	if !errors.Is(err, os.ErrNotExist) {
		o.Log.WarnContext(ctx, "lane store removed", slog.String("dir", s.dir), slog.Any("err", err))
	}
	if err := s.Remove(); err != nil {
		return nil, err
	}
	if err := s.create(want); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) open() error {
	opts := s.options.pebble(s.dir)
	opts.ErrorIfNotExists = true
	db, err := pebble.Open(s.dir, opts)
	if err != nil {
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return os.ErrNotExist
		}
		return err
	}
	s.db = db
	raw, ok, err := s.get(keyMeta)
	if err == nil && !ok {
		err = os.ErrNotExist
	}
	if err == nil {
		err = json.Unmarshal(raw, &s.meta)
	}
	return err
}

func (s *Store) create(m Meta) error {
	db, err := pebble.Open(s.dir, s.options.pebble(s.dir))
	if err != nil {
		return fmt.Errorf("create lane store %s: %w", s.dir, err)
	}
	s.mu.Lock()
	s.db, s.meta, s.firstDue = db, m, prefixDue
	s.mu.Unlock()
	return nil
}

// Meta returns the position of the store. It is read only, and moves with each Batch.Commit.
func (s *Store) Meta() *Meta { return &s.meta }

// Rebuild empties the store, which then has the position want.
func (s *Store) Rebuild(want Meta) error {
	if err := s.Remove(); err != nil {
		return err
	}
	return s.create(want)
}

// Remove closes the store and deletes its folder.
func (s *Store) Remove() error {
	_ = s.Close() // The folder goes in any case.
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("remove lane store: %w", err)
	}
	return nil
}

// Close waits for reads in hand and closes the store; later reads return ErrClosed. It may be called more than once.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db == nil {
		return nil
	}
	db := s.db
	s.db = nil
	if err := db.Close(); err != nil {
		return fmt.Errorf("close lane store %s: %w", s.dir, err)
	}
	return nil
}
