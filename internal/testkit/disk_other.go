//go:build !linux

package testkit

import "testing"

// SmallDisk skips the test: only Linux has disks in memory that a test can mount.
func SmallDisk(t testing.TB, _ string) string {
	t.Helper()
	t.Skip("a small disk must be mounted, which takes Linux")
	return ""
}

// Fill does nothing, since no test gets a disk.
func Fill(testing.TB, string, int64) func() { return func() {} }
