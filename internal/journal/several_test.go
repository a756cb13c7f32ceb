package journal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/journal/membership"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// several is a ledger with instances that know of each other. Asking a peer is a call here; over HTTP it is one in
// ingest.
type several struct {
	*bundle
	mu    sync.Mutex
	peers map[string]*instance
	asked atomic.Int64 // Releases that were asked for.
}

func newSeveral(t testing.TB, lanes int) *several {
	t.Helper()
	return &several{bundle: setup(t, lanes), peers: map[string]*instance{}}
}

// join starts an instance under a name.
func (s *several) join(name string, opts ...option) *instance {
	s.Helper()
	i := s.start(append([]option{func(c *Config, d *Deps, _ *Journal) {
		c.Advertise = "http://" + name
		d.AskRelease = s.askRelease
	}}, opts...)...)
	s.mu.Lock()
	s.peers["http://"+name] = i
	s.mu.Unlock()
	return i
}

func (s *several) peer(url string) *instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers[url]
}

func (s *several) askRelease(ctx context.Context, url string, lane int32) error {
	s.asked.Add(1)
	i := s.peer(url)
	if i == nil || i.ended {
		return net.ErrClosed
	}
	return i.Release(ctx, lane)
}

// send gives a command to whoever owns its lane, as seen from an instance, until it is decided: what ingest does.
func (s *several) send(ctx context.Context, from *instance, c Command) (Receipt, error) {
	lane := events.Lane(c.ShipmentID, s.lanes)
	if c.Key == "" {
		c.Key = from.NewKey()
	}
	for {
		owner, err := from.Owner(ctx, lane)
		if err != nil {
			return Receipt{}, err
		}
		to := from
		if !owner.Self {
			to = s.peer(owner.URL)
		}
		try, cancel := context.WithTimeout(ctx, time.Second)
		r, err := to.Submit(try, c)
		cancel()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrInvalid) {
			return r, err
		}
		from.OwnerWrong(lane, owner)
	}
}

// load sends commands to shipments without pause from several instances until it is stopped, and returns what was
// answered.
type load struct {
	s     *several
	stop  func()
	wg    sync.WaitGroup
	count atomic.Int64
	gap   atomic.Int64 // The longest time without an answer, in nanoseconds.
}

func (s *several) load(shipments []string, from ...*instance) *load {
	ctx, cancel := context.WithCancel(s.Context())
	l := &load{s: s, stop: cancel}
	for n, id := range shipments {
		l.wg.Go(func() {
			last := time.Now()
			for k := 0; ctx.Err() == nil; k++ {
				limited, done := context.WithTimeout(context.WithoutCancel(ctx), testkit.Limit)
				_, err := s.send(limited, from[n%len(from)], cmd(id, "note", fmt.Sprint(k)))
				done()
				if err != nil {
					s.Errorf("command %d of %s: %v", k, id, err)
					return
				}
				l.count.Add(1)
				now := time.Now()
				if gap := now.Sub(last); gap > time.Duration(l.gap.Load()) {
					l.gap.Store(int64(gap))
				}
				last = now
			}
		})
	}
	return l
}

// end stops the load and requires every answered command to be in the ledger once.
func (l *load) end(created int) {
	l.s.Helper()
	l.stop()
	l.wg.Wait()
	accepted := 0
	for _, lane := range l.s.check().decisions {
		for _, d := range lane {
			if d.GetOutcome() == ledgerv1.Outcome_OUTCOME_ACCEPTED {
				accepted++
			}
		}
	}
	require.EqualValues(l.s, l.count.Load()+int64(created), accepted)
	require.Positive(l.s, l.count.Load())
}

// create makes shipments, one in each lane at least.
func (s *several) create(n int, from *instance) []string {
	s.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("shipment-%d", i)
		ctx, cancel := context.WithTimeout(s.Context(), testkit.Limit)
		_, err := s.send(ctx, from, createCmd(ids[i]))
		cancel()
		require.NoError(s, err)
	}
	return ids
}

// serves returns how many lanes an instance has open.
func serves(i *instance) int {
	n := 0
	assigned, _ := i.lanes.current()
	for _, l := range assigned {
		if l.open.Load() {
			n++
		}
	}
	return n
}

// announce announces that another instance has taken lane 0, whatever the group says.
func (s *several) announce(cluster, url string) {
	s.Helper()
	other := membership.New(membership.Config{Cluster: cluster, Advertise: url, Log: testkit.Logger(s)})
	other.Connect(testkit.Client(s, s.brokers))
	require.True(s, other.AnnounceTakeover(s.Context(), 0, 1))
}

func TestEveryInstanceKnowsWhoOwnsALane(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 4)
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

