package journal

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/orderledger/orderledger/events"
)

// storeFormat changes with the layout of the store; another format is built again.
const storeFormat = 1

// store is the lane store: what an owner must know of its lane, on local disk. It is a cache, never truth: every batch
// written to it carries the position in the lane for which it is true, and whoever opens it checks that against the
// lane.
//
// The lane's goroutine writes; reads may come from others.
type store struct {
	dir     string
	options func() *pebble.Options

	mu sync.RWMutex // Guards db against closing while somebody reads.
	db *pebble.DB   // Nil once closed.

	meta meta // Of the last batch written; the lane's goroutine only.
}

// topicPos is how far a store has read one topic.
type topicPos struct {
	// Next is the offset to read from.
	Next int64 `json:"next"`
	// Last is the offset of the last record, whose chain hash is Head; -1 when there was none.
	Last int64  `json:"last"`
	Seq  uint64 `json:"seq"`
	Head head   `json:"head"`
}

// head is a chain head, written in hexadecimal.
type head events.Hash

// MarshalText implements encoding.TextMarshaler.
func (h head) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *head) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return errMalformed
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// meta says for which ledger and which position a store is true.
type meta struct {
	Format    int      `json:"format"`
	ClusterID string   `json:"cluster_id"`
	Topics    []string `json:"topics"` // The topic ids of events, decisions and inbox.
	Events    topicPos `json:"events"`
	Decisions topicPos `json:"decisions"`
	// DecidedSeq and DecidedHead are the chain of events after the last batch that has decisions.
	DecidedSeq  uint64 `json:"decided_seq"`
	DecidedHead head   `json:"decided_head"`
	// Inbox is the offset below which everything is decided; Ahead are offsets from there on that are decided too.
	Inbox int64   `json:"inbox"`
	Ahead []int64 `json:"ahead,omitempty"`
	// RecordedMs is the last recorded time, in Unix milliseconds.
	RecordedMs int64 `json:"recorded_ms"`
	// Waiting counts the inputs that wait, and those among them that are quarantined by age.
	Waiting int64 `json:"waiting"`
	// OnceFrom is the first bucket of time whose answers to keys of NewKey are kept.
	OnceFrom uint32 `json:"once_from,omitempty"`
}

func newMeta(clusterID string, topics []string) meta {
	return meta{
		Format: storeFormat, ClusterID: clusterID, Topics: topics,
		Events: topicPos{Last: -1}, Decisions: topicPos{Last: -1},
	}
}

func laneDir(root string, lane int32) string {
	return filepath.Join(root, "lane-"+strconv.Itoa(int(lane)))
}

// openStore opens a lane's store. One that can't be opened, or that belongs to another ledger, is thrown away.
func openStore(ctx context.Context, j *Journal, id int32, want meta) (*store, error) {
	s := &store{dir: laneDir(j.cfg.StoreDir, id)}
	s.options = func() *pebble.Options { return storeOptions(j, j.laneLog(id)) } //nolint:contextcheck // Pebble logs without a context.
	err := s.open()
	if err == nil && !s.meta.sameLedger(want) {
		err = errors.New("it belongs to another ledger or format")
	}
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		j.laneLog(id).WarnContext(ctx, "lane store thrown away", slog.String("dir", s.dir), slog.Any("err", err))
	}
	if err := s.wipe(); err != nil {
		return nil, err
	}
	if err := s.create(want); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *store) open() error {
	opts := s.options()
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

func (s *store) create(m meta) error {
	db, err := pebble.Open(s.dir, s.options())
	if err != nil {
		return fmt.Errorf("create lane store %s: %w", s.dir, err)
	}
	s.mu.Lock()
	s.db, s.meta = db, m
	s.mu.Unlock()
	return nil
}

// rebuild empties the store.
func (s *store) rebuild(m meta) error {
	if err := s.wipe(); err != nil {
		return err
	}
	return s.create(newMeta(m.ClusterID, m.Topics))
}

func (s *store) wipe() error {
	_ = s.close() // Whatever it says: the folder goes.
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("throw away lane store: %w", err)
	}
	return nil
}

func (s *store) close() error {
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

// How Config.CacheBytes is divided: a quarter for states, a quarter for the memory in which Pebble collects writes,
// which it counts in its cache, and half for the blocks it has read. Without room for blocks each look for a key reads
// its filters from the disk again.
const (
	statesPart   = 4
	memTablePart = 4

	minMemTable = 256 << 10
	maxMemTable = 4 << 20
	memTables   = 2 // Of one store at a time, at most.
)

// A store takes this many flushes before it merges them. Keys come in no order, so each merge writes the lowest level
// again, which costs more than the filters of a few more files; Pebble's own 4 made merging a third of a busy
// instance's CPU.
const (
	l0Files    = 8
	l0FilesMax = 3 * l0Files // From here on writing waits.
)

// options returns how a lane's store is opened.
//
// A disk that fails ends the process: Pebble holds its locks where it panics, so it can't even be closed in this one.
// No answer is lost with it, and the next process builds again what it has to.
func storeOptions(j *Journal, log *slog.Logger) *pebble.Options {
	cfg := &j.cfg
	opts := &pebble.Options{
		Cache:                       j.cache,
		MemTableSize:                uint64(min(max(cfg.CacheBytes/memTablePart/memTables/int64(cfg.Lanes), minMemTable), maxMemTable)),
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                128,
		L0CompactionThreshold:       l0Files,
		L0StopWritesThreshold:       l0FilesMax,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      storeLogger{log},
		EventListener: &pebble.EventListener{
			// The default ends the process. The read that met the damage returns an error, and the store is built again.
			DataCorruption: func(info pebble.DataCorruptionInfo) { storeLogger{log}.Errorf("%s", info) },
		},
	}
	// Nearly every key of an input is new, and that must not cost a read of each level to be known.
	opts.Levels[0].FilterPolicy = bloom.FilterPolicy(filterBits)
	return opts
}

// filterBits are those of a key in the filters of a store's tables: one in a hundred new keys is looked for all the
// same.
const filterBits = 10

// storeLogger keeps Pebble's chatter at debug.
type storeLogger struct{ log *slog.Logger }

func (l storeLogger) Infof(string, ...any) {}

func (l storeLogger) Errorf(format string, args ...any) {
	l.log.LogAttrs(context.Background(), slog.LevelWarn, "lane store", slog.String("err", fmt.Sprintf(format, args...)))
}

// Fatalf is called where Pebble can't go on; its contract is not to return.
func (l storeLogger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic(fmt.Sprintf(format, args...))
}

func (m *meta) sameLedger(o meta) bool {
	if m.Format != o.Format || m.ClusterID != o.ClusterID || len(m.Topics) != len(o.Topics) {
		return false
	}
	for i := range m.Topics {
		if m.Topics[i] != o.Topics[i] {
			return false
		}
	}
	return true
}
