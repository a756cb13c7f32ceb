//go:build !unix

package broker

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked")

// flock refuses: without a lock two processes could write one folder, which corrupts it without a sign.
func flock(*os.File) error { return errors.ErrUnsupported }

func unflock(f *os.File) error { return f.Close() }
