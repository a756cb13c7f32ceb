//go:build !linux

package e2e

import "os/exec"

// killWithParent does nothing: this system has no way to let a process die with its parent. Tests that are killed leave
// orphans.
func killWithParent(*exec.Cmd) {}
