package lanestore

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options say how a store is opened.
type Options struct {
	// Memory is shared by all stores of the process; required.
	Memory *Memory
	// Log gets a line when a store is removed or Pebble meets an error; required.
	Log *slog.Logger
	// Now is the clock by which answers to ephemeral keys grow old; required.
	Now func() time.Time
	// OwnTime reports whether the inputs of a seller are decided by another clock than Now. Nil means that none are.
	OwnTime func(sellerID string) bool

	fs vfs.FS // The disk, in tests of faults; nil is the real one.
}

// Memory is the memory that all lane stores of a process share.
type Memory struct {
	bytes  int64
	lanes  int
	blocks *pebble.Cache
}

// How Memory is divided: a quarter for states, a quarter for the memory in which Pebble collects writes, which it
// counts in its cache, and half for the blocks it has read. Without room for blocks each lookup of a key would read its
// filters from the disk again.
const (
	statesPart   = 4
	memTablePart = 4

	minMemTable = 256 << 10
	maxMemTable = 4 << 20
	memTables   = 2 // Of one store at a time, at most.
)

// NewMemory returns the memory for the stores of that many lanes, with a total size in bytes. Close frees it.
func NewMemory(bytes int64, lanes int) *Memory {
	return &Memory{bytes: bytes, lanes: lanes, blocks: pebble.NewCache(bytes - bytes/statesPart)}
}

// NewStateCache returns the cache of one lane's states, with the lane's share of the memory.
func (m *Memory) NewStateCache() *StateCache {
	return newStateCache(int(m.bytes) / statesPart / m.lanes)
}

// Close gives the memory back once the last store is closed. It may be called once.
func (m *Memory) Close() { m.blocks.Unref() }

func (m *Memory) memTable() uint64 {
	return uint64(min(max(m.bytes/memTablePart/memTables/int64(m.lanes), minMemTable), maxMemTable))
}

// A store takes this many flushes before it merges them. Keys come in no order, so each merge writes the lowest level
// again, which costs more than the filters of a few more files; Pebble's own 4 made merging a third of a busy
// instance's CPU.
const (
	l0Files    = 8
	l0FilesMax = 3 * l0Files // From here on writing waits.
)

// filterBits is the size of a key in the bloom filters of a table: about one new key in a hundred is still searched for
// in the table.
const filterBits = 10

// pebble returns Pebble's options.
//
// A disk that fails ends the process: Pebble panics while it holds its locks, so this process can't even close it. No
// answer is lost with it, and the next process rebuilds the store if it has to. The line about a full disk comes first,
// because the panic says only what Pebble was doing.
func (o Options) pebble(dir string) *pebble.Options {
	fs := o.fs
	if fs == nil {
		fs = vfs.Default
	}
	opts := &pebble.Options{
		FS: vfs.OnDiskFull(fs, func() {
			o.Log.Error("lane store disk full", slog.String("folder", dir),
				slog.String("do", "free space or enlarge the disk; if the process has ended, start it again"))
		}),
		Cache:                       o.Memory.blocks,
		MemTableSize:                o.Memory.memTable(),
		MemTableStopWritesThreshold: memTables,
		MaxOpenFiles:                128,
		L0CompactionThreshold:       l0Files,
		L0StopWritesThreshold:       l0FilesMax,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      pebbleLogger{o.Log},
		EventListener: &pebble.EventListener{
			// The default ends the process. The read that met the damage returns an error, and the store is built again.
			DataCorruption: func(info pebble.DataCorruptionInfo) { pebbleLogger{o.Log}.Errorf("%s", info) },
		},
	}
	// Nearly every key of an input is new, and finding that out must not cost a read of each level.
	opts.Levels[0].FilterPolicy = bloom.FilterPolicy(filterBits)
	return opts
}

// pebbleLogger passes Pebble's errors on and drops the rest: at every flush it would write a line.
type pebbleLogger struct{ log *slog.Logger }

func (l pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Warn("lane store error reported", slog.String("err", fmt.Sprintf(format, args...)))
}

// Fatalf is called where Pebble can't go on; its contract is not to return.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic(fmt.Sprintf(format, args...))
}
