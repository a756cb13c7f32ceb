package e2e

import (
	"os/exec"
	"syscall"
)

// killWithParent lets a process die with the tests. An orphan would write to the Kafka of the next run.
func killWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
