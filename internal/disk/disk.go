package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Space is the space of the disk that holds a folder.
type Space struct {
	// Free is the number of bytes that a program without privileges can still write.
	Free int64
	// Total is the size of the disk in bytes.
	Total int64
}

// The reserve of a disk.
const (
	maxReserve   = 64 << 20
	reserveParts = 20
)

// Reserve is how many bytes of the disk stay free: a twentieth, 64 MiB at most.
func (s Space) Reserve() int64 { return min(s.Total/reserveParts, maxReserve) }

// FullError says that a disk is full.
type FullError struct {
	// What names the disk: by its folder, or by its server.
	What string
	// Do says how to end it.
	Do string
}

// Error implements error.
func (e *FullError) Error() string { return e.What + " is full: " + e.Do }

// Full reports whether an error says that a disk, or the quota of a disk, is full.
func Full(err error) bool {
	var full *FullError
	return errors.As(err, &full) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Of returns the space of the disk that holds a folder. The folder need not exist yet.
func Of(dir string) (Space, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Space{}, fmt.Errorf("space of disk: %w", err)
	}
	for {
		s, err := space(dir)
		if err == nil {
			return s, nil
		}
		parent := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return Space{}, fmt.Errorf("space of disk of %s: %w", dir, err)
		}
		dir = parent
	}
}

// Check returns a FullError if the disk that holds a folder has no more than its reserve left.
func Check(dir string) error {
	s, err := Of(dir)
	if err != nil || s.Free >= s.Reserve() {
		return nil //nolint:nilerr // Whoever writes to a disk that can't be looked at learns more from the write.
	}
	return s.full(dir)
}

func (s Space) full(dir string) *FullError {
	return &FullError{
		What: "the disk of " + dir,
		Do: fmt.Sprintf("%.1f MB of %.0f MB are free, and %.1f MB are a reserve; free space or enlarge it",
			mb(s.Free), mb(s.Total), mb(s.Reserve())),
	}
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }
