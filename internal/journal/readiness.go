package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// errNotJoined says that the instance does not know its lanes yet.
var errNotJoined = errors.New("journal: the lanes' group has not answered yet")

// Ready returns nil when the group has answered and all lanes it assigns to this instance are open.
func (j *Journal) Ready() error {
	assigned, joined := j.lanes.current()
	if !joined {
		return errNotJoined
	}
	return closedLanes(assigned)
}

// Accepting returns nil when this instance should get inputs. An instance that starts should not before its lanes are
// open. Later a lane that is closed says nothing about the others: an instance that is taking over the lanes of a dead
// one still serves its own, and if a closed lane were a reason, one damaged lane would move from instance to instance
// and take each of them out of the load balancer.
func (j *Journal) Accepting() error {
	assigned, joined := j.lanes.current()
	switch {
	case !joined:
		return errNotJoined
	case !j.lanes.start(assigned):
		return closedLanes(assigned)
	}
	for _, l := range assigned {
		if l.open.Load() {
			return nil
		}
	}
	return closedLanes(assigned) // No lanes are none that are closed: such an instance forwards all calls.
}

// LaneReady returns nil if this instance serves a lane and the lane is open.
func (j *Journal) LaneReady(id int32) error {
	if id < 0 || int(id) >= j.cfg.Lanes {
		return fmt.Errorf("lane %d: %w: there are %d", id, ErrInvalid, j.cfg.Lanes)
	}
	l := j.lanes.serving(id)
	if l == nil {
		return fmt.Errorf("lane %d: %w", id, ErrNotOwner)
	}
	return l.closed()
}

// closedLanes returns why lanes are closed, nil if none is.
func closedLanes(lanes map[int32]*lane) error {
	var problems []error
	for _, id := range slices.Sorted(maps.Keys(lanes)) {
		problems = append(problems, lanes[id].closed())
	}
	return errors.Join(problems...)
}

// closed returns why the lane is not open, nil if it is.
func (l *lane) closed() error {
	if l.open.Load() {
		return nil
	}
	why := ErrLaneMoving
	if p := l.failure.Load(); p != nil {
		why = *p
	}
	return fmt.Errorf("lane %d: %w", l.id, why)
}

// start reports whether the first lanes of the instance are open, or closed until somebody acts. Once they are, it
// stays true.
func (s *laneSet) start(assigned map[int32]*lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range assigned {
		if err := l.closed(); err != nil && !isLasting(err) {
			return s.started
		}
	}
	s.started = true
	return true
}

// isLasting reports whether an error keeps a lane closed until somebody acts.
func isLasting(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrOutOfRange) ||
		errors.Is(err, ErrLanes)
}
