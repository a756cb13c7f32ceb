package service

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/preflight"
)

// Nobody can make a folder in /proc, not even the superuser, whom permissions do not bind.
func TestLocalChecksTryToWrite(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/proc", "/proc/orderledger/data"} {
		report := preflight.Run(t.Context(), Local{Folders: []Folder{{"DATA", dir}}}.checks(nil))
		require.Equal(t, 1, report.Failed(), "%v", report)
	}
}
