package ingest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal"
)

func TestWhatWaitsForAReturnThatNobodyKnowsStaysWhenItsPartitionCatchesUp(t *testing.T) {
	t.Parallel()
	store, err := openWaitingRoom(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.close()) })
	// All aliases that there were have been read, and R1 is not among them.
	r := &resolver{store: store, caught: map[int32]bool{}, aliased: map[int32]int64{3: 7}, aliasEnds: map[int32]int64{3: 7}}
	known := knownReturn{3, "R1"}
	require.NoError(t, store.keep(known, 5, journal.InboxRecord{Key: "k"}))

	caught, err := r.caughtUp(t.Context(), 3)
	require.NoError(t, err)
	require.True(t, caught)
	waiting, err := store.waiting(known)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	require.EqualValues(t, 5, waiting[0].offset)
}
