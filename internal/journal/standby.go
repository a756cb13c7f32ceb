package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// follower keeps the stores of the lanes that this instance does not serve up to date, so that taking one over is a
// fence and a short read. It reads what anybody may read, with one client for all lanes, and decides nothing. What goes
// wrong with a lane leaves that lane to its takeover, which judges it after the fence.
type follower struct {
	j *Journal

	mu       sync.Mutex
	standbys map[int32]*standby  // Followed; guarded by mu.
	given    map[int32]time.Time // Lanes that are left alone until then; guarded by mu.
}

// standby is the store of a lane that is followed. Its lock is held while records are applied.
type standby struct {
	id    int32
	mu    sync.Mutex
	taken bool             // The lane has it now; guarded by mu.
	store *store           // Guarded by mu.
	seen  map[string]int64 // How far each topic has been read; guarded by mu.
}

const (
	// followEvery is how soon a lane that comes or goes is noticed.
	followEvery = 200 * time.Millisecond
	// leaveAlone is how long a lane that can't be followed is left alone.
	leaveAlone = time.Minute
)

func newFollower(j *Journal) *follower {
	return &follower{j: j, standbys: map[int32]*standby{}, given: map[int32]time.Time{}}
}

// take ends the following of a lane and returns its store and how far each topic has been read; nil where it has none.
// It waits for whatever is being done with the store, so that it is free, or the caller's, when take returns.
func (f *follower) take(id int32) (*store, map[string]int64) {
	f.mu.Lock()
	s := f.standbys[id]
	delete(f.standbys, id)
	f.mu.Unlock()
	if s == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = true
	f.j.metrics.standbyLag.DeleteLabelValues(strconv.Itoa(int(id)))
	return s.store, s.seen
}

// run follows lanes until ctx ends, and lets go of their stores.
func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.session(ctx); err != nil && ctx.Err() == nil {
			f.j.log.WarnContext(ctx, "lanes not followed", slog.Any("err", err))
			wait(ctx, time.Second)
		}
	}
	f.mu.Lock()
	ids := maps.Clone(f.standbys)
	f.mu.Unlock()
	for id := range ids {
		f.drop(id)
	}
}

// session follows the lanes that nobody here serves, until those are others.
func (f *follower) session(ctx context.Context) error {
	if err := f.adopt(ctx); err != nil {
		return err
	}
	from := map[string]map[int32]kgo.Offset{events.TopicEvents: {}, events.TopicDecisions: {}}
	following := f.following()
	f.j.metrics.followed.Set(float64(len(following)))
	for id, s := range following {
		s.mu.Lock()
		if !s.taken && s.store != nil {
			m := &s.store.meta
			from[events.TopicEvents][id] = kgo.NewOffset().At(max(m.Events.Next, s.seen[events.TopicEvents]))
			from[events.TopicDecisions][id] = kgo.NewOffset().At(max(m.Decisions.Next, s.seen[events.TopicDecisions]))
		}
		s.mu.Unlock()
	}
	if len(from[events.TopicEvents]) == 0 {
		wait(ctx, followEvery)
		return nil
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, f.j.deps.Options...),
		kgo.ConsumePartitions(from),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // The position must move over markers, as in scan.
		kgo.FetchMaxWait(time.Second),
	)...)
	if err != nil {
		return fmt.Errorf("follow lanes: %w", err)
	}
	defer client.Close()
	for ctx.Err() == nil && f.same(following) {
		bounded, cancel := context.WithTimeout(ctx, followEvery)
		fetches := client.PollFetches(bounded)
		cancel()
		for _, e := range fetches.Errors() {
			switch {
			case errors.Is(e.Err, context.DeadlineExceeded), ctx.Err() != nil:
			case errors.Is(e.Err, kerr.OffsetOutOfRange):
				f.giveUp(ctx, e.Partition, e.Err)
			default:
				return e.Err
			}
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { f.apply(ctx, following[p.Partition], p) })
	}
	return nil
}

// wanted are the lanes to follow now: those that this instance does not serve, and whose store nobody here holds. The
// journal's mu is held.
func (f *follower) wanted() map[int32]bool {
	if !f.j.joined {
		return nil // Some may be about to be assigned.
	}
	wanted := map[int32]bool{}
	for id := range int32(f.j.cfg.Lanes) {
		if f.j.lanes[id] != nil || f.j.lingering[id] != nil {
			continue
		}
		if last := f.j.last[id]; last != nil {
			select {
			case <-last:
			default:
				continue
			}
		}
		wanted[id] = true
	}
	return wanted
}

