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
	"github.com/orderledger/orderledger/internal/journal/lanestore"
)

// standbys keep the stores of the lanes that the group's plan names up to date, so that taking one over is a fence and
// a short read. They read committed records, as any consumer may, with one client for all lanes, and decide
// nothing. An error leaves its lane to the takeover, which judges it after the fence.
type standbys struct {
	j *Journal

	mu     sync.Mutex
	byLane map[int32]*standby  // Guarded by mu.
	paused map[int32]time.Time // Lanes that are left alone until then; guarded by mu.
}

// standby is the store of a lane that another instance serves. Its lock is held while records are applied.
type standby struct {
	id    int32
	lanes int
	mu    sync.Mutex
	taken bool             // The lane has it now; guarded by mu.
	store *lanestore.Store // Guarded by mu.
	seen  map[string]int64 // How far each topic has been read; guarded by mu.
}

const (
	// standbyEvery is the interval between checks whether lanes have come or gone.
	standbyEvery = 200 * time.Millisecond
	// standbyPause is how long a lane is left alone after an error.
	standbyPause = time.Minute
)

func newStandbys(j *Journal) *standbys {
	return &standbys{j: j, byLane: map[int32]*standby{}, paused: map[int32]time.Time{}}
}

// take ends the standby of a lane and returns its store and how far each topic has been read; nil if it has none. It
// waits while the store is in use, so that it is free, or the caller's, when take returns.
func (f *standbys) take(id int32) (*lanestore.Store, map[string]int64) {
	f.mu.Lock()
	s := f.byLane[id]
	delete(f.byLane, id)
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

// run keeps standbys until ctx ends, and closes their stores.
func (f *standbys) run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.session(ctx); err != nil && ctx.Err() == nil {
			f.j.log.WarnContext(ctx, "standbys not updated", slog.Any("err", err))
			wait(ctx, time.Second)
		}
	}
	f.mu.Lock()
	ids := maps.Clone(f.byLane)
	f.mu.Unlock()
	for id := range ids {
		f.drop(id)
	}
}

// position returns where to read a topic on. The first record is the last one that the store has, to compare both.
func (s *standby) position(topic string, pos *lanestore.TopicPosition) int64 {
	if seen := s.seen[topic]; seen > 0 {
		return max(pos.Next, seen)
	}
	return pos.From()
}

// session reads the lanes that the plan names, until that set changes.
func (f *standbys) session(ctx context.Context) error {
	if err := f.adopt(ctx); err != nil {
		return err
	}
	from := map[string]map[int32]kgo.Offset{events.TopicEvents: {}, events.TopicDecisions: {}}
	current := f.current()
	f.j.metrics.followed.Set(float64(len(current)))
	for id, s := range current {
		s.mu.Lock()
		if !s.taken && s.store != nil {
			m := s.store.Meta()
			for topic, pos := range map[string]*lanestore.TopicPosition{
				events.TopicEvents: &m.Events, events.TopicDecisions: &m.Decisions,
			} {
				from[topic][id] = kgo.NewOffset().At(s.position(topic, pos))
				if pos.Last < 0 { // There is nothing to compare.
					f.j.warmth.read(id, topic, from[topic][id].EpochOffset().Offset)
				}
			}
		}
		s.mu.Unlock()
	}
	if len(from[events.TopicEvents]) == 0 {
		wait(ctx, standbyEvery)
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
		return fmt.Errorf("read lanes of other instances: %w", err)
	}
	defer client.Close()
	for ctx.Err() == nil && f.unchanged(current) {
		began := time.Now()
		bounded, cancel := context.WithTimeout(ctx, standbyEvery)
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
		fetches.EachPartition(func(p kgo.FetchTopicPartition) { f.apply(ctx, current[p.Partition], p) })
		f.j.warmth.measured(fetches.NumRecords(), time.Since(began))
	}
	return nil
}

// adopt opens the stores of lanes that have no standby yet, and closes those that the plan names no more.
func (f *standbys) adopt(ctx context.Context) error {
	if f.unchanged(f.current()) {
		return nil
	}
	f.j.lanes.mu.Lock()
	follow := f.j.lanes.toFollow(f.j.cfg.Lanes)
	f.j.lanes.mu.Unlock()
	for id := range f.current() {
		if !follow[id] {
			f.drop(id)
		}
	}
	want, err := f.j.topics.identity(ctx)
	if err != nil {
		return err
	}
	for _, s := range f.reserve() {
		store, err := f.j.openStore(ctx, s.id, want.OfLane(s.id))
		s.store = store
		s.mu.Unlock()
		if err != nil {
			f.giveUp(ctx, s.id, err)
		}
	}
	return nil
}

