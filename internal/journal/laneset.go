package journal

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/orderledger/orderledger/internal/journal/membership"
)

// laneSet holds the lanes of an instance: those that the group assigns to it, and those that are draining.
type laneSet struct {
	mu       sync.Mutex
	assigned map[int32]*lane           // Guarded by mu.
	draining map[int32]*lane           // Taken away by the group and still serving; guarded by mu.
	last     map[int32]<-chan struct{} // Closed when the last lane of that number has closed its store; guarded by mu.
	joined   bool                      // The instance is a member, and the group has answered; guarded by mu.
	plan     membership.Plan           // What the group said beside the lanes; guarded by mu.
	behind   bool                      // Others served lanes when the instance joined; guarded by mu.
	planned  bool                      // plan and behind are set; guarded by mu.
	started  bool                      // The instance has been ready once; guarded by mu.
}

func newLaneSet() laneSet {
	return laneSet{assigned: map[int32]*lane{}, draining: map[int32]*lane{}, last: map[int32]<-chan struct{}{}}
}

// serving returns the lane that decides here, assigned or draining; nil for none, and for one that was released.
func (s *laneSet) serving(id int32) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.assigned[id]; l != nil {
		return l
	}
	if l := s.draining[id]; l != nil && !l.released.Load() {
		return l
	}
	return nil
}

// current returns the assigned lanes, and whether the group has answered at all.
func (s *laneSet) current() (assigned map[int32]*lane, joined bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.assigned), s.joined
}

// has reports whether the instance serves a lane or is about to.
func (s *laneSet) has(id int32) bool { return s.serving(id) != nil }

// opened reports whether the instance serves a lane now.
func (s *laneSet) opened(id int32) bool {
	l := s.serving(id)
	return l != nil && l.open.Load()
}

// left returns the lanes that another instance has yet to take: the open ones and the draining ones.
func (s *laneSet) left() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Collect(maps.Keys(s.draining))
	for id, l := range s.assigned {
		if l.open.Load() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// drains reports whether a lane is draining.
func (s *laneSet) drains(l *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining[l.id] == l
}

// setPlan keeps what the group said beside the lanes.
func (s *laneSet) setPlan(p membership.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = p
	if !s.planned {
		s.planned, s.behind = true, p.Serving
	}
}

// leave notes that the instance is no member any more.
func (s *laneSet) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = false
}

// clear empties the set and returns the lanes that were in it.
func (s *laneSet) clear() []*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	lanes := slices.AppendSeq(slices.Collect(maps.Values(s.assigned)), maps.Values(s.draining))
	clear(s.assigned)
	clear(s.draining)
	return lanes
}

// toFollow returns the lanes that need a standby here, and whose store no ending lane holds; mu is held.
func (s *laneSet) toFollow(lanes int) map[int32]bool {
	if !s.planned {
		return nil // Some may be about to be assigned.
	}
	follow := map[int32]bool{}
	for id := range int32(lanes) {
		if !s.plan.FollowAll && !slices.Contains(s.plan.Follow, id) {
			continue
		}
		if s.assigned[id] != nil || s.draining[id] != nil {
			continue
		}
		if last := s.last[id]; last != nil {
			select {
			case <-last:
			default:
				continue // It is ending, and its store is still open.
			}
		}
		follow[id] = true
	}
	return follow
}

// positions returns the inbox positions of the lanes that know theirs.
func (s *laneSet) positions() map[int32]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[int32]int64, len(s.assigned))
	for _, lanes := range []map[int32]*lane{s.draining, s.assigned} {
		for id, l := range lanes {
			if at := l.inbox.Load(); at >= 0 {
				m[id] = at
			}
		}
	}
	return m
}

// resume makes a draining lane an assigned one again, and reports whether there was one; mu is held.
func (s *laneSet) resume(id int32) bool {
	l := s.draining[id]
	if l == nil || l.ending {
		return false // It has ended, or is ending: a new one waits for that.
	}
	delete(s.draining, id)
	s.assigned[id] = l
	return true
}

// endDraining removes a lane if it was draining, and reports whether it was.
func (s *laneSet) endDraining(l *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining[l.id] != l {
		return false
	}
	l.ending = true
	delete(s.draining, l.id)
	return true
}

// assign opens lanes. It does not wait until they are open: the group waits for it.
func (j *Journal) assign(ctx context.Context, lanes []int32) {
	s := &j.lanes
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined = true
	for _, id := range lanes {
		if s.assigned[id] != nil || ctx.Err() != nil || int(id) >= j.cfg.Lanes || s.resume(id) {
			continue
		}
		l := newLane(ctx, j, id, s.last[id])
		s.assigned[id], s.last[id] = l, l.gone
	}
	j.metrics.owned.Set(float64(len(s.assigned)))
	j.log.InfoContext(ctx, "lanes assigned", slog.Any("lanes", append([]int32{}, lanes...))) // None is [], not null.
}

// revoke gives lanes up. If the next owner can ask for them, they drain until it does. Otherwise they stop, and revoke
// returns when their batches in hand are finished, so that the next owner rarely has to fence a lane in the middle of a
// batch.
func (j *Journal) revoke(ids []int32) {
	s := &j.lanes
	s.mu.Lock()
	var stopping []*lane
	for _, id := range ids {
		l := s.assigned[id]
		if l == nil {
			continue
		}
		delete(s.assigned, id)
		if j.drains() && l.open.Load() {
			s.draining[id] = l
		} else {
			stopping = append(stopping, l)
		}
	}
	j.metrics.owned.Set(float64(len(s.assigned)))
	s.mu.Unlock()
	stopAll(stopping)
	if len(ids) > 0 {
		j.log.Info("lanes revoked", slog.Any("lanes", ids))
	}
}

// stopAll stops lanes concurrently and waits for them: each may have a transaction to finish.
func stopAll(lanes []*lane) {
	var wg sync.WaitGroup
	for _, l := range lanes {
		wg.Go(func() {
			l.stop()
			<-l.gone
		})
	}
	wg.Wait()
}
