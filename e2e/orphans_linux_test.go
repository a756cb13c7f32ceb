package e2e

import (
	"os/exec"
	"syscall"
)

// endWithUs lets a process die with the tests: an orphan would go on writing to the Kafka that the next run uses.
func endWithUs(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
