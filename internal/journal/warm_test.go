package journal

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
)

// coldness makes an instance report that it is far from the end of every lane, until a test lets it be warm.
type coldness struct{ ended atomic.Bool }

func (c *coldness) option() option {
	return func(_ *Config, _ *Deps, j *Journal) {
		j.hooks.left = func(_ int32, left int64) int64 {
			if c.ended.Load() {
				return left
			}
			return 1e9
		}
	}
}

// slow makes an instance read lanes for as long as it is cold.
func (c *coldness) slow() option {
	return func(_ *Config, _ *Deps, j *Journal) {
		j.hooks.onTakeover = func(ctx context.Context) {
			for !c.ended.Load() && ctx.Err() == nil {
				wait(ctx, 10*time.Millisecond)
			}
		}
	}
}

// settled waits until instances are members.
func (s *fleet) settled(instances ...*instance) {
	s.Helper()
	testkit.Eventually(s, func() bool {
		for _, i := range instances {
			i.lanes.mu.Lock()
			joined := i.lanes.joined && i.lanes.planned
			i.lanes.mu.Unlock()
			if !joined {
				return false
			}
		}
		return true
	}, "all are members")
}

// An instance with an empty disk gets no lane, and is not ready, before it is warm. No call fails meanwhile.
func TestEmptyJoinerWaitsUntilWarm(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 4)
	a := s.join("a").ready()
	ids := s.create(8, a)
	var cold coldness
	b := s.join("b", cold.option())
	s.settled(b)
	work := s.load(ids, a, b)
	testkit.Eventually(t, func() bool { return len(b.standbys.current()) > 0 }, "it reads lanes")
	require.ErrorContains(t, b.Accepting(), "can be taken over")
	before := work.count.Load()
	testkit.Eventually(t, func() bool { return work.count.Load() > before+100 }, "calls through both are answered")
	require.Zero(t, serves(b))
	require.Equal(t, 4, serves(a))
	cold.ended.Store(true)
	testkit.Eventually(t, func() bool { return serves(b) == 2 && serves(a) == 2 }, "it has its share")
	require.NoError(t, b.Accepting())
	work.end(len(ids))
}

// An instance that stops serves its lanes until another one is warm, and says which lanes it could not hand over.
func TestHandOverWaitsForWarmInstance(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a").ready()
	ids := s.create(4, a)
	var cold coldness
	b := s.join("b", cold.option())
	s.settled(b)
	work := s.load(ids, a, b)
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	handed := make(chan error, 1)
	go func() { handed <- a.HandOver(t.Context()) }()
	testkit.Eventually(t, func() bool { return len(b.standbys.current()) == 2 }, "the other one reads the lanes")
	<-short.Done()
	require.Equal(t, 2, serves(a))
	require.Zero(t, serves(b))
	cold.ended.Store(true)
	require.NoError(t, <-handed)
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "it has the lanes")
	work.end(len(ids))
}

func TestHandOverNamesColdLanes(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a").ready()
	ids := s.create(4, a)
	var cold coldness
	b := s.join("b", cold.option())
	s.settled(b)
	limited, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorContains(t, a.HandOver(limited), "no other instance was warm for lanes [0 1]")
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "it takes them, as cold as it is, since nobody else is left")
	for _, id := range ids {
		require.EqualValues(t, 2, b.mustSubmit(cmd(id, "note", "x")).Version)
	}
}

// Two of three leave together.
func TestHandOverOfTwoTogether(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 6)
	a := s.join("a").ready()
	ids := s.create(12, a)
	b, c := s.join("b"), s.join("c")
	testkit.Eventually(t, func() bool { return serves(a) == 2 && serves(b) == 2 && serves(c) == 2 }, "two lanes each")
	work := s.load(ids, a)
	handed := make(chan error, 2)
	for _, leaving := range []*instance{b, c} {
		go func() { handed <- leaving.HandOver(t.Context()) }()
	}
	require.NoError(t, <-handed)
	require.NoError(t, <-handed)
	testkit.Eventually(t, func() bool { return serves(a) == 6 }, "the one that stays has all lanes")
	work.end(len(ids))
}

