package journal

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/journal/membership"
	"github.com/orderledger/orderledger/internal/testkit"
)

// announce announces that another instance has taken lane 0, whatever the group says.
func (s *fleet) announce(cluster, url string) {
	s.Helper()
	other := membership.New(membership.Config{Cluster: cluster, Advertise: url, Log: testkit.Logger(s)})
	other.Connect(testkit.Client(s, s.brokers))
	require.True(s, other.AnnounceTakeover(s.Context(), 0, 1))
}

// An instance that is asked for a lane that is still its own takes it back.
func TestReleaseOfAssignedLane(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	s.create(1, a)
	require.NoError(t, a.Release(t.Context(), 0))
	require.NoError(t, a.Release(t.Context(), 0), "it may be asked again")
	require.NoError(t, a.Release(t.Context(), 7), "and for a lane that it never had")
	a.ready()
	r, err := s.send(t.Context(), a, cmd("shipment-0", "note", "x"))
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Version)
	s.check()
}

// An idle draining lane ends when another instance fences it without asking.
func TestDrainingLaneFencedSilently(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	s.create(1, a)
	s.mu.Lock()
	delete(s.peers, "http://a") // Nobody can ask it.
	s.mu.Unlock()
	b := s.join("b")
	require.NoError(t, a.HandOver(t.Context()))
	testkit.Eventually(t, func() bool { return serves(b) == 1 }, "the other has the lane")
	testkit.Eventually(t, func() bool {
		owner, err := a.Owner(t.Context(), 0)
		return err == nil && owner == Owner{URL: "http://b"}
	}, "it knows")
}

// A lane that is assigned again while it ends is served again.
func TestDrainingLaneAssignedAgain(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	s.create(1, a)
	ending := a.lanes.serving(0)
	a.revoke([]int32{0})
	require.Same(t, ending, a.lanes.serving(0), "it is draining")
	// Another instance announces a takeover without having asked for the lane.
	s.announce(a.cfg.Cluster, "http://other")
	a.endFenced(t.Context())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	a.assign(ctx, []int32{0})
	testkit.Eventually(t, func() bool {
		try, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Submit(try, keyed(cmd("shipment-0", "note", "x"), "k"))
		return err == nil
	}, "it takes commands again")
	require.NotSame(t, ending, a.lanes.serving(0))
	s.check()
}

// An announcement from before this instance took the lane does not end it.
func TestDrainingLaneOldAnnouncement(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	l := a.lanes.serving(0)
	testkit.Eventually(t, l.announced, "its takeover is announced")
	s.announce(a.cfg.Cluster, "http://earlier")
	l.recorded.Store(0) // As if its own announcement had failed.
	a.revoke([]int32{0})
	a.endFenced(t.Context())
	s.create(1, a)
	require.Same(t, l, a.lanes.serving(0))
}

// The announcement of an earlier takeover says nothing of who has had the lane since.
func TestAnnouncedByLastTakeoverOnly(t *testing.T) {
	t.Parallel()
	var s status
	require.False(t, s.announced())
	earlier := s.announcing()
	last := s.announcing()
	earlier()
	require.False(t, s.announced())
	last()
	require.True(t, s.announced())
	earlier()
	require.True(t, s.announced())
}

// An instance that releases a lane before its own takeover is announced takes neither itself nor the owner before it
// for the next owner.
func TestReleasedLaneUnannounced(t *testing.T) {
	t.Parallel()
	const earlier = "http://earlier"
	unannounced := func(t *testing.T) (*fleet, *instance, *lane) {
		t.Helper()
		s := newFleet(t, 1)
		c := DefaultConfig()
		s.announce(c.Cluster, earlier)
		a := s.join("a").ready()
		l := a.lanes.serving(0)
		testkit.Eventually(t, l.announced, "its takeover is announced")
		s.announce(c.Cluster, earlier) // As if it were not yet.
		l.recorded.Store(0)
		a.revoke([]int32{0})
		return s, a, l
	}
	t.Run("the next owner has taken it at once", func(t *testing.T) {
		t.Parallel()
		s, a, l := unannounced(t)
		s.announce(a.cfg.Cluster, "http://next")
		require.NoError(t, a.Release(t.Context(), 0))
		testkit.Eventually(t, func() bool {
			select {
			case <-l.gone:
				return true
			default:
				return false
			}
		}, "it is not taken back")
	})
	t.Run("its own announcement comes late", func(t *testing.T) {
		t.Parallel()
		s, a, _ := unannounced(t)
		asked := s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Observe: true, Count: -1})
		require.NoError(t, a.Release(t.Context(), 0))
		testkit.Eventually(t, func() bool { return asked.Hits() > 10 }, "it looks for the next taker")
		s.announce(a.cfg.Cluster, a.cfg.Advertise)
		testkit.Eventually(t, func() bool { return a.lanes.opened(0) }, "it is taken back, since nobody took it")
		s.create(1, a)
	})
}
