package returns

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/testkit"
)

// TestResolverOutlastsClockJumps sets the clock while a notification waits, and receives one while the clock is ahead.
func TestResolverOutlastsClockJumps(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	start := time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC)
	key := subjectKey{0, subject{aliasReturn, "R1"}}
	// receive returns a resolver that has read a notification, and what it still holds after it has expired others.
	receive := func(t *testing.T, now func() time.Time, receivedAt time.Time) (waiting func() int) {
		t.Helper()
		brokers := testkit.Kafka(t)
		testkit.Topics(t, brokers, 1)
		inbox, err := journal.NewInbox(1, kafka.Options(testkit.KafkaConfig(brokers, 1))...)
		require.NoError(t, err)
		t.Cleanup(inbox.Close)
		store, err := openPendingStore(t.TempDir())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, store.close()) })
		r := &resolver{
			cfg:   Config{Limit: week, Lanes: 1, AppendTimeout: time.Minute, Marketplace: marketplace.DefaultSettings()},
			store: store, inbox: inbox, now: now, caughtUp: map[int32]bool{0: true}, examined: map[int32]int64{0: 6},
			resolved: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "resolved"}, []string{"how"}),
		}
		body := `{"eventType":"return_completed","timestamp":"2024-04-08T00:00:00Z","returnId":"R1"}`
		require.NoError(t, r.resolve(t.Context(), &kgo.Record{
			Key: []byte("R1"), Value: []byte(body), Timestamp: receivedAt, Offset: 5,
		}))
		return func() int {
			require.NoError(t, r.expire(t.Context()))
			pending, err := store.pending(key)
			require.NoError(t, err)
			return len(pending)
		}
	}

	t.Run("the clock jumps ahead", func(t *testing.T) {
		t.Parallel()
		wall := start
		waiting := receive(t, steady(func() time.Time { return wall }), start)
		wall = start.Add(week + 24*time.Hour)
		require.Equal(t, 1, waiting())
	})
	t.Run("the clock was ahead", func(t *testing.T) {
		t.Parallel()
		now := start
		waiting := receive(t, func() time.Time { return now }, start.AddDate(10, 0, 0))
		now = start.Add(week - time.Minute)
		require.Equal(t, 1, waiting())
		now = start.Add(week)
		require.Zero(t, waiting(), "it has waited for as long as others")
	})
	t.Run("the time before the assignment counts", func(t *testing.T) {
		t.Parallel()
		now := start
		waiting := receive(t, func() time.Time { return now }, start.Add(-week+time.Hour))
		require.Equal(t, 1, waiting())
		now = start.Add(time.Hour)
		require.Zero(t, waiting())
	})
}