// The next owner dies after the last one has released the lane, and before it has fenced it.
func TestReleasedLaneTakenBack(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	ids := s.create(1, a)
	l := a.lanes.serving(0)
	testkit.Eventually(t, l.announced, "its takeover is announced")
	a.revoke([]int32{0})
	require.NoError(t, a.Release(t.Context(), 0))
	testkit.Eventually(t, func() bool { return a.lanes.serving(0) == nil }, "it is released")
	_, err := a.Submit(t.Context(), cmd(ids[0], "note", "x"))
	require.ErrorIs(t, err, ErrNotOwner, "callers look for the next owner")
	testkit.Eventually(t, func() bool { return a.lanes.opened(0) }, "it serves again, since nobody took it")
	require.EqualValues(t, 2, a.mustSubmit(cmd(ids[0], "note", "x")).Version)
	s.check()
}

// A draining lane has no time limit, and survives errors that are no fence.
func TestDrainingLaneOutlivesError(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	ids := s.create(1, a)
	l := a.lanes.serving(0)
	a.revoke([]int32{0})
	l.intake.again <- struct{}{} // The lane is taken over again, as after a lost marker.
	testkit.Eventually(t, func() bool {
		return counted(a.metrics.takeovers.WithLabelValues("opened")) == 2 && a.lanes.opened(0)
	}, "it is open again")
	require.EqualValues(t, 2, a.mustSubmit(cmd(ids[0], "note", "x")).Version)
	require.Same(t, l, a.lanes.serving(0))
}

// asksAfter holds an instance that was assigned a lane before it asks for it, until a channel is closed.
func (s *fleet) asksAfter(hold <-chan struct{}) option {
	return func(c *Config, d *Deps, _ *Journal) {
		c.ReleaseTimeout = testkit.Limit
		d.AskRelease = func(ctx context.Context, url string, lane int32) error {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return s.askRelease(ctx, url, lane)
		}
	}
}

// A lane that was assigned and that its new owner still reads is asked of the one that serves it, by everybody.
func TestOwnerIsLastTakerUntilOpen(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a").ready()
	ids := s.create(4, a)
	testkit.Eventually(t, func() bool {
		return a.lanes.serving(0).announced() && a.lanes.serving(1).announced()
	}, "its takeovers are announced")
	hold := make(chan struct{})
	b := s.join("b", s.asksAfter(hold))
	testkit.Eventually(t, func() bool {
		assigned, _ := b.lanes.current()
		return len(assigned) == 1
	}, "a lane is assigned to it")
	var cold coldness
	c := s.join("c", cold.option())
	s.settled(c)
	for lane := range int32(2) {
		for _, from := range []*instance{a, b, c} {
			owner, err := from.Owner(t.Context(), lane)
			require.NoError(t, err)
			require.Equal(t, "http://a", owner.URL, "lane %d as %s sees it", lane, from.cfg.Advertise)
		}
	}
	for _, id := range ids {
		r, err := s.send(t.Context(), b, cmd(id, "note", "x"))
		require.NoError(t, err)
		require.EqualValues(t, 2, r.Version)
	}
	close(hold)
	testkit.Eventually(t, func() bool { return serves(b) == 1 }, "it has the lane")
	for _, id := range ids {
		r, err := s.send(t.Context(), c, cmd(id, "note", "y"))
		require.NoError(t, err)
		require.EqualValues(t, 3, r.Version)
	}
}

// rejoinUnread makes the embedded broker treat a static member that returns as Apache Kafka does: it gets its last
// assignment, and the group does not read what it says in its join.
func (s *fleet) rejoinUnread() {
	if s.cluster == nil {
		return
	}
	last := map[string][]kmsg.JoinGroupRequestProtocol{} // By the instance id; the broker calls one function at a time.
	s.cluster.ControlKey(int16(kmsg.JoinGroup), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		req := kreq.(*kmsg.JoinGroupRequest)
		if id := req.InstanceID; id != nil {
			if before := last[*id]; before != nil && req.MemberID == "" {
				req.Protocols = before // kfake skips the rebalance only if the join says nothing new.
			}
			last[*id] = req.Protocols
		}
		return nil, nil, false
	})
}

