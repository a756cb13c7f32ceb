package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/orderledger/orderledger/internal/embedded/filelock"
)

// folder is a data folder in use:
//
//	LOCK     locked until the broker closes
//	RUNNING  exists while the folder is in use; at start it means that the last process was killed
//	log/     kfake's files
type folder struct {
	dir, log string
	lock     *filelock.Lock
	unclean  bool
}

func openFolder(dir, boot string) (*folder, error) {
	f := &folder{dir: dir, log: filepath.Join(dir, "log")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	var err error
	f.lock, err = filelock.Try(filepath.Join(dir, "LOCK"))
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("embedded kafka %q: another process uses this folder; stop it, or choose another folder", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("embedded kafka %q: %w", dir, err)
	}
	if _, err := os.Stat(f.marker()); err == nil {
		f.unclean = true
	}
	if err := f.writeMarker(boot); err != nil {
		return nil, fmt.Errorf("embedded kafka %q: %w", dir, errors.Join(err, f.lock.Release()))
	}
	return f, nil
}

func (f *folder) marker() string { return filepath.Join(f.dir, "RUNNING") }

// writeMarker must reach the disk before the log is touched, or a loss of power could leave a damaged log without its
// marker.
func (f *folder) writeMarker(boot string) error {
	marker, err := os.Create(f.marker())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(marker, "%s %d\n", boot, os.Getpid())
	return errors.Join(err, marker.Sync(), marker.Close(), syncDir(f.dir))
}

// close frees the folder. Its marker stays unless the stop was clean.
func (f *folder) close(clean bool) error {
	var err error
	if clean {
		err = errors.Join(os.Remove(f.marker()), syncDir(f.dir))
	}
	return errors.Join(err, f.lock.Release())
}

// size returns the size of the log in bytes.
func (f *folder) size() (total int64, err error) {
	err = filepath.WalkDir(f.log, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !strings.HasSuffix(path, ".dat") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("embedded kafka: size of the log: %w", err)
	}
	return total, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
