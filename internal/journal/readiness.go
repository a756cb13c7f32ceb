package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/orderledger/orderledger/internal/kafka"
)

// errNotJoined says that the instance does not know its lanes: it has just started, or has lost touch with Kafka.
var errNotJoined = errors.New("journal: not a member of the lanes' group")

// Ready returns nil when the group has answered and all lanes it assigns to this instance are open.
func (j *Journal) Ready() error {
	assigned, joined := j.lanes.current()
	if !joined {
		return errNotJoined
	}
	return closedLanes(assigned)
}

// Accepting returns nil when this instance should get inputs. An instance that starts should not before its lanes are
// open and, if others served lanes when it joined, before it is warm for what it follows: a rolling deploy would
// otherwise stop the last warm instance. Later a lane that is closed says nothing about the others: an instance that is
// taking over the lanes of a dead one still serves its own, and if a closed lane were a reason, one damaged lane would
// move from instance to instance and take each of them out of the load balancer. An instance that is no member of the
// group any more gets no inputs: it is cut off from Kafka.
func (j *Journal) Accepting() error {
	assigned, joined := j.lanes.current()
	switch {
	case !joined:
		return errNotJoined
	case !j.lanes.start(assigned, j.cold()):
		return errors.Join(closedLanes(assigned), coldLanes(j.cold()))
	}
	for _, l := range assigned {
		if err := l.closed(); err == nil || isLasting(err) { // A damaged lane waits for a person, and intake must not.
			return nil
		}
	}
	return closedLanes(assigned) // No lanes are none that are closed: such an instance forwards all calls.
}

// cold returns the lanes that this instance follows and is not warm for.
func (j *Journal) cold() []int32 {
	report := j.report()
	j.lanes.mu.Lock()
	defer j.lanes.mu.Unlock()
	if !j.lanes.behind || j.lanes.started {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(j.lanes.plan.Follow), report.Warm)
}

func coldLanes(lanes []int32) error {
	if len(lanes) == 0 {
		return nil
	}
	return fmt.Errorf("lanes %v: their records are being read, so that they can be taken over", lanes)
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

// start reports whether the first lanes of the instance are open, or closed until somebody acts, and none that it
// follows is cold. Once that is so, it stays true.
func (s *laneSet) start(assigned map[int32]*lane, cold []int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(cold) > 0 {
		return s.started
	}
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
		errors.Is(err, ErrLanes) || errors.Is(err, kafka.ErrLayout)
}
