package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

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

// HandOver leaves the lanes' group, as a static member too, and returns when other instances have taken this one's
// lanes, when there is no other, or when ctx ends. Until then the lanes drain here. Run continues until its own context
// ends.
func (m *Membership) HandOver(ctx context.Context) error {
	group := m.member()
	if group == nil {
		return nil
	}
	began := time.Now()
	if err := m.leave(ctx, group); err != nil {
		return fmt.Errorf("leave the lanes' group: %w", err)
	}
	tick := time.NewTicker(handOverEvery)
	defer tick.Stop()
	var asked time.Time
	for {
		n := m.cfg.Draining()
		if n == 0 {
			m.log.InfoContext(ctx, "lanes handed over", slog.Int64("duration_ms", time.Since(began).Milliseconds()))
			return nil
		}
		if time.Since(asked) > membersEvery {
			asked = time.Now()
			if m.alone(ctx) {
				m.log.InfoContext(ctx, "lanes not handed over, no other instance is left", slog.Int("lanes", n))
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

// alone reports whether the group has no members who could take lanes.
func (m *Membership) alone(ctx context.Context) bool {
	g, err := m.describe(ctx)
	return (err == nil || errors.Is(err, errUnsettled)) && g != nil && len(g.Members) == 0
}
