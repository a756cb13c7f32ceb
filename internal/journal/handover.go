package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/kafka"
)

// A lane that the group takes away goes on serving, it lingers, until its next owner takes it: that one has read the
// lane to its end, asks for it (Release), and only then fences. So the time in which nobody decides is that of a fence
// and a short read, not that of a rebalance. Nothing rests on the asking: a lane that is fenced without it ends all the
// same.

// errReleased says that the next owner asked for the lane.
var errReleased = &lostError{err: errors.New("the next owner asked for the lane"), fenced: true}

// lingers tells whether lanes that are taken away serve on. Without an address nobody could ask for them.
func (j *Journal) lingers() bool { return j.cfg.Advertise != "" && j.deps.AskRelease != nil }

// linger keeps a lane that was taken away; j.mu is held.
func (j *Journal) linger(l *lane) {
	j.lingering[l.id] = l
	l.expire = time.AfterFunc(j.cfg.LingerTimeout, l.stop)
}

// unlinger makes a lane that lingers an assigned one again, and tells whether there was one; j.mu is held.
func (j *Journal) unlinger(id int32) bool {
	l := j.lingering[id]
	if l == nil || !l.expire.Stop() {
		return false // It has ended, or is ending: a new one waits for that.
	}
	delete(j.lingering, id)
	j.lanes[id] = l
	return true
}

// endLinger tells a lane that was lost whether it was lingering, and so has no reason to come back.
func (j *Journal) endLinger(l *lane) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lingering[l.id] != l {
		return false
	}
	l.expire.Stop()
	delete(j.lingering, l.id)
	return true
}

// sweepEvery is how often it is looked whether lanes that linger have been taken without a word.
const sweepEvery = 200 * time.Millisecond

// sweep ends lanes that linger though another instance has fenced them. One that decides something finds out by itself;
// an idle one would be taken for the owner by its own instance.
func (j *Journal) sweep(ctx context.Context) {
	if j.lingerers() == 0 {
		return
	}
	marks, err := j.lastTakers(ctx)
	if err != nil {
		return // What it would have told is found out another way.
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for id, l := range j.lingering {
		if !l.marked.Load() {
			continue // Whose mark is there took the lane before this instance did.
		}
		if mark := marks[id]; mark != "" && mark != j.mark() {
			l.expire.Stop() // So that unlinger knows that it is ending.
			l.stop()
		}
	}
}

// Release finishes a lane's batch in hand, answers what it decided, and decides nothing more: its next owner asks for
// that before it fences the lane. It returns nil where the lane is not served here, and may be called again. An
// instance to which the group still assigns the lane takes it over again.
func (j *Journal) Release(ctx context.Context, lane int32) error {
	l := j.serving(lane)
	if l == nil || !l.open.Load() {
		return nil
	}
	done := make(chan struct{})
	select {
	case l.releases <- done:
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

// askRelease asks the lane's last owner to finish. Whatever comes of it, the fence follows.
func (l *lane) askRelease(ctx context.Context) {
	j := l.j
	if !j.lingers() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, j.cfg.ReleaseTimeout)
	defer cancel()
	url, err := j.lastTaker(ctx, l.id)
	if err == nil && url == "" {
		return
	}
	result := "asked"
	if err == nil {
		err = j.deps.AskRelease(ctx, url, l.id)
	}
	if err != nil {
		result = "unanswered"
		l.log.InfoContext(ctx, "last owner did not give the lane", slog.String("url", url), slog.Any("err", err))
	}
	j.metrics.releases.WithLabelValues(result).Inc()
}

// handOverEvery is how often it is looked whether all lanes have gone.
const handOverEvery = 10 * time.Millisecond

// HandOver leaves the owners' group, as a static member too, and returns when other instances have taken this one's
// lanes, when there is no other, or when ctx ends. Until then lanes are served here, so calls must still be taken. It
// is for an instance that will stop; Run goes on and is ended by its own context.
func (j *Journal) HandOver(ctx context.Context) error {
	j.mu.Lock()
	group := j.group
	j.mu.Unlock()
	if group == nil || !j.lingers() {
		return nil
	}
	me, _ := group.GroupMetadata()
	began := time.Now()
	if err := group.LeaveGroupContext(ctx); err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("leave the owners of lanes: %w", err)
	}
	if j.cfg.InstanceID != "" && me != "" {
		if err := j.leaveStatic(ctx, me); err != nil {
			return err
		}
	}
	tick := time.NewTicker(handOverEvery)
	defer tick.Stop()
	var asked time.Time
	for {
		n := j.lingerers()
		if n == 0 {
			j.log.InfoContext(ctx, "lanes handed over", slog.Int64("duration_ms", time.Since(began).Milliseconds()))
			return nil
		}
		if time.Since(asked) > 50*handOverEvery {
			asked = time.Now()
			if j.nobodyLeft(ctx) {
				j.log.InfoContext(ctx, "no other instance takes the lanes", slog.Int("lanes", n))
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("hand over: %d lanes not taken: %w", n, ctx.Err())
		}
	}
}

// leaveStatic leaves as a static member, which a client does not do by itself: the group would keep its lanes for it
// until the session ends.
func (j *Journal) leaveStatic(ctx context.Context, me string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = kafka.GroupLanes(j.cfg.Cluster)
	req.MemberID = me
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, member.InstanceID = me, &j.cfg.InstanceID
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, j.client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Members) > 0 {
		err = kerr.ErrorForCode(resp.Members[0].ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("leave the owners of lanes: %w", err)
	}
	return nil
}

func (j *Journal) lingerers() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.lingering)
}

// nobodyLeft tells that the group has no members who could take lanes.
func (j *Journal) nobodyLeft(ctx context.Context) bool {
	g, err := j.describeGroup(ctx)
	return (err == nil || errors.Is(err, errUnsettled)) && g != nil && len(g.Members) == 0
}
