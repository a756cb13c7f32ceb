package journal

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// laneSet holds the lanes of an instance: those that the group assigns to it, and those that are draining.
type laneSet struct {
	mu       sync.Mutex
	assigned map[int32]*lane           // Guarded by mu.
	draining map[int32]*lane           // Taken away by the group and still serving; guarded by mu.
	last     map[int32]<-chan struct{} // Closed when the last lane of that number has closed its store; guarded by mu.
	joined   bool                      // The group has answered; guarded by mu.
	started  bool                      // The first lanes have been open, or refused; guarded by mu.
}

func newLaneSet() laneSet {
	return laneSet{assigned: map[int32]*lane{}, draining: map[int32]*lane{}, last: map[int32]<-chan struct{}{}}
}

// serving returns the lane that decides here, assigned or draining; nil for none.
func (s *laneSet) serving(id int32) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.assigned[id]; l != nil {
		return l
	}
	return s.draining[id]
}

// current returns the assigned lanes, and whether the group has answered at all.
func (s *laneSet) current() (assigned map[int32]*lane, joined bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.assigned), s.joined
}

func (s *laneSet) drainingCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.draining)
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

// unserved returns the lanes that this instance does not serve, and whose store no ending lane holds; mu is held.
func (s *laneSet) unserved(lanes int) map[int32]bool {
	if !s.joined {
		return nil // Some may be about to be assigned.
	}
	unserved := map[int32]bool{}
	for id := range int32(lanes) {
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
		unserved[id] = true
	}
	return unserved
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
	if l == nil || !l.expire.Stop() {
		return false // It has ended, or is ending: a new one waits for that.
	}
	delete(s.draining, id)
	s.assigned[id] = l
	return true
}

// endDraining removes a lane that was lost if it was draining, and reports whether it was: a draining lane is not taken
// over again.
func (s *laneSet) endDraining(l *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining[l.id] != l {
		return false
	}
	l.expire.Stop()
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
	j.log.InfoContext(ctx, "lanes assigned", slog.Any("lanes", lanes))
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
			l.expire = time.AfterFunc(j.cfg.DrainTimeout, l.stop)
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
