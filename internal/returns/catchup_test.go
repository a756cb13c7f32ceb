package returns

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal"
)

func TestResolverKeepsUnknownReturnAtCatchUp(t *testing.T) {
	t.Parallel()
	store, err := openPendingStore(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.close()) })
	// All aliases of the partition have been read, and R1 is not among them.
	r := &resolver{
		store: store, caughtUp: map[int32]bool{}, aliased: map[int32]int64{3: 7}, aliasEnds: map[int32]int64{3: 7},
	}
	key := subjectKey{3, subject{aliasReturn, "R1"}}
	body := `{"eventType":"return_completed","timestamp":"2024-04-08T00:00:00Z","returnId":"R1"}`
	require.NoError(t, store.put(key, pendingNotification{offset: 5, rec: journal.InboxRecord{Body: []byte(body)}}))

	caught, err := r.catchUp(t.Context(), 3)
	require.NoError(t, err)
	require.True(t, caught)
	pending := pendingOf(t, store, key)
	require.Len(t, pending, 1)
	require.EqualValues(t, 5, pending[0].offset)
}