// A static member that returns with an empty disk gets its old lanes from the group. The warm standby gets them then.
func TestStaticMemberReturnsWithEmptyDisk(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		for _, who := range []string{"leader", "member"} {
			t.Run(who, func(t *testing.T) {
				t.Parallel()
				s := &fleet{bundle: setupOn(t, on, 2), peers: map[string]*instance{}}
				s.rejoinUnread()
				member := func(name string) option {
					return config(func(c *Config) { c.InstanceID, c.SessionTimeout = name, 20*time.Second })
				}
				a := s.join("a", member("a")).ready()
				b := s.join("b", member("b"))
				testkit.Eventually(t, func() bool { return serves(a) == 1 && serves(b) == 1 }, "a lane each")
				ids := s.create(6, a)
				testkit.Eventually(t, func() bool {
					ra, rb := a.report(), b.report()
					return ra.Warm(0) && ra.Warm(1) && rb.Warm(0) && rb.Warm(1)
				}, "each is a warm standby of the other")
				returns, stays, name := a, b, "a" // The first member is the leader.
				if who == "member" {
					returns, stays, name = b, a, "b"
				}
				returns.stop()
				var cold coldness
				again := s.join(name, member(name), cold.option(), cold.slow())
				testkit.Eventually(t, func() bool { return serves(stays) == 2 }, "the standby has both lanes")
				for _, id := range ids {
					r, err := s.send(t.Context(), again, cmd(id, "note", "x"))
					require.NoError(t, err)
					require.EqualValues(t, 2, r.Version)
				}
				cold.ended.Store(true)
				testkit.Eventually(t, func() bool { return serves(stays) == 1 && serves(again) == 1 }, "a lane each again")
			})
		}
	})
}

// After a restart of all instances the one with an empty disk joins first, and keeps no lane from one that is warm.
func TestRestartWithEmptyDiskFirst(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	dir := t.TempDir()
	a := s.join("a", storeIn(dir)).ready()
	ids := s.create(4, a)
	a.stop()
	var cold coldness
	empty := s.join("empty", cold.option())
	testkit.Eventually(t, func() bool { return serves(empty) == 2 }, "it has all lanes, for want of others")
	require.EqualValues(t, 2, empty.mustSubmit(cmd(ids[0], "note", "x")).Version)
	empty.stop()

	// Now it is still reading when the warm one comes.
	hold := make(chan struct{})
	reading := func(_ *Config, d *Deps, _ *Journal) {
		d.AskRelease = func(ctx context.Context, _ string, _ int32) error {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
	}
	defer close(hold)
	empty = s.join("empty again", cold.option(), reading, config(func(c *Config) { c.ReleaseTimeout = testkit.Limit }))
	testkit.Eventually(t, func() bool {
		assigned, _ := empty.lanes.current()
		return len(assigned) == 2
	}, "the lanes are assigned to it")
	warm := s.join("a", storeIn(dir))
	testkit.Eventually(t, func() bool { return serves(warm) == 2 }, "the warm one has all lanes")
	require.EqualValues(t, 3, warm.mustSubmit(cmd(ids[0], "note", "x")).Version)
}

// An instance that finds its store gone after it was assigned the lane says so, and the standby gets the lane.
func TestStoreLostAfterAssignment(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 2)
	a := s.join("a", config(func(c *Config) { c.RebalanceEvery = 100 * time.Millisecond })).ready()
	b := s.join("b")
	testkit.Eventually(t, func() bool { return serves(a) == 1 && serves(b) == 1 }, "a lane each")
	var lost coldness
	lost.ended.Store(true)
	hold := make(chan struct{})
	c := s.join("c", lost.option(), func(cfg *Config, d *Deps, _ *Journal) {
		cfg.RebalanceEvery, cfg.ReleaseTimeout = 100*time.Millisecond, testkit.Limit
		d.AskRelease = func(ctx context.Context, _ string, _ int32) error {
			select { // It never takes a lane.
			case <-hold:
			case <-ctx.Done():
			}
			return ctx.Err()
		}
	})
	s.settled(c)
	handed := make(chan error, 1)
	go func() { handed <- a.HandOver(t.Context()) }()
	testkit.Eventually(t, func() bool {
		assigned, _ := c.lanes.current()
		return len(assigned) == 1
	}, "the lane is assigned to it")
	lost.ended.Store(false)
	require.NoError(t, <-handed)
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "the other standby has the lane")
	close(hold)
}

