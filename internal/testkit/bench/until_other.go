//go:build !linux

package main

import "time"

// until blocks until a moment, to about a millisecond.
func until(due time.Time) { <-time.After(time.Until(due)) }
