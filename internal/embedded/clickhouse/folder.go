package clickhouse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/orderledger/orderledger/internal/embedded/filelock"
)

// ErrFolderInUse says that another process uses the data folder.
var ErrFolderInUse = errors.New("the data folder is in use by another process")

// ErrOtherVersion says that another release line of the engine wrote the data folder.
var ErrOtherVersion = errors.New("the data folder belongs to another version of the engine")

// folder is the data folder: a folder with the engine's files, and files of this package beside it.
//
//	lock      locked while a process uses the folder
//	version   the release line of the engine that wrote it, such as 26.7
//	running   exists from a start to a clean stop
//	engine/   the engine's own files
//	tmp/      large inserts that are not stored yet; emptied at start
type folder struct {
	dir, engine, tmp string
	lock             *filelock.Lock
	// unclean is true when the last process did not stop cleanly.
	unclean bool
	// checked is true once the tables are known to be whole. Without it no stop is clean.
	checked bool
}

// openFolder locks the folder for this process. It does not touch the engine's files.
func openFolder(dir, tmp, version string) (*folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir, engine: filepath.Join(dir, "engine"), tmp: tmp}
	if f.tmp == "" {
		f.tmp = filepath.Join(dir, "tmp")
	}
	for _, d := range []string{f.engine, f.tmp} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			return nil, err
		}
	}
	f.lock, err = filelock.Try(filepath.Join(dir, "lock"))
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("%s: %w: stop that process, or use another folder", dir, ErrFolderInUse)
	}
	if err != nil {
		return nil, err
	}
	if err := f.prepare(version); err != nil {
		return nil, errors.Join(err, f.lock.Release())
	}
	return f, nil
}

func (f *folder) prepare(version string) error {
	if err := f.checkVersion(version); err != nil {
		return err
	}
	switch _, err := os.Stat(f.marker()); {
	case err == nil:
		f.unclean = true
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	// Inserts that an unclean stop left here were never acknowledged.
	left, err := filepath.Glob(filepath.Join(f.tmp, spoolPrefix+"*"))
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return os.WriteFile(f.marker(), nil, 0o640)
}

// checkVersion refuses a folder of another major.minor line: the engine can read files of the same line, and might
// change those of another line for good.
func (f *folder) checkVersion(version string) error {
	line := versionLine(version)
	path := filepath.Join(f.dir, "version")
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.WriteFile(path, []byte(line+"\n"), 0o640)
	case err != nil:
		return err
	}
	if was := strings.TrimSpace(string(b)); was != line {
		return fmt.Errorf("%s: %w: %s wrote it and this program has %s: use the program that wrote it, or move the "+
			"folder away and start again, so that the tables are filled anew from the ledger", f.dir, ErrOtherVersion, was, line)
	}
	return nil
}

// versionLine returns major.minor of a version.
func versionLine(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func (f *folder) marker() string { return filepath.Join(f.dir, "running") }

// close frees the folder. Only a clean stop removes the marker.
func (f *folder) close(clean bool) error {
	var err error
	if clean {
		err = os.Remove(f.marker())
	}
	return errors.Join(err, f.lock.Release())
}
