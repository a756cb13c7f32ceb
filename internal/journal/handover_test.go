package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
)

// Every instance knows the owner of every lane.
func TestOwnerOnEveryInstance(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 4)
	a := s.join("a").ready()
	b := s.join("b")
	testkit.Eventually(t, func() bool { return serves(a) == 2 && serves(b) == 2 }, "two lanes each")
	for lane := range int32(4) {
		fromA, err := a.Owner(t.Context(), lane)
		require.NoError(t, err)
		fromB, err := b.Owner(t.Context(), lane)
		require.NoError(t, err)
		require.Equal(t, fromA.URL, fromB.URL)
		require.NotEqual(t, fromA.Self, fromB.Self)
	}
	_, err := a.Owner(t.Context(), 4)
	require.ErrorIs(t, err, ErrInvalid)
}

// No call fails while instances join and hand their lanes over.
func TestHandOverFailsNoCall(t *testing.T) {
	t.Parallel()
	for _, static := range []bool{false, true} {
		t.Run(fmt.Sprintf("static=%t", static), func(t *testing.T) {
			t.Parallel()
			s := newFleet(t, 3)
			member := func(name string) option {
				return config(func(c *Config) {
					if static {
						c.InstanceID = name
					}
				})
			}
			a := s.join("a", member("a")).ready()
			ids := s.create(6, a)
			b := s.join("b", member("b"))
			work := s.load(ids, a, b)
			testkit.Eventually(t, func() bool { return serves(b) > 0 }, "the new instance has lanes")

			require.NoError(t, a.HandOver(t.Context()))
			testkit.Eventually(t, func() bool { return serves(b) == 3 }, "the other has all lanes")
			require.Zero(t, serves(a))
			require.Positive(t, s.asked.Load(), "last owners were asked before the fence")
			c := s.join("c", member("c"))
			testkit.Eventually(t, func() bool { return serves(c) > 0 }, "the third has lanes")
			require.NoError(t, b.HandOver(t.Context()))
			testkit.Eventually(t, func() bool { return serves(c) == 3 }, "it has all lanes")
			t.Logf("%d commands, longest time without an answer %s", work.count.Load(), time.Duration(work.gap.Load()))
			work.end(len(ids))
			for _, i := range []*instance{a, b, c} {
				require.Zero(t, counted(i.metrics.batches.WithLabelValues("unknown")), "no batch was fenced in the middle")
			}
		})
	}
}

// An instance that leaves serves its lanes until the next owner takes them, though the group has given them away.
func TestHandOverWaitsForNextOwner(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a").ready()
	ids := s.create(2, a)
	hold := make(chan struct{})
	b := s.join("b", s.asksAfter(hold))
	s.settled(b)
	handed := make(chan error, 1)
	go func() { handed <- a.HandOver(t.Context()) }()
	testkit.Eventually(t, func() bool {
		assigned, _ := a.lanes.current()
		return len(assigned) == 0
	}, "they are the other's in the group")
	for i := range 100 { // For much longer than between two checks of HandOver.
		require.False(t, a.mustSubmit(cmd(ids[i%2], "note", fmt.Sprint(i))).Repeated)
	}
	select {
	case err := <-handed:
		t.Fatalf("it left with lanes that it serves: %v", err)
	default:
	}
	close(hold)
	require.NoError(t, <-handed)
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "the other has the lanes")
	s.check()
}

// The last instance has nobody to hand over to, and does not wait.
func TestHandOverOfLastInstance(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a").ready()
	ids := s.create(2, a)
	require.NoError(t, a.HandOver(t.Context()))
	// It serves until it is stopped.
	require.EqualValues(t, 2, a.mustSubmit(cmd(ids[0], "note", "x")).Version)
	a.stop()
	b := s.join("b").ready()
	require.EqualValues(t, 3, b.mustSubmit(cmd(ids[0], "note", "y")).Version)
	s.check()
}

// A lane whose owner is frozen is fenced without its consent.
func TestTakeoverOfFrozenOwner(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	frozen := func(_ *Config, _ *Deps, j *Journal) {
		j.hooks.onCommitted = func(int32) {
			once.Do(func() {
				close(held)
				<-hold
			})
		}
	}
	a := s.join("a", frozen).ready()
	answer := make(chan error, 1)
	go func() {
		_, err := a.Submit(context.WithoutCancel(t.Context()), createCmd("x"))
		answer <- err
	}()
	<-held // The lane's goroutine is held between a commit and the store.
	b := s.join("b", config(func(c *Config) { c.ReleaseTimeout = 50 * time.Millisecond }))
	go func() { _ = a.HandOver(t.Context()) }()
	testkit.Eventually(t, func() bool { return serves(b) == 1 }, "the other has the lane")
	r, err := s.send(t.Context(), b, cmd("x", "note", "1"))
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Version)
	require.Positive(t, counted(b.metrics.releases.WithLabelValues("unanswered")))
	close(hold)
	require.NoError(t, <-answer, "the durable command is answered")
	late, err := s.send(t.Context(), a, cmd("x", "note", "2"))
	require.NoError(t, err)
	require.EqualValues(t, 3, late.Version, "the new owner decides a command that reached the old one")
	s.check()
}

// An instance knows that it owns a lane that it serves, even while the group can't answer.
func TestOwnerDuringRebalance(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	s.cluster.ControlKey(int16(kmsg.DescribeGroups), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		return nil, errors.New("a rebalance"), true
	})
	self := Owner{URL: "http://a", Self: true}
	a.OwnerWrong(0, self)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	defer cancel()
	owner, err := a.Owner(ctx, 0)
	require.NoError(t, err)
	require.Equal(t, self, owner)
}
