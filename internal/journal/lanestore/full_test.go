package lanestore

import (
	"bytes"
	"log/slog"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/disk"
)

// A full disk is named, and a store that can't be opened because of it stays: it is good, and filling it again would
// take more space.
func TestOpenKeepsStoreOnFullDisk(t *testing.T) {
	t.Parallel()
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		removes := op.Kind == errorfs.OpRemove || op.Kind == errorfs.OpRemoveAll
		if full.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && !removes {
			return &os.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
		}
		return nil
	}))
	memory := NewMemory(16<<20, 1)
	t.Cleanup(memory.Close)
	var lines bytes.Buffer
	o := Options{Memory: memory, Log: slog.New(slog.NewTextHandler(&lines, nil)), Now: time.Now, fs: fs}
	dir := t.TempDir() + "/lane-0"
	want := Meta{Inbox: 7}
	s, err := Open(t.Context(), dir, o, want)
	require.NoError(t, err)
	b := s.Begin()
	require.NoError(t, b.Commit())
	require.NoError(t, s.Close())

	full.Store(true)
	_, err = Open(t.Context(), dir, o, Meta{})
	require.True(t, disk.Full(err), "%v", err)
	require.ErrorContains(t, err, dir)
	require.Contains(t, lines.String(), "lane store disk full")
	require.NotContains(t, lines.String(), "lane store removed")

	full.Store(false)
	s, err = Open(t.Context(), dir, o, Meta{})
	require.NoError(t, err)
	require.Equal(t, int64(7), s.Meta().Inbox)
	require.NoError(t, s.Close())
}
