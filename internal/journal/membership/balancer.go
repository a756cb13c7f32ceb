package membership

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
)

// protocol is the name of the balancer. Its number changes when members of two versions would misread each other's user
// data: the group then falls back to a balancer that both know.
const protocol = "orderledger-lanes-1"

// joinData is the user data of a member's join.
type joinData struct {
	Report
	// URL is where other instances reach the member; empty if they can't.
	URL string `json:"url,omitempty"`
	// Nonce changes whenever the member asks for another rebalance. The group calls for one only if a join differs from
	// the one before.
	Nonce    string `json:"nonce"`
	Draining bool   `json:"draining,omitempty"`
	BadClock bool   `json:"bad_clock,omitempty"`
	// Standbys is how many standbys a lane should have.
	Standbys int `json:"standbys"`
}

// Plan is what a rebalance said to a member beside its lanes: the user data of its assignment.
type Plan struct {
	// Follow are the lanes to keep a standby of.
	Follow []int32 `json:"follow,omitempty"`
	// WarmUp are those among them that the member should own as soon as it is warm.
	WarmUp []int32 `json:"warm_up,omitempty"`
	// Vacant are the lanes that nobody serves, or only a member that leaves.
	Vacant []int32 `json:"vacant,omitempty"`
	// Serving says that another member served lanes.
	Serving bool `json:"serving,omitempty"`
	// Nonce is that of the join that the leader has seen.
	Nonce string `json:"nonce"`
	// FollowAll says that the group has no plan, because members of an older version are in it: each member then follows
	// all lanes that it does not serve.
	FollowAll bool `json:"-"`
}

// lanesBalancer is the balancer of the lanes' group. All members join with their reports; the leader plans.
type lanesBalancer struct {
	m *Membership
	// The form of the join is the cooperative-sticky balancer's, with other user data.
	sticky kgo.GroupBalancer
}

// ProtocolName implements kgo.GroupBalancer.
func (b lanesBalancer) ProtocolName() string { return protocol }

// IsCooperative implements kgo.GroupBalancer.
func (b lanesBalancer) IsCooperative() bool { return true }

// JoinGroupMetadata implements kgo.GroupBalancer.
func (b lanesBalancer) JoinGroupMetadata(topics []string, assigned map[string][]int32, generation int32) []byte {
	raw := b.sticky.JoinGroupMetadata(topics, assigned, generation)
	meta := kmsg.NewConsumerMemberMetadata()
	if err := meta.ReadFrom(raw); err != nil {
		return raw // It made them itself, so this does not happen.
	}
	data, err := json.Marshal(b.m.asking.join())
	if err != nil {
		return raw
	}
	meta.UserData = data
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (b lanesBalancer) ParseSyncAssignment(raw []byte) (map[string][]int32, error) {
	assigned := map[string][]int32{}
	plan := Plan{}
	if len(raw) > 0 {
		a := kmsg.NewConsumerMemberAssignment()
		if err := a.ReadFrom(raw); err != nil {
			return nil, fmt.Errorf("assignment of lanes: %w", err)
		}
		for _, t := range a.Topics {
			assigned[t.Topic] = t.Partitions
		}
		if err := json.Unmarshal(a.UserData, &plan); err != nil {
			plan = Plan{FollowAll: true} // Another balancer's assignment, which a static member got back.
		}
	}
	b.m.asking.planned(plan, assigned[events.TopicEvents])
	return assigned, nil
}

// MemberBalancer implements kgo.GroupBalancer.
func (b lanesBalancer) MemberBalancer(
	members []kmsg.JoinGroupResponseMember,
) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	c, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, fmt.Errorf("joins of the lanes' group: %w", err)
	}
	return c, c.MemberTopics(), nil
}

