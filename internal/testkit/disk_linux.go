package testkit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// SmallDisk returns a folder on a disk of its own, in memory, with that many bytes. It is unmounted when the test ends.
// A test whose user may not mount is skipped.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small disk must be mounted, which takes root (or: unshare -rm go test ...): %v", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// Fill fills the disk of a folder until that many bytes are left, and returns a function that frees it again.
func Fill(t testing.TB, dir string, left int64) (free func()) {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(dir, &st))
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	require.NoError(t, err)
	defer ballast.Close()
	block := make([]byte, st.Bsize)
	for n := int64(st.Bavail)*int64(len(block)) - left; n > 0; n -= int64(len(block)) {
		_, err := ballast.Write(block)
		require.NoError(t, err)
	}
	return func() { require.NoError(t, os.Remove(ballast.Name())) }
}
