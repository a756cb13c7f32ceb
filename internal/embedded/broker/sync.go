package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Sync returns when everything that was acknowledged before is on the disk, and so survives a loss of power too,
// whatever Config.SyncWrites says. Without a folder it does nothing.
//
// kfake has no such call, so this opens and flushes each file; the system has only one copy of its pages.
func (b *Broker) Sync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.folder == nil {
		return nil
	}
	err := filepath.WalkDir(b.folder.log, func(path string, d fs.DirEntry, err error) error {
		// kfake replaces files, so one may be gone by now; what replaced it was flushed.
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			return syncDir(path)
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0) //nolint:gosec // The folder is this process's, and is locked.
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
	if err != nil {
		return fmt.Errorf("flush embedded kafka %q: %w", b.cfg.DataDir, err)
	}
	return nil
}
