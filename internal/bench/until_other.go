//go:build !linux

package main

import "time"

// until blocks until a moment, with a precision of about a millisecond.
func until(due time.Time) { <-time.After(time.Until(due)) }
