//go:build !linux

package clickhouse

import (
	"errors"
	"os"
)

// memoryFile reports that this system has no file in memory that the engine could open by a path.
func memoryFile() (*os.File, string, error) { return nil, "", errors.ErrUnsupported }