// Balance implements kgo.ConsumerBalancerBalance. It plans over the lanes of the layout, however many partitions the
// topic has.
func (b lanesBalancer) Balance(c *kgo.ConsumerBalancer, _ map[string]int32) kgo.IntoSyncAssignment {
	lanes := int32(b.m.cfg.Lanes)
	joins, members := joins(c)
	standbys := 0
	for i := range joins {
		standbys = max(standbys, joins[i].Standbys)
	}
	p := newPlanner(lanes, standbys, members).run()
	plan := c.NewPlan()
	for lane, m := range p.owner {
		if m != none {
			plan.AddPartition(&c.Members()[m], events.TopicEvents, int32(lane))
		}
	}
	plan.AdjustCooperative(c)
	out := &syncPlan{}
	for m := range members {
		id := c.Members()[m].MemberID
		given := slices.Sorted(slices.Values(plan.AsMemberIDMap()[id][events.TopicEvents]))
		out.members = append(out.members, syncMember{id, given, p.planOf(m, given, joins[m].Nonce)})
	}
	return out
}

// joins reads the joins of the members. A join that can't be read is one of a member that knows nothing.
func joins(c *kgo.ConsumerBalancer) ([]joinData, []candidate) {
	var joins []joinData
	var members []candidate
	claims := map[int32]int32{} // The highest generation in which a member says that it has a lane.
	c.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		for _, lane := range ownedLanes(meta) {
			claims[lane] = max(claims[lane], meta.Generation)
		}
	})
	c.EachMember(func(_ *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		var j joinData
		if err := json.Unmarshal(meta.UserData, &j); err != nil {
			j = joinData{}
		}
		m := candidate{Report: j.Report, draining: j.Draining, goodClock: !j.BadClock, owned: map[int32]bool{}}
		for _, lane := range ownedLanes(meta) {
			// A member that missed rebalances may still claim what another one has (KIP-792).
			m.owned[lane] = meta.Generation >= claims[lane]
		}
		joins, members = append(joins, j), append(members, m)
	})
	return joins, members
}

func ownedLanes(meta *kmsg.ConsumerMemberMetadata) []int32 {
	for _, t := range meta.OwnedPartitions {
		if t.Topic == events.TopicEvents {
			return t.Partitions
		}
	}
	return nil
}

// planOf returns the plan for a member that was assigned some lanes. A lane that another member has to give up first is
// not among them yet, and is followed meanwhile.
func (p *planner) planOf(m int, assigned []int32, nonce string) Plan {
	out := Plan{Vacant: p.vacant(), Nonce: nonce}
	follow := maps.Clone(p.follow[m])
	for lane := range p.lanes {
		if p.owner[lane] == m && !slices.Contains(assigned, lane) {
			follow[lane] = true
		}
		if p.target[lane] == m {
			out.WarmUp = append(out.WarmUp, lane)
		}
		out.Serving = out.Serving || p.holder[lane] != none && p.holder[lane] != m
	}
	out.Follow = slices.Sorted(maps.Keys(follow))
	return out
}

// syncPlan is what the leader sends to the group.
type syncPlan struct{ members []syncMember }

type syncMember struct {
	id    string
	lanes []int32
	plan  Plan
}

// IntoSyncAssignment implements kgo.IntoSyncAssignment.
func (s *syncPlan) IntoSyncAssignment() []kmsg.SyncGroupRequestGroupAssignment {
	out := make([]kmsg.SyncGroupRequestGroupAssignment, 0, len(s.members))
	for _, m := range s.members {
		a := kmsg.NewConsumerMemberAssignment()
		if len(m.lanes) > 0 {
			t := kmsg.NewConsumerMemberAssignmentTopic()
			t.Topic, t.Partitions = events.TopicEvents, m.lanes
			a.Topics = append(a.Topics, t)
		}
		a.UserData, _ = json.Marshal(m.plan) // Of integers, booleans and text, so it does not fail.
		one := kmsg.NewSyncGroupRequestGroupAssignment()
		one.MemberID, one.MemberAssignment = m.id, a.AppendTo(nil)
		out = append(out, one)
	}
	return out
}
