package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// until blocks the thread until a moment, with a precision of about 60 µs.
func until(due time.Time) {
	for left := time.Until(due); left > 0; left = time.Until(due) {
		wait := unix.NsecToTimespec(left.Nanoseconds())
		_ = unix.Nanosleep(&wait, nil) // After a signal the loop sleeps again.
	}
}
