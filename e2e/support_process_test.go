package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is one of our programs as a process, with a supervisor that starts it again when it ends unasked, as an
// operator's would. The supervisor does not restart it after kill or stop.
type program struct {
	t     testing.TB
	name  string
	path  string
	args  []string
	env   []string
	ready string // The URL that answers 200 when it is ready; empty if nobody waits for that.
	log   *os.File
	// busy is held by the fault that harms the process, so that two faults of it do not overlap.
	busy sync.Mutex

	mu      sync.Mutex
	cmd     *exec.Cmd     // Nil while it does not run; guarded by mu.
	ended   chan struct{} // Closed when cmd has ended; guarded by mu.
	restart bool          // Whether the supervisor starts it again; guarded by mu.
}

// newProgram prepares a process whose output goes to a file of its name in dir. It is killed when the test ends.
func newProgram(t testing.TB, dir, name, path string, env, args []string) *program {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	p := &program{t: t, name: name, path: path, args: args, env: append(os.Environ(), env...), log: log}
	t.Cleanup(func() {
		p.kill()
		_ = log.Close()
	})
	return p
}

// start runs the process. It does not wait until it is ready.
func (p *program) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.restart {
		return
	}
	p.restart = true
	p.spawn()
}

// spawn is called with mu held.
func (p *program) spawn() {
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, p.log, p.log
	killWithParent(cmd)
	if err := cmd.Start(); err != nil {
		p.t.Errorf("start %s: %v", p.name, err)
		p.restart = false
		return
	}
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cmd = nil
		if p.restart {
			p.t.Logf("%s ended unasked: %v: %s", p.name, err, p.logTail())
			// A pause, so that a program that can't start does not use all of the machine.
			time.AfterFunc(300*time.Millisecond, func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				if p.restart && p.cmd == nil {
					p.spawn()
				}
			})
		}
		close(ended)
	}()
}

// logTail returns the last two lines that the process wrote.
func (p *program) logTail() string {
	text, _ := os.ReadFile(p.log.Name())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-2):], " ")
}

// signal sends a signal to the process, if it runs. The channel is closed when the process has ended.
func (p *program) signal(s syscall.Signal, restart bool) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restart = restart
	if p.cmd == nil {
		ended := make(chan struct{})
		close(ended)
		return ended
	}
	_ = p.cmd.Process.Signal(s)
	return p.ended
}

// kill ends the process with SIGKILL, even a frozen one.
func (p *program) kill() { <-p.signal(syscall.SIGKILL, false) }

// stop ends the process with SIGTERM and returns how long that took. A process that exceeds the limit is killed.
func (p *program) stop(limit time.Duration) (time.Duration, error) {
	begun := time.Now()
	ended := p.signal(syscall.SIGTERM, false)
	select {
	case <-ended:
		return time.Since(begun), nil
	case <-time.After(limit):
		p.kill()
		return time.Since(begun), fmt.Errorf("%s did not stop within %s of SIGTERM", p.name, limit)
	}
}

// pause freezes the process, and resume continues it.
func (p *program) pause()  { p.signal(syscall.SIGSTOP, true) }
func (p *program) resume() { p.signal(syscall.SIGCONT, true) }

// awaitReady waits until the process reports that it is ready.
func (p *program) awaitReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error
	for {
		if last = get(ctx, p.ready); last == nil {
			return nil
		}
		if !after(ctx, 20*time.Millisecond) {
			return fmt.Errorf("%s is not ready after %s: %w", p.name, limit, last)
		}
	}
}

// get returns an error unless the URL answers 200.
func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// after waits, and reports false if the context ended first.
func after(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
