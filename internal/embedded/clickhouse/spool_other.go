//go:build !linux

package clickhouse

import (
	"errors"
	"os"
)

// memoryFile returns an error: this system has no files in memory that the engine can open by a path.
func memoryFile() (*os.File, string, error) { return nil, "", errors.ErrUnsupported }
