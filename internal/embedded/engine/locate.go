package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNotFetched says that the library of the engine is not on this machine yet.
var ErrNotFetched = errors.New("the embedded ClickHouse engine is not fetched yet: run `make engine` or " +
	"`orderledger up`, which fetch it once, or set " + EnvLibrary)

// Locate returns the path of the library: that in ORDERLEDGER_LIBCHDB if it is set, which must exist, otherwise the one
// in the cache. It returns an error that wraps ErrNotFetched when the cache has none.
func Locate() (string, error) {
	if path := os.Getenv(EnvLibrary); path != "" {
		info, err := os.Stat(path) //nolint:gosec // The operator names it.
		if err != nil {
			return "", fmt.Errorf("%s: %w", EnvLibrary, err)
		}
		if !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s: %s is not a file", EnvLibrary, path)
		}
		return path, nil
	}
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, libraryName)
	switch _, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: %w", path, ErrNotFetched)
	case err != nil:
		return "", fmt.Errorf("locate the engine: %w", err)
	}
	return path, nil
}

// cacheDir returns the folder of the pinned library. It uses XDG_CACHE_HOME on every platform, so that one variable
// moves the cache everywhere.
func cacheDir() (string, error) {
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		var err error
		if base, err = os.UserCacheDir(); err != nil {
			return "", fmt.Errorf("locate the engine: %w", err)
		}
	}
	return filepath.Join(base, "orderledger", "engine", packageVersion), nil
}
