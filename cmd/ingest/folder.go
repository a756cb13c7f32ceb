package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/orderledger/orderledger/internal/embedded/filelock"
	"github.com/orderledger/orderledger/internal/preflight"
)

// folderRemedy is the advice for a data folder that another process uses.
const folderRemedy = "stop that process, or give this one a folder of its own with " + envData

// lockFile returns the file that a process locks while it uses the data folder: two processes in one folder would
// remove each other's lane stores.
func lockFile(cfg config) string { return filepath.Join(filepath.Dir(cfg.Journal.StoreDir), "LOCK") }

// lockFolder creates the data folder, if there is none, and locks it until the process ends or the lock is released.
func lockFolder(cfg config) (*filelock.Lock, error) {
	path := lockFile(cfg)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	lock, err := filelock.Try(path)
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("data folder %s: another process uses it; %s", dir, folderRemedy)
	}
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	return lock, nil
}

// folderInUse checks, for -check, that no other process uses the data folder. It creates nothing.
func folderInUse(cfg config) preflight.Check {
	return preflight.Check{Name: "folders", Run: func(context.Context) []preflight.Finding {
		path := lockFile(cfg)
		dir := filepath.Dir(path)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return []preflight.Finding{preflight.Good("no process uses %s", dir)}
		}
		lock, err := filelock.Try(path)
		if errors.Is(err, filelock.ErrLocked) {
			return []preflight.Finding{preflight.Failure(folderRemedy, "another process uses %s", dir)}
		}
		if err == nil {
			err = lock.Release()
		}
		if err != nil {
			return []preflight.Finding{preflight.Failure("give the user of the program the right to write there", "%v", err)}
		}
		return []preflight.Finding{preflight.Good("no process uses %s", dir)}
	}}
}
