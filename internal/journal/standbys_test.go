package journal

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/testkit"
)

// A standby holds what the next owner must know.
func TestStandbyKeepsUp(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a", config(func(c *Config) { c.InstanceID = "a" })).ready()
	b := s.join("b", config(func(c *Config) { c.InstanceID = "b" }))
	testkit.Eventually(t, func() bool { return serves(a) == 1 && serves(b) == 1 }, "a lane each")
	ids := s.create(20, a)
	s.append(note("early", "n1", toy{Kind: "note"}))
	mine := assignedLane(a)
	owner := a.lanes.serving(mine)
	testkit.Eventually(t, func() bool {
		st := b.standbys.current()[mine]
		if st == nil {
			return false
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.store != nil && st.store.Meta().Events.Seq > 0 && st.store.Meta().Events == eventsOf(owner)
	}, "the standby has the position of the owner")
	require.InDelta(t, 1, counted(b.metrics.followed), 0)

	a.stop() // It is a static member: the group keeps its lane for it until the session ends, as after a kill.
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "the other has both lanes")
	require.Zero(t, counted(b.metrics.rebuilds))
	for _, id := range ids {
		r, err := s.send(t.Context(), b, cmd(id, "note", "after"))
		require.NoError(t, err)
		require.EqualValues(t, 2, r.Version)
	}
	s.check()
}

// eventsOf returns the position of an idle lane's store.
func eventsOf(l *lane) lanestore.TopicPosition { return l.store.Meta().Events }

// A store that the standby removed is not passed to the lane.
func TestStandbyRemovesBrokenStore(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a").ready()
	b := s.join("b")
	testkit.Eventually(t, func() bool { return serves(a) == 1 && serves(b) == 1 }, "a lane each")
	lane := assignedLane(a)
	followed := func() *standby { return b.standbys.current()[lane] }
	testkit.Eventually(t, func() bool {
		st := followed()
		if st == nil {
			return false
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.store != nil
	}, "the lane has a standby")
	st := followed()
	b.standbys.apply(t.Context(), st, kgo.FetchTopicPartition{
		Topic: events.TopicEvents, FetchPartition: kgo.FetchPartition{
			Partition: lane, Records: []*kgo.Record{{Topic: events.TopicEvents, Partition: lane, Value: []byte("no event")}},
		},
	})
	st.mu.Lock()
	require.Nil(t, st.store)
	st.mu.Unlock()

	require.NoError(t, a.HandOver(t.Context()))
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "the other has both lanes")
	s.create(4, b)
	s.check()
}

// An instance without standbys takes lanes over as well.
func TestTakeoverWithoutStandby(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	without := config(func(c *Config) { c.Standbys = 0 })
	a := s.join("a", without).ready()
	ids := s.create(4, a)
	b := s.join("b", without)
	require.NoError(t, a.HandOver(t.Context()))
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "it has both lanes")
	testkit.Eventually(t, func() bool { return counted(b.metrics.followed) == 0 }, "it follows none")
	for _, id := range ids {
		require.EqualValues(t, 2, b.mustSubmit(cmd(id, "note", "x")).Version)
	}
	s.check()
}
