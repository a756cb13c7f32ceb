package filelock

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLockIsExclusive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Try(path)
	require.NoError(t, err)
	_, err = Try(path)
	require.ErrorIs(t, err, ErrLocked)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Take(ctx, path)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, first.Release())
	second, err := Take(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, second.Release())
	require.NoError(t, (*Lock)(nil).Release())
}
