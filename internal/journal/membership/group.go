package membership

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// errUnsettled says that the group is in a rebalance, or that it has no members.
var errUnsettled = errors.New("the lanes' group is not settled")

// StillAssigned asks the group whether a lane is this member's, and reports whether it got an answer. A fenced owner
// must not simply take the lane back: it may have slept while the lane moved on, and not know that it lost it.
func (m *Membership) StillAssigned(ctx context.Context, lane int32) (mine, answered bool) {
	g, err := m.describe(ctx)
	if err != nil {
		return false, false
	}
	me := m.memberID()
	for i := range g.Members {
		if member := &g.Members[i]; member.MemberID == me && slices.Contains(assignedLanes(member), lane) {
			return true, true
		}
	}
	return false, true
}

// Joined reports whether this instance is a member of the group now.
func (m *Membership) Joined() bool { return m.memberID() != "" }

// Asked returns how often this member has asked the group for a rebalance.
func (m *Membership) Asked() uint64 {
	m.asking.mu.Lock()
	defer m.asking.mu.Unlock()
	return m.asking.count
}

// describe returns the lanes' group, with errUnsettled if it is in a rebalance.
func (m *Membership) describe(ctx context.Context) (*kadm.DescribedGroup, error) {
	client := m.connected()
	if client == nil {
		return nil, errUnsettled
	}
	group := kafka.GroupLanes(m.cfg.Cluster)
	described, err := kadm.NewClient(client).DescribeGroups(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("describe the lanes' group: %w", err)
	}
	g := described[group]
	if g.Err != nil {
		return nil, fmt.Errorf("describe the lanes' group: %w", g.Err)
	}
	if g.State != "Stable" {
		return &g, errUnsettled
	}
	return &g, nil
}

// connected returns the client for requests about groups, nil before Connect.
func (m *Membership) connected() *kgo.Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client
}

// member returns the client that is in the group, nil outside Run.
func (m *Membership) member() *kgo.Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.group
}

// memberID is this instance's id in the group; empty outside it.
func (m *Membership) memberID() string {
	group := m.member()
	if group == nil {
		return ""
	}
	id, _ := group.GroupMetadata()
	return id
}

func assignedLanes(m *kadm.DescribedGroupMember) []int32 {
	a, ok := m.Assigned.AsConsumer()
	if !ok {
		return nil
	}
	for _, t := range a.Topics {
		if t.Topic == events.TopicEvents {
			return t.Partitions
		}
	}
	return nil
}

// advertiser is the cooperative sticky balancer of a group whose members say in their metadata how other instances
// reach them. The balancer's own user data comes first: it reads what it needs and does not look behind that.
type advertiser struct {
	kgo.GroupBalancer
	url string
}

// urlSeparator stands between the balancer's own user data and the URL.
const urlSeparator = "\x00orderledger-url:"

// JoinGroupMetadata implements kgo.GroupBalancer.
func (a advertiser) JoinGroupMetadata(topics []string, assigned map[string][]int32, generation int32) []byte {
	raw := a.GroupBalancer.JoinGroupMetadata(topics, assigned, generation)
	if a.url == "" {
		return raw
	}
	meta := kmsg.NewConsumerMemberMetadata()
	if err := meta.ReadFrom(raw); err != nil {
		return raw // Then others can't reach this instance, and it can still own lanes.
	}
	meta.UserData = append(append(meta.UserData, urlSeparator...), a.url...)
	return meta.AppendTo(nil)
}

// older is the balancer of instances of older versions, for as long as some are in the group.
type older struct {
	advertiser
	m *Membership
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (o older) ParseSyncAssignment(raw []byte) (map[string][]int32, error) {
	o.m.asking.unplanned()
	return o.advertiser.ParseSyncAssignment(raw)
}

// joined returns what a member said in its join. Of a member of an older version only the URL is known.
func joined(m *kadm.DescribedGroupMember) joinData {
	meta, ok := m.Join.AsConsumer()
	if !ok {
		return joinData{}
	}
	var j joinData
	if err := json.Unmarshal(meta.UserData, &j); err == nil {
		return j
	}
	_, url, _ := bytes.Cut(meta.UserData, []byte(urlSeparator))
	return joinData{URL: string(url)}
}
