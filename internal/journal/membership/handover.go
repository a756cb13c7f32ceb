package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/kafka"
)

const (
	// handOverEvery is the interval between checks whether all lanes have gone.
	handOverEvery = 10 * time.Millisecond
	// membersEvery is the interval between checks whether other instances are left to take them.
	membersEvery = 50 * handOverEvery
)

// HandOver says that this instance leaves, and remains a member while others take its lanes: a lane of which nobody has
// a warm standby stays here until somebody has read it. It leaves the group, as a static member too, when it serves
// nothing any more, when nobody else stays, or when ctx ends. Lanes that are left then drain here. Run continues until
// its own context ends.
func (m *Membership) HandOver(ctx context.Context) error {
	group := m.member()
	if group == nil {
		return nil
	}
	began := time.Now()
	if m.asking.byPlan() {
		m.asking.drain(group.ForceRebalance)
	} else if err := m.leave(ctx, group); err != nil {
		return fmt.Errorf("leave the lanes' group: %w", err) // Older versions don't know members that drain.
	}
	err := m.awaitTakers(ctx, began)
	// A context of its own: this instance is about to stop, and the others should not wait for its session to end.
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	if problem := m.leave(leaving, group); problem != nil {
		err = errors.Join(err, fmt.Errorf("leave the lanes' group: %w", problem))
	}
	return err
}

// awaitTakers returns when this instance serves no lane, when nobody is left who could take them, or when ctx ends.
func (m *Membership) awaitTakers(ctx context.Context, began time.Time) error {
	tick := time.NewTicker(handOverEvery)
	defer tick.Stop()
	asked := time.Now()
	for {
		left := m.cfg.Serving()
		if len(left) == 0 {
			m.log.InfoContext(ctx, "lanes handed over", slog.Int64("duration_ms", time.Since(began).Milliseconds()))
			return nil
		}
		if time.Since(asked) > membersEvery {
			asked = time.Now()
			if m.alone(ctx) {
				m.log.InfoContext(ctx, "lanes not handed over, no other instance stays", slog.Any("lanes", left))
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("hand over: no other instance was warm for lanes %v: %w", left, ctx.Err())
		}
	}
}

func (m *Membership) leave(ctx context.Context, group *kgo.Client) error {
	me, _ := group.GroupMetadata() // Leaving forgets it.
	if err := group.LeaveGroupContext(ctx); err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return err
	}
	if m.cfg.InstanceID == "" || me == "" {
		return nil
	}
	return m.leaveStatic(ctx, me)
}

// leaveStatic leaves as a static member. kgo sends no LeaveGroup for one (KIP-345: a restart should move nothing), so
// the group would keep its lanes for it until the session ends.
func (m *Membership) leaveStatic(ctx context.Context, me string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = kafka.GroupLanes(m.cfg.Cluster)
	req.MemberID = me
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, member.InstanceID = me, &m.cfg.InstanceID
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, m.connected())
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Members) > 0 {
		err = kerr.ErrorForCode(resp.Members[0].ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return err
	}
	return nil
}

// alone reports whether the group has no other member that stays.
func (m *Membership) alone(ctx context.Context) bool {
	g, err := m.describe(ctx)
	if err != nil && !errors.Is(err, errUnsettled) || g == nil {
		return false
	}
	if err != nil { // Its members' joins are not known now.
		return len(g.Members) == 0
	}
	me := m.memberID()
	return !slices.ContainsFunc(g.Members, func(other kadm.DescribedGroupMember) bool {
		return other.MemberID != me && !joined(&other).Draining
	})
}
