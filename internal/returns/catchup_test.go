package returns

import (
	"testing"
	"time"

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

// The alias that a notification waits for may be among those that are still to be read, however old it is.
func TestResolverExpiresNothingBeforeCatchUp(t *testing.T) {
	t.Parallel()
	store, err := openPendingStore(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.close()) })
	r := &resolver{
		cfg: Config{Limit: time.Hour}, store: store, now: time.Now,
		examined: map[int32]int64{3: 6}, caughtUp: map[int32]bool{},
	}
	key := subjectKey{3, subject{aliasReturn, "R1"}}
	body := `{"eventType":"return_completed","timestamp":"2024-04-08T00:00:00Z","returnId":"R1"}`
	old := pendingNotification{
		offset: 5, since: time.Now().Add(-48 * time.Hour), rec: journal.InboxRecord{Body: []byte(body)},
	}
	require.NoError(t, store.put(key, old))
	require.NoError(t, r.expire(t.Context()))
	require.Len(t, pendingOf(t, store, key), 1)
}
