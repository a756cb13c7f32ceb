package disk_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/disk"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestFull(t *testing.T) {
	t.Parallel()
	for _, full := range []error{
		&fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}, syscall.EDQUOT, &disk.FullError{What: "the disk of a"},
	} {
		require.True(t, disk.Full(fmt.Errorf("store: %w", full)), "%v", full)
	}
	require.False(t, disk.Full(syscall.EIO))
	require.False(t, disk.Full(errors.New("no space left on device")), "the text of an error decides nothing")
	require.False(t, disk.Full(nil))
}

func TestReserve(t *testing.T) {
	t.Parallel()
	require.Equal(t, int64(1<<20), disk.Space{Total: 20 << 20}.Reserve())
	require.Equal(t, int64(64<<20), disk.Space{Total: 1 << 40}.Reserve())
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(testkit.SmallDisk(t, "4m"), "not", "created", "yet")
	require.NoError(t, disk.Check(dir))
	free := testkit.Fill(t, filepath.Join(dir, "..", "..", ".."), 100<<10)
	err := disk.Check(dir)
	require.True(t, disk.Full(err))
	require.ErrorContains(t, err, dir)
	require.ErrorContains(t, err, "free space or enlarge it")
	free()
	require.NoError(t, disk.Check(dir))
	// Its reserve is a twentieth, 204.8 KiB, to the page.
	root := filepath.Join(dir, "..", "..", "..")
	free = testkit.Fill(t, root, 208<<10)
	require.NoError(t, disk.Check(dir))
	free()
	testkit.Fill(t, root, 204<<10)
	require.Error(t, disk.Check(dir))
}
