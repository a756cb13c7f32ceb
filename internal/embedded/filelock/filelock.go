package filelock

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

// pollInterval is the pause between two tries of Take: flock can't wait for a lock and a context at once.
const pollInterval = 100 * time.Millisecond

// Lock is a lock that this process holds.
type Lock struct{ f *os.File }

// Try takes the lock on the file at path, which it creates if it does not exist, or returns ErrLocked.
func Try(path string) (*Lock, error) {
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
	return &Lock{f: f}, nil
}

// Take waits for the lock on the file at path until the context ends.
func Take(ctx context.Context, path string) (*Lock, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		l, err := Try(path)
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

// Release frees the lock; further calls return the error of a closed file. The file stays: if it were removed, two
// processes could hold locks on two files of the same name. Release of a nil lock does nothing.
func (l *Lock) Release() error {
	if l == nil {
		return nil
	}
	// Closing the file is not enough: a process that is being forked at this moment has it open too.
	return errors.Join(unix.Flock(int(l.f.Fd()), unix.LOCK_UN), l.f.Close())
}
