package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// lockPoll is how often a waiting Lock looks again: flock has no waiting with a context.
const lockPoll = 100 * time.Millisecond

// FileLock is a lock between processes on a file. The system frees it when the process ends, however it ends.
type FileLock struct{ f *os.File }

// TryLock takes the lock on the file at path, which it creates if need be, or returns ErrLocked.
func TryLock(path string) (*FileLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &FileLock{f: f}, nil
}

// Lock waits for the lock on the file at path until the context ends.
func Lock(ctx context.Context, path string) (*FileLock, error) {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		l, err := TryLock(path)
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}

// Unlock frees the lock. The file stays: removing it would let two processes hold locks on two files of the same name.
// Unlock of a nil lock does nothing.
func (l *FileLock) Unlock() {
	if l != nil {
		// Closing alone is not enough: a process that is being forked just now holds the file too.
		_ = unix.Flock(int(l.f.Fd()), unix.LOCK_UN)
		_ = l.f.Close()
	}
}