func TestNoCallFailsWhenInstancesComeAndAreHandedOver(t *testing.T) {
	t.Parallel()
	for _, static := range []bool{false, true} {
		t.Run(fmt.Sprintf("static=%t", static), func(t *testing.T) {
			t.Parallel()
			s := newSeveral(t, 3)
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
			require.Positive(t, s.asked.Load(), "lanes were asked for, not torn away")
			c := s.join("c", member("c"))
			testkit.Eventually(t, func() bool { return serves(c) > 0 }, "the third has lanes")
			require.NoError(t, b.HandOver(t.Context()))
			testkit.Eventually(t, func() bool { return serves(c) == 3 }, "it has all lanes")
			t.Logf("%d commands, longest time without an answer %s", work.count.Load(), time.Duration(work.gap.Load()))
			work.end(len(ids))
			for _, i := range []*instance{a, b, c} {
				require.Zero(t, counted(i.metrics.batches.WithLabelValues("unknown")), "no batch was torn away in the middle")
			}
		})
	}
}

func TestTheLastInstanceHasNobodyToHandOverTo(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 2)
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

func TestACommandWithoutAKeyIsDecidedOnceHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
	a := s.join("a").ready()
	s.create(1, a)
	c := keyed(cmd("shipment-0", "note", "x"), a.NewKey())
	first := a.mustSubmit(c)
	b := s.join("b")
	require.NoError(t, a.HandOver(t.Context()))
	testkit.Eventually(t, func() bool { return serves(b) == 1 }, "the other has the lane")
	again := b.mustSubmit(c)
	require.True(t, again.Repeated)
	require.Equal(t, first.Version, again.Version)
	require.Equal(t, first.Offset, again.Offset)
	s.check()
}

func TestAGeneratedKeyIsRefusedWhenItsAnswerMayBeForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var ahead atomic.Int64
	j := b.start(clock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })).ready()
	j.mustSubmit(createCmd("a"))
	key := j.NewKey()
	c := keyed(cmd("a", "note", "x"), key)
	first := j.mustSubmit(c)
	require.True(t, j.mustSubmit(c).Repeated)
	answered := func() bool {
		a, err := j.lanes.serving(0).store.Answered("a", key)
		require.NoError(t, err)
		return a != nil
	}
	require.True(t, answered())

	ahead.Store(int64(11 * time.Minute))
	_, err := j.Submit(t.Context(), c)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = j.Submit(t.Context(), keyed(cmd("a", "note", "y"), lanestore.EphemeralKey+"zzz"))
	require.ErrorIs(t, err, ErrInvalid)

	ahead.Store(int64(2 * time.Hour))
	require.Equal(t, first.Version+1, j.mustSubmit(cmd("a", "note", "z")).Version)
	require.False(t, answered(), "the store does not grow with them")
}

func TestAnInstanceThatIsAskedForALaneOfItsOwnTakesItBack(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
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

func TestAStandbyHoldsWhatItsNextOwnerMustKnow(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 2)
	a := s.join("a", config(func(c *Config) { c.InstanceID = "a" })).ready()
	b := s.join("b", config(func(c *Config) { c.InstanceID = "b" }))
	testkit.Eventually(t, func() bool { return serves(a) == 1 && serves(b) == 1 }, "a lane each")
	ids := s.create(20, a)
	s.append(note("early", "n1", toy{Kind: "note"}))
	mine := slices.Collect(func(yield func(int32) bool) {
		for lane := range int32(2) {
			if a.lanes.serving(lane) != nil && !yield(lane) {
				return
			}
		}
	})[0]
	owner := a.lanes.serving(mine)
	testkit.Eventually(t, func() bool {
		st := b.standbys.current()[mine]
		if st == nil {
			return false
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.store != nil && st.store.Meta().Events.Seq > 0 && st.store.Meta().Events == eventsOf(owner)
	}, "the standby is where the owner is")
	require.InDelta(t, 1, counted(b.metrics.followed), 0)

	a.stop() // Static: the group keeps its lane for it until the session ends, so this is what a kill looks like.
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "the other has both lanes")
	require.Zero(t, counted(b.metrics.rebuilds))
	for _, id := range ids {
		r, err := s.send(t.Context(), b, cmd(id, "note", "after"))
		require.NoError(t, err)
		require.EqualValues(t, 2, r.Version)
	}
	s.check()
}

// eventsOf is where an idle lane's store is.
func eventsOf(l *lane) lanestore.TopicPosition { return l.store.Meta().Events }

