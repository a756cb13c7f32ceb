package journal

import (
	"cmp"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/membership"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// A damaged lane is read once, waits for a person, and opens after the repair. The other lane serves meanwhile.
func TestLaneDamagedAwaitsRetry(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		whole := setupOn(t, on, 1)
		fillLane(t, whole, t.TempDir())
		b := setupOn(t, on, 2)
		// The first lane lacks its last decisions.
		missing := func(topic string, seq uint64) bool { return topic == events.TopicDecisions && seq > 1 }
		b.transplant(whole, missing, nil)
		j := b.start()
		failed := func() int { return int(counted(j.metrics.takeovers.WithLabelValues("failed"))) }
		testkit.Eventually(t, func() bool {
			l := j.lanes.serving(0)
			return l != nil && l.parked.Load() && j.LaneReady(1) == nil
		}, "the damage is found, and the other lane is open")
		require.Equal(t, 1, failed())
		require.NoError(t, j.Accepting())
		require.ErrorIs(t, j.LaneReady(0), ErrDamaged)
		require.InDelta(t, 1, counted(j.metrics.damaged.WithLabelValues("0")), 0)
		ids := map[int32]string{}
		for i := range 20 {
			id := fmt.Sprint("s", i)
			ids[events.Lane(id, 2)] = id
		}
		j.mustSubmit(createCmd(ids[1]))
		require.True(t, j.lanes.serving(0).parked.Load(), "it is not read again")

		require.ErrorIs(t, j.RetryLane(t.Context(), 0), ErrDamaged)
		require.Equal(t, 2, failed())
		require.NoError(t, j.RetryLane(t.Context(), 1), "a lane that is open")
		require.ErrorIs(t, j.RetryLane(t.Context(), 2), ErrInvalid)

		client := testkit.Client(t, b.brokers, kafka.ManualPartitions())
		whole.records(events.TopicDecisions, 0, func(r *kgo.Record) {
			env, err := events.DecodeEnvelope(kafka.EventRecord(r))
			require.NoError(t, err)
			if missing(events.TopicDecisions, env.LaneSeq) {
				c := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
				require.NoError(t, client.ProduceSync(t.Context(), c).FirstErr())
			}
		})
		require.NoError(t, j.RetryLane(t.Context(), 0))
		require.NoError(t, j.LaneReady(0))
		j.mustSubmit(createCmd(ids[0]))
		require.Equal(t, 2, failed())
		require.False(t, j.damaged.has(0))
	})
}

// A damaged lane goes from instance to instance until each has read it, and rests.
func TestLaneDamagedRests(t *testing.T) {
	t.Parallel()
	whole := setup(t, 1)
	fillLane(t, whole, t.TempDir())
	s := newFleet(t, 2)
	s.transplant(whole, func(topic string, seq uint64) bool { return topic == events.TopicDecisions && seq > 1 }, nil)
	a, b := s.join("a"), s.join("b")
	testkit.Eventually(t, func() bool { return a.isDamaged(0) && b.isDamaged(0) }, "both have read it")
	testkit.Eventually(t, func() bool {
		ra, rb := a.report(), b.report()
		return ra.Lanes[0] == membership.Cannot && rb.Lanes[0] == membership.Cannot
	}, "both say so, also the one that has not got it, or each would send it back to the other")
	testkit.Eventually(t, func() bool { return a.LaneReady(1) == nil || b.LaneReady(1) == nil }, "the other lane is open")
	testkit.Eventually(t, func() bool {
		l := cmp.Or(a.lanes.serving(0), b.lanes.serving(0))
		return l != nil && l.parked.Load()
	}, "it rests at one of them")
	for _, i := range []*instance{a, b} {
		require.InDelta(t, 1, counted(i.metrics.takeovers.WithLabelValues("failed")), 0, "it has read it once")
	}
}

// A standby that meets damage is not read again, and continues after a retry; another instance's owner judges the lane.
func TestStandbyDamagedAwaitsRetry(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a").ready()
	b := s.join("b")
	testkit.Eventually(t, func() bool { return serves(a) == 1 && serves(b) == 1 }, "a lane each")
	lane := assignedLane(a)
	followed := func() bool { return b.standbys.current()[lane] != nil }
	testkit.Eventually(t, followed, "the lane has a standby")
	b.standbys.giveUp(t.Context(), lane, ErrDamaged)
	require.True(t, b.standbys.unchanged(b.standbys.current()), "it is left alone")
	require.Empty(t, b.standbys.reserve())
	require.True(t, b.damaged.has(lane))
	require.ErrorIs(t, b.RetryLane(t.Context(), 5), ErrInvalid)
	require.NoError(t, b.RetryLane(t.Context(), lane))
	testkit.Eventually(t, followed, "it has a standby again")
	require.ErrorIs(t, b.RetryLane(t.Context(), lane), ErrNotOwner)

	b.standbys.giveUp(t.Context(), lane, ErrDamaged)
	require.NoError(t, a.HandOver(t.Context()))
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "the other opens it, after reading it")
	require.False(t, b.damaged.has(lane))
	s.check()
}
