//go:build unix

package broker

import (
	"errors"
	"os"
	"syscall"
)

var errLocked = errors.New("locked")

// flock takes the lock for as long as the file is open. The kernel frees it
// when the process dies, however it dies.
func flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

// unflock frees the lock. Closing alone is not enough: a process that is being
// forked just now holds the file too.
func unflock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
