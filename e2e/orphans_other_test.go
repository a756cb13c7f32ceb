//go:build !linux

package e2e

import "os/exec"

// endWithUs does nothing where a process can't be told to die with its parent: tests that are killed leave orphans
// there.
func endWithUs(*exec.Cmd) {}