// Instances are replaced one after the other, with their disks and without. No call fails, and no lane moves twice.
func TestRollingDeployFailsNoCall(t *testing.T) {
	t.Parallel()
	for _, disk := range []bool{true, false} {
		t.Run(fmt.Sprintf("keeps disks %t", disk), func(t *testing.T) {
			t.Parallel()
			s := newFleet(t, 6)
			dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
			var all []*instance
			for n, dir := range dirs {
				all = append(all, s.join(fmt.Sprint("first-", n), storeIn(dir)))
			}
			even := func() bool { return serves(all[0]) == 2 && serves(all[1]) == 2 && serves(all[2]) == 2 }
			testkit.Eventually(t, even, "two lanes each")
			stays := s.join("stays") // Callers need an instance that stays.
			s.settled(stays)
			ids := s.create(12, stays)
			work := s.load(ids, stays)
			for n, dir := range dirs {
				require.NoError(t, all[n].HandOver(t.Context()))
				all[n].stop()
				if !disk {
					dir = t.TempDir()
				}
				all[n] = s.join(fmt.Sprint("second-", n), storeIn(dir))
				testkit.Eventually(t, func() bool { return all[n].Accepting() == nil }, "it is ready")
			}
			testkit.Eventually(t, func() bool {
				total := serves(stays)
				for _, i := range all {
					total += serves(i)
				}
				return total == 6
			}, "all lanes are served")
			work.end(len(ids))
		})
	}
}

// Instances that found themselves balanced ask for no more rebalances.
func TestRebalancesComeToRest(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 6)
	a := s.join("a").ready()
	b, c := s.join("b"), s.join("c")
	testkit.Eventually(t, func() bool { return serves(a) == 2 && serves(b) == 2 && serves(c) == 2 }, "two lanes each")
	s.settled(a, b, c)
	for _, i := range []*instance{a, b, c} {
		require.LessOrEqual(t, i.members.Asked(), uint64(3), "rebalances that %s asked for", i.cfg.Advertise)
	}
}

// An instance that the group has lost is not ready until it is a member again.
func TestJournalLostByGroup(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	require.NoError(t, a.Accepting())
	var cutOff atomic.Bool
	cutOff.Store(true)
	refuse := func(key kmsg.Key, answer func(kmsg.Request) kmsg.Response) {
		s.cluster.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
			s.cluster.KeepControl()
			if !cutOff.Load() {
				return nil, nil, false
			}
			return answer(req), nil, true
		})
	}
	refuse(kmsg.Heartbeat, func(req kmsg.Request) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp
	})
	refuse(kmsg.JoinGroup, func(req kmsg.Request) kmsg.Response {
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp
	})
	testkit.Eventually(t, func() bool { return a.Accepting() != nil }, "it is not ready")
	require.ErrorIs(t, a.Accepting(), errNotJoined)
	cutOff.Store(false)
	testkit.Eventually(t, func() bool { return a.Accepting() == nil }, "it is ready again")
}

// A store on disk counts from the first join on. An empty disk has everything to read.
func TestReportBeforeFirstJoin(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 3)
	dir := t.TempDir()
	a := s.join("a", storeIn(dir)).ready()
	s.create(30, a)
	a.stop()
	s.cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return resp, nil, true
	})
	warm, empty := s.join("warm", storeIn(dir)), s.join("empty")
	for lane := range int32(3) {
		testkit.Eventually(t, func() bool { left := warm.report().Lanes[lane]; return left >= 0 && left <= 2 }, "only markers are left to read")
		testkit.Eventually(t, func() bool { return empty.report().Lanes[lane] > 10 }, "everything is left to read")
	}
}
