package journal

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// damaged remembers the lanes whose records are not as an owner wrote them. Reading such a lane again finds the same,
// and may take minutes, so this instance leaves it alone until a person has looked at it and calls RetryLane. It
// remembers a lane also while the group assigns it to another instance.
type damaged struct {
	gauge *prometheus.GaugeVec

	mu      sync.Mutex
	byLane  map[int32]*finding // Guarded by mu.
	changed chan struct{}      // Closed at the next finding; guarded by mu.
}

// finding is the damage of a lane.
type finding struct {
	err     error
	owner   bool          // A takeover found it. A standby may be wrong: only the owner can judge the lane's end.
	retried chan struct{} // Closed when the lane is to be read again.
}

func newDamaged(gauge *prometheus.GaugeVec) *damaged {
	return &damaged{gauge: gauge, byLane: map[int32]*finding{}, changed: make(chan struct{})}
}

// report notes that a takeover or a standby found a lane damaged.
func (d *damaged) report(lane int32, err error, owner bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.byLane[lane]; f != nil && f.owner {
		return
	}
	d.byLane[lane] = &finding{err: err, owner: owner, retried: make(chan struct{})}
	d.gauge.WithLabelValues(strconv.Itoa(int(lane))).Set(1)
	close(d.changed)
	d.changed = make(chan struct{})
}

// forget ends the finding of a lane, and reports whether there was one.
func (d *damaged) forget(lane int32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.byLane[lane]
	if f == nil {
		return false
	}
	delete(d.byLane, lane)
	d.gauge.DeleteLabelValues(strconv.Itoa(int(lane)))
	close(f.retried)
	return true
}

// has reports whether a takeover or a standby found the lane damaged.
func (d *damaged) has(lane int32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byLane[lane] != nil
}

// byOwner returns the finding of a takeover, nil for none, and what is closed at the next finding of any lane.
func (d *damaged) byOwner(lane int32) (f *finding, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f = d.byLane[lane]; f != nil && !f.owner {
		f = nil
	}
	return f, d.changed
}

// isDamaged reports whether a takeover of this instance found a lane damaged. The group must not give the lane back to
// this instance, which would not read it: two instances would pass it to and fro.
func (j *Journal) isDamaged(lane int32) bool {
	f, _ := j.damaged.byOwner(lane)
	return f != nil
}

// awaitRetry waits until a lane that a takeover found damaged is to be read again, or ctx ends.
func (l *lane) awaitRetry(ctx context.Context) {
	f, _ := l.j.damaged.byOwner(l.id)
	if f == nil {
		return
	}
	l.setFailure(f.err)
	l.parked.Store(true)
	defer l.parked.Store(false)
	select {
	case <-f.retried:
		l.setFailure(ErrLaneMoving)
	case <-ctx.Done():
	}
}

// RetryLane has this instance read a damaged lane again, after a person has repaired it, and waits until the lane is
// open. It returns ErrDamaged if it still is, ErrNotOwner if this instance neither has the lane nor found it damaged,
// and the error of ctx while the lane is being read. For a lane that another instance has, it returns nil, and the
// standby continues.
func (j *Journal) RetryLane(ctx context.Context, id int32) error {
	if id < 0 || int(id) >= j.cfg.Lanes {
		return fmt.Errorf("lane %d: %w: there are %d", id, ErrInvalid, j.cfg.Lanes)
	}
	found := j.damaged.forget(id)
	l := j.lanes.serving(id)
	if l == nil {
		if found {
			return nil
		}
		return fmt.Errorf("lane %d: %w", id, ErrNotOwner)
	}
	for {
		opened := l.opened.Load()
		f, changed := j.damaged.byOwner(id)
		switch {
		case l.open.Load():
			return nil
		case f != nil:
			return fmt.Errorf("lane %d: %w", id, f.err)
		}
		select {
		case <-*opened:
		case <-changed:
		case <-l.gone:
			return fmt.Errorf("lane %d: %w", id, ErrNotOwner)
		case <-ctx.Done():
			return fmt.Errorf("lane %d: %w", id, errors.Join(l.closed(), ctx.Err()))
		}
	}
}