func TestALaneWhoseOwnerFrozeIsFencedWithoutItsConsent(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
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
	<-held // Its goroutine stands still after a commit that it has not seen.
	b := s.join("b", config(func(c *Config) { c.ReleaseTimeout = 50 * time.Millisecond }))
	go func() { _ = a.HandOver(t.Context()) }()
	testkit.Eventually(t, func() bool { return serves(b) == 1 }, "the other has the lane")
	r, err := s.send(t.Context(), b, cmd("x", "note", "1"))
	require.NoError(t, err)
	require.EqualValues(t, 2, r.Version)
	require.Positive(t, counted(b.metrics.releases.WithLabelValues("unanswered")))
	close(hold)
	require.NoError(t, <-answer, "what was durable is answered")
	late, err := s.send(t.Context(), a, cmd("x", "note", "2"))
	require.NoError(t, err)
	require.EqualValues(t, 3, late.Version, "what reaches the old owner is decided by the new one")
	s.check()
}

func TestAnIdleLaneThatWasTakenWithoutAWordEnds(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
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

func TestALaneThatIsAssignedAgainWhileItEndsIsServedAgain(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
	a := s.join("a").ready()
	s.create(1, a)
	ending := a.lanes.serving(0)
	a.revoke([]int32{0})
	require.Same(t, ending, a.lanes.serving(0), "it lingers")
	// Another instance's mark, left by a fence that was not asked for.
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

func TestAStoreThatTheFollowerThrewAwayIsNotHandedOn(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 2)
	a := s.join("a").ready()
	b := s.join("b")
	testkit.Eventually(t, func() bool { return serves(a) == 1 && serves(b) == 1 }, "a lane each")
	var lane int32
	if a.lanes.serving(0) == nil {
		lane = 1
	}
	followed := func() *standby { return b.standbys.current()[lane] }
	testkit.Eventually(t, func() bool {
		st := followed()
		if st == nil {
			return false
		}
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.store != nil
	}, "the lane is followed")
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
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "the other has both lanes all the same")
	s.create(4, b)
	s.check()
}

func TestALaneIsFoundHereWhileTheGroupCanNotSay(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
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

func TestAMarkOfAnEarlierOwnerEndsNoLane(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
	a := s.join("a").ready()
	l := a.lanes.serving(0)
	testkit.Eventually(t, l.announced.Load, "its own mark is there")
	s.announce(a.cfg.Cluster, "http://earlier")
	l.announced.Store(false) // As if its own mark had never arrived.
	a.revoke([]int32{0})
	a.endFenced(t.Context())
	s.create(1, a)
	require.Same(t, l, a.lanes.serving(0))
}

func TestALaneWhoseNextOwnerNeverComesEndsInTime(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 1)
	a := s.join("a", config(func(c *Config) { c.DrainTimeout = 20 * time.Millisecond })).ready()
	ids := s.create(1, a)
	a.revoke([]int32{0})
	testkit.Eventually(t, func() bool { return a.lanes.serving(0) == nil }, "it has ended")
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	a.assign(ctx, []int32{0})
	testkit.Eventually(t, func() bool { return serves(a) == 1 }, "it is served again when it is assigned again")
	require.EqualValues(t, 2, a.mustSubmit(cmd(ids[0], "note", "x")).Version)
}

func TestAnInstanceThatFollowsNothingTakesLanesOverAllTheSame(t *testing.T) {
	t.Parallel()
	s := newSeveral(t, 2)
	a := s.join("a").ready()
	ids := s.create(4, a)
	b := s.join("b", config(func(c *Config) { c.NoStandby = true }))
	require.NoError(t, a.HandOver(t.Context()))
	testkit.Eventually(t, func() bool { return serves(b) == 2 }, "it has both lanes")
	require.Zero(t, counted(b.metrics.followed))
	for _, id := range ids {
		require.EqualValues(t, 2, b.mustSubmit(cmd(id, "note", "x")).Version)
	}
	s.check()
}

func TestAStoreThatIsBuiltAgainHoldsNoForgottenKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var ahead atomic.Int64
	ahead.Store(int64(-2 * time.Hour))
	now := clock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	j := b.start(now).ready()
	j.mustSubmit(createCmd("a"))
	old := j.NewKey()
	j.mustSubmit(keyed(cmd("a", "note", "x"), old))
	ahead.Store(0)
	young := j.NewKey()
	j.mustSubmit(keyed(cmd("a", "note", "y"), young))
	j.stop()

	again := b.start(now).ready() // In a folder of its own: everything is read from the lane.
	for key, want := range map[string]bool{old: false, young: true} {
		a, err := again.lanes.serving(0).store.Answered("a", key)
		require.NoError(t, err)
		require.Equal(t, want, a != nil, key)
	}
	require.True(t, again.mustSubmit(keyed(cmd("a", "note", "y"), young)).Repeated)
}
