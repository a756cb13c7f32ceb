//go:build unix

package broker

import (
	"errors"
	"os"
	"syscall"
)

var errLocked = errors.New("locked")

// flock locks the file for as long as it is open. The kernel frees the lock when the process ends, however it ends.
func flock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

// unflock frees the lock. Closing the file is not enough: a process that is being forked at this moment has it open
// too.
func unflock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}
