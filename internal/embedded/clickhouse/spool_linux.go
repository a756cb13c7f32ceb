package clickhouse

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile creates a file in memory, which the kernel frees with its last descriptor.
func memoryFile() (*os.File, string, error) {
	fd, err := unix.MemfdCreate("insert", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, "", fmt.Errorf("memory file: %w", err)
	}
	return os.NewFile(uintptr(fd), "insert"), fmt.Sprintf("/proc/self/fd/%d", fd), nil
}
