package returns

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/testkit"
)

func pendingOf(t *testing.T, store *pendingStore, key subjectKey) (pending []pendingNotification) {
	t.Helper()
	require.NoError(t, store.eachPending(key, func(p *pendingNotification) error {
		pending = append(pending, *p)
		return nil
	}))
	return pending
}

// newResolver returns a resolver of one lane without its client, and the brokers that have its inbox.
func newResolver(t *testing.T, limit time.Duration, now func() time.Time) (r *resolver, brokers []string) {
	t.Helper()
	brokers = testkit.Kafka(t)
	testkit.Topics(t, brokers, 1)
	inbox, err := journal.NewInbox(1, kafka.Options(testkit.KafkaConfig(brokers, 1))...)
	require.NoError(t, err)
	t.Cleanup(inbox.Close)
	store, err := openPendingStore(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.close()) })
	return &resolver{
		cfg:   Config{Limit: limit, Lanes: 1, AppendTimeout: time.Minute, Marketplace: marketplace.DefaultSettings()},
		store: store, inbox: inbox, now: now, log: testkit.Logger(t),
		caughtUp: map[int32]bool{}, examined: map[int32]int64{}, aliased: map[int32]int64{}, touched: map[int32]bool{},
		resolved: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "resolved"}, []string{"how"}),
	}, brokers
}

// TestResolverOutlastsClockJumps sets the clock while a notification waits, and receives one while the clock is ahead.
func TestResolverOutlastsClockJumps(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	start := time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC)
	key := subjectKey{0, subject{aliasReturn, "R1"}}
	// receive returns a resolver that has read a notification, and what it still holds after it has expired others.
	receive := func(t *testing.T, now func() time.Time, receivedAt time.Time) (waiting func() int) {
		t.Helper()
		r, _ := newResolver(t, week, now)
		r.caughtUp[0], r.examined[0] = true, 6
		body := `{"eventType":"return_completed","timestamp":"2024-04-08T00:00:00Z","returnId":"R1"}`
		require.NoError(t, r.resolve(t.Context(), &kgo.Record{
			Key: []byte("R1"), Value: []byte(body), Timestamp: receivedAt, Offset: 5,
		}))
		return func() int {
			require.NoError(t, r.expire(t.Context()))
			return len(pendingOf(t, r.store, key))
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

// TestAppendOutlastsClockJump receives a notification after somebody has set the clock back: it would have waited for
// longer than the limit at once.
func TestAppendOutlastsClockJump(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC)
	wall := start
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, 1)
	producer := testkit.Client(t, brokers, kafka.ManualPartitions())
	r, err := New(Config{Lanes: 1}, Deps{Producer: producer, Now: func() time.Time { return wall }})
	require.NoError(t, err)
	wall = start.AddDate(0, 0, -8)
	n := marketplace.Notification{EventType: marketplace.EventReturnCompleted, ReturnID: "R1"}
	_, _, err = r.Append(t.Context(), n, journal.InboxRecord{ReceivedAt: wall, Body: []byte("{}")})
	require.NoError(t, err)
	reader := testkit.Client(t, brokers, kgo.ConsumeTopics(events.TopicUnresolved))
	stored := reader.PollFetches(t.Context()).Records()
	require.Len(t, stored, 1)
	require.WithinRange(t, stored[0].Timestamp, start, start.Add(time.Hour))
}

// TestResolverReleasesOneByOne releases many notifications of one return. It is not parallel, because it measures
// memory.
//
//nolint:paralleltest // As above.
func TestResolverReleasesOneByOne(t *testing.T) {
	const count, size = 200, 100 << 10
	r, _ := newResolver(t, time.Hour, time.Now)
	key := subjectKey{0, subject{aliasReturn, "R1"}}
	// A body that can't be read goes to the inbox, where the ended context stops the release.
	rec := journal.InboxRecord{Body: bytes.Repeat([]byte("x"), size)}
	for i := range count {
		require.NoError(t, r.store.put(key, pendingNotification{offset: int64(i), rec: rec}))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.ErrorIs(t, r.release(ended, key), context.Canceled)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(count*size/2), "it has read the first notification only")
}