// adopt opens the stores of lanes that are not followed yet.
func (f *follower) adopt(ctx context.Context) error {
	if f.same(f.following()) {
		return nil
	}
	want, err := f.j.identity(ctx)
	if err != nil {
		return err
	}
	for _, s := range f.reserve() {
		store, err := openStore(ctx, f.j, s.id, want)
		s.store = store
		s.mu.Unlock()
		if err != nil {
			f.giveUp(ctx, s.id, err)
		}
	}
	return nil
}

// reserve enters the lanes to adopt, each locked, so that a lane that is assigned now waits for its store to be opened.
// No lane can be assigned between the asking and the entering: two would open one store, and the second throws away
// what it can't open.
func (f *follower) reserve() []*standby {
	f.j.mu.Lock()
	defer f.j.mu.Unlock()
	wanted := f.wanted()
	f.mu.Lock()
	defer f.mu.Unlock()
	var fresh []*standby
	for id := range wanted {
		if f.standbys[id] != nil || time.Now().Before(f.given[id]) {
			continue
		}
		s := &standby{id: id}
		s.mu.Lock() // adopt unlocks it.
		f.standbys[id] = s
		fresh = append(fresh, s)
	}
	return fresh
}

func (f *follower) following() map[int32]*standby {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.standbys)
}

// same tells whether nothing has come or gone since following was asked for.
func (f *follower) same(following map[int32]*standby) bool {
	f.j.mu.Lock()
	wanted := f.wanted()
	f.j.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !maps.Equal(f.standbys, following) {
		return false
	}
	for id := range wanted {
		if f.standbys[id] == nil && time.Now().After(f.given[id]) {
			return false
		}
	}
	return true
}

// apply puts what was fetched of one topic of a lane into its store.
func (f *follower) apply(ctx context.Context, s *standby, p kgo.FetchTopicPartition) {
	if s == nil || len(p.Records) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken || s.store == nil {
		return
	}
	if err := s.apply(p); err != nil {
		if lost := (*lostError)(nil); errors.As(err, &lost) && lost.store || errors.Is(err, ErrDamaged) || errors.Is(err, errStale) {
			_ = s.store.wipe() // The next who needs it builds it again.
			s.store = nil
		}
		go f.giveUp(ctx, s.id, err) // It waits for the lock that is held here.
		return
	}
	if p.Topic == events.TopicEvents {
		lag := max(0, p.LastStableOffset-s.seen[p.Topic])
		f.j.metrics.standbyLag.WithLabelValues(strconv.Itoa(int(s.id))).Set(float64(lag))
	}
}

func (s *standby) apply(p kgo.FetchTopicPartition) error {
	m := &s.store.meta
	pos := m.Events
	if p.Topic == events.TopicDecisions {
		pos = m.Decisions
	}
	// What the store holds from an earlier life is not compared here: the chain of the first record does that.
	r := newReading(s.store, p.Topic, s.id, pos, pos.Last+1)
	checked := s.seen[p.Topic] > 0
	for _, rec := range p.Records {
		if rec.Attrs.IsControl() {
			continue
		}
		checked = true
		var err error
		if p.Topic == events.TopicDecisions {
			_, _, err = r.decision(rec, nil)
		} else {
			_, _, err = r.event(rec)
		}
		if err != nil {
			return err
		}
	}
	if err := r.flush(0); err != nil {
		return err
	}
	if s.seen == nil {
		s.seen = map[string]int64{}
	}
	if checked { // The chain of a record has shown that the store's position is the lane's.
		s.seen[p.Topic] = p.Records[len(p.Records)-1].Offset + 1
	}
	return nil
}

// giveUp leaves a lane alone for a while.
func (f *follower) giveUp(ctx context.Context, id int32, err error) {
	f.j.laneLog(id).WarnContext(ctx, "lane not followed", slog.Any("err", err))
	f.mu.Lock()
	f.given[id] = time.Now().Add(leaveAlone)
	f.mu.Unlock()
	f.drop(id)
}

// drop closes the store of a lane, if nobody has taken it. The lane is entered until that is done, so that whoever
// takes it meanwhile waits.
func (f *follower) drop(id int32) {
	f.mu.Lock()
	s := f.standbys[id]
	f.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	if !s.taken && s.store != nil {
		if err := s.store.close(); err != nil {
			f.j.laneLog(id).Warn("lane store", slog.Any("err", err))
		}
		s.store = nil
	}
	s.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.standbys[id] == s {
		delete(f.standbys, id)
	}
	f.j.metrics.standbyLag.DeleteLabelValues(strconv.Itoa(int(id)))
}
