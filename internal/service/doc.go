// Package service is the life of a program: its units are started together,
// run side by side, and are stopped in the reverse order, within a deadline.
// It also holds what every program shows of itself: metrics, health, readiness
// and version.
//
// It promises that the first unit to return ends the others, whatever the
// reason; that a unit is asked to stop only after every unit listed behind it
// has returned, so what is listed first (clients, brokers) outlives its users;
// that Run returns within the deadline even when a unit hangs, and names it.
//
// It does not restart units: a program that can not go on ends, and what
// supervises it starts it again. It does not recover panics. It handles no
// signals; the caller's context ends with them.
//
//	start a, b, c ─▶ all run ─▶ one returns, or ctx ends
//	                              │
//	                 stop c, wait ─▶ stop b, wait ─▶ stop a, wait ─▶ Run returns
package service
