// Package service runs a program: it starts the program's units together, runs them side by side, and stops them in the
// reverse order within a deadline. It also holds the start that all services share (flags, configuration, logger,
// start-up checks) and the state that each publishes: metrics, health, readiness and version.
//
// It promises that the first unit to return ends the others, whatever the reason; that a unit is asked to stop only
// after every unit listed behind it has returned, so that the units listed first (clients, brokers) outlive their
// users; and that Run returns within the deadline even when a unit hangs, and names that unit.
//
// It does not restart units: a program that can't continue ends, and its supervisor starts it again. It does not
// recover panics. Only Main handles signals; everything else ends with the caller's context.
//
//	start a, b, c ─▶ all run ─▶ one returns, or ctx ends
//	                              │
//	                 stop c, wait ─▶ stop b, wait ─▶ stop a, wait ─▶ Run returns
package service
