package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/orderledger/orderledger/internal/journal/membership"
)

// A lane that the group takes away drains: it still serves until its next owner takes it, however long that takes. The
// next owner reads the lane to its end, asks for it (Release), and only then fences. So callers wait for a fence and a
// short read, not for a rebalance. Safety does not depend on the request: a lane that is fenced without it ends in the
// same way. If nobody takes a lane that was released, because the next owner has died, it is taken back by a fence.

// errReleased says that the next owner asked for the lane.
var errReleased = &lostError{err: errors.New("the next owner asked for the lane"), fenced: true}

// drains reports whether lanes drain when the group takes them away. Without an address no other instance could ask for
// them.
func (j *Journal) drains() bool { return j.cfg.Advertise != "" && j.deps.AskRelease != nil }

// endFenced ends draining lanes that another instance has fenced without asking. A busy lane learns of the fence when
// it writes; without this check, the instance would keep naming itself as the owner of an idle one.
func (j *Journal) endFenced(ctx context.Context) {
	j.lanes.mu.Lock()
	n := len(j.lanes.draining)
	j.lanes.mu.Unlock()
	if n == 0 {
		return
	}
	taken, err := j.members.TakenElsewhere(ctx)
	if err != nil {
		return // The next write or the release ends them too.
	}
	j.lanes.mu.Lock()
	defer j.lanes.mu.Unlock()
	for id, l := range j.lanes.draining {
		if !l.announced() {
			continue // The last announcement is from before this instance took the lane.
		}
		if taken[id] {
			l.ending = true // A lane that is assigned again waits for its end.
			l.stop()
		}
	}
}

// takeBackAfter is how long a released lane waits for its next owner's announcement.
const takeBackAfter = 2 * time.Second

// awaitTaker waits after a release until another instance has taken the lane, and reports whether one has. Callers are
// refused meanwhile, so that they find the next owner.
func (l *lane) awaitTaker(ctx context.Context) bool {
	released := time.Now()
	l.released.Store(true)
	defer l.released.Store(false)
	// Who was named before this instance took the lane. Its own announcement may have failed, or come only now.
	before, mine := l.takeover.from, l.announced()
	for ctx.Err() == nil && l.j.lanes.drains(l) {
		l.refuse(ErrNotOwner)
		asking, cancel := context.WithTimeout(ctx, takeBackAfter)
		name, self, err := l.j.members.LastTaker(asking, l.id)
		cancel()
		switch {
		case err != nil:
		case self:
			mine = true
		case mine, before != nil && name != *before:
			return true
		case before == nil:
			before = &name
		}
		if time.Since(released) > takeBackAfter {
			l.log.WarnContext(ctx, "released lane taken back, no other instance took it")
			return false
		}
		wait(ctx, takerCheckEvery)
	}
	return ctx.Err() != nil
}

// takerCheckEvery is the interval between checks whether a released lane has been taken.
const takerCheckEvery = 50 * time.Millisecond

// Release finishes a lane's batch in hand, answers its callers, and decides nothing more: the next owner requests it
// before it fences the lane. It returns nil if this instance does not serve the lane, and may be called again. An
// instance to which the group still assigns the lane takes it over again.
func (j *Journal) Release(ctx context.Context, lane int32) error {
	l := j.lanes.serving(lane)
	if l == nil || !l.open.Load() {
		return nil
	}
	done := make(chan struct{})
	select {
	case l.intake.releases <- done:
	case <-l.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("release lane %d: %w", lane, ctx.Err())
	}
	select {
	case <-done:
	case <-l.gone:
	case <-ctx.Done():
		return fmt.Errorf("release lane %d: %w", lane, ctx.Err())
	}
	return nil
}

// askRelease asks the lane's last owner to finish. The fence follows, whether the last owner answers or not.
func (t *takeover) askRelease(ctx context.Context) {
	j := t.l.j
	if !j.drains() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, j.cfg.ReleaseTimeout)
	defer cancel()
	t.from = nil
	name, self, err := j.members.LastTaker(ctx, t.l.id)
	if err == nil {
		t.from = &name
	}
	url := membership.URLOf(name)
	if err == nil && (self || url == "") {
		return
	}
	result := "asked"
	if err == nil {
		err = j.deps.AskRelease(ctx, url, t.l.id)
	}
	if err != nil {
		result = "unanswered"
		t.l.log.InfoContext(ctx, "lane not released by its last owner", slog.String("url", url), slog.Any("err", err))
	}
	j.metrics.releases.WithLabelValues(result).Inc()
}

// announce records, in the background, that this instance has taken the lane.
func (t *takeover) announce(ctx context.Context) {
	l := t.l
	if l.j.cfg.Embedded {
		return // There are no other instances.
	}
	seq, recorded := t.laneseq(), l.announcing()
	l.j.announce.Go(func() {
		if l.j.members.AnnounceTakeover(ctx, l.id, seq) {
			recorded()
		}
	})
}

// announcing notes a takeover, and returns what to call when its announcement is recorded. That of an earlier takeover
// may come so late that another instance has had the lane in between, and is still named as its taker.
func (s *status) announcing() (recorded func()) {
	n := s.taken.Add(1)
	return func() {
		if s.taken.Load() == n {
			s.recorded.Store(n)
		}
	}
}

// announced reports whether the last takeover of this instance is announced: who is named as the taker after that has
// taken the lane since.
func (s *status) announced() bool {
	n := s.taken.Load()
	return n > 0 && s.recorded.Load() == n
}

// fencedCheckEvery is the interval between checks for draining lanes that were fenced without a request.
const fencedCheckEvery = 200 * time.Millisecond
