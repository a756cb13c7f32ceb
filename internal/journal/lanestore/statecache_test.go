package lanestore

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStateCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := newStateCache(10_000)
	for i := range 1000 {
		c.Put(fmt.Sprint(i), make([]byte, 800))
		c.Put(fmt.Sprint(i/2), make([]byte, 1200))
		require.LessOrEqual(t, c.size, 10_000)
	}
	require.NotEmpty(t, c.byID)
	_, ok := c.Get("999")
	require.True(t, ok)
	_, ok = c.Get("0")
	require.False(t, ok)
	c.Clear()
	require.Zero(t, c.size)
}