// reserve enters the lanes to adopt, each locked, so that a lane that is assigned now waits for its store to be opened.
// It holds the lock from the check to the entry: otherwise a lane assigned in between would open the same store, and
// the second to open it would remove it as damaged.
func (f *standbys) reserve() []*standby {
	f.j.lanes.mu.Lock()
	defer f.j.lanes.mu.Unlock()
	follow := f.j.lanes.toFollow(f.j.cfg.Lanes)
	f.mu.Lock()
	defer f.mu.Unlock()
	var fresh []*standby
	for id := range follow {
		if f.byLane[id] != nil || time.Now().Before(f.paused[id]) || f.j.damaged.has(id) {
			continue
		}
		s := &standby{id: id, lanes: f.j.cfg.Lanes}
		s.mu.Lock() // adopt unlocks it.
		f.byLane[id] = s
		fresh = append(fresh, s)
	}
	return fresh
}

// current returns the lanes that have a standby now.
func (f *standbys) current() map[int32]*standby {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.byLane)
}

// unchanged reports whether no lane has come or gone since current was called.
func (f *standbys) unchanged(current map[int32]*standby) bool {
	f.j.lanes.mu.Lock()
	follow := f.j.lanes.toFollow(f.j.cfg.Lanes)
	f.j.lanes.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !maps.Equal(f.byLane, current) {
		return false
	}
	for id := range f.byLane {
		if !follow[id] {
			return false
		}
	}
	for id := range follow {
		if f.byLane[id] == nil && time.Now().After(f.paused[id]) && !f.j.damaged.has(id) {
			return false
		}
	}
	return true
}

// apply puts the fetched records of one topic of a lane into its store.
func (f *standbys) apply(ctx context.Context, s *standby, p kgo.FetchTopicPartition) {
	if s == nil || len(p.Records) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken || s.store == nil {
		return
	}
	if err := s.apply(p); err != nil {
		lost := (*lostError)(nil)
		if errors.As(err, &lost) && lost.store || errors.Is(err, ErrDamaged) || errors.Is(err, errStale) {
			_ = s.store.Remove() // The next takeover or standby builds it again.
			s.store = nil
			f.j.warmth.reset(s.id)
		}
		go f.giveUp(ctx, s.id, err) // In a goroutine, because giveUp needs the lock that is held here.
		return
	}
	if seen := s.seen[p.Topic]; seen > 0 {
		f.j.warmth.read(s.id, p.Topic, seen)
	}
	if p.Topic == events.TopicEvents {
		lag := max(0, p.LastStableOffset-s.seen[p.Topic])
		f.j.metrics.standbyLag.WithLabelValues(strconv.Itoa(int(s.id))).Set(float64(lag))
	}
}

// apply puts records into the store as a takeover does. It leaves voided decisions and lost events to the takeover:
// both can be judged only at the end of the lane, after a fence.
func (s *standby) apply(p kgo.FetchTopicPartition) error {
	m := s.store.Meta()
	pos := m.Events
	if p.Topic == events.TopicDecisions {
		pos = m.Decisions
	}
	r := newApplier(s.store, p.Topic, s.id, s.lanes, pos, s.seen[p.Topic])
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
func (f *standbys) giveUp(ctx context.Context, id int32, err error) {
	f.j.laneLog(id).WarnContext(ctx, "standby given up", slog.Any("err", err))
	switch {
	case errors.Is(err, ErrDamaged):
		f.j.damaged.report(id, err, false) // It ends with RetryLane, or when this instance opens the lane.
	case errors.Is(err, errStale): // A store of another lane was removed: nothing is wrong with this one.
	default:
		f.mu.Lock()
		f.paused[id] = time.Now().Add(standbyPause)
		f.mu.Unlock()
	}
	f.drop(id)
}

// drop closes the store of a lane, unless the lane has taken it. The entry stays until the store is closed, so that a
// takeover that begins meanwhile waits.
func (f *standbys) drop(id int32) {
	f.mu.Lock()
	s := f.byLane[id]
	f.mu.Unlock()
	if s == nil {
		return
	}
	s.mu.Lock()
	if !s.taken && s.store != nil {
		if err := s.store.Close(); err != nil {
			f.j.laneLog(id).Warn("lane store not closed", slog.Any("err", err))
		}
		s.store = nil
	}
	s.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byLane[id] == s {
		delete(f.byLane, id)
	}
	f.j.metrics.standbyLag.DeleteLabelValues(strconv.Itoa(int(id)))
}
