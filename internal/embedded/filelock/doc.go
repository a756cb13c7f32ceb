// Package filelock locks a file between processes, so that a data folder has one user and a download happens once.
//
// It promises that at most one process holds the lock of a file, and that the kernel frees the lock when the process
// ends, however it ends. It does not order the processes that wait, and it does not lock between goroutines of one
// process that share a [Lock].
//
// It fails with [ErrLocked] when another process holds the lock, and with the error of the system otherwise. It needs
// flock, so it builds on Unix only.
package filelock
