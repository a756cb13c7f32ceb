package kafka

import (
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LanesOnly returns a balancer that assigns only the partitions 0 to lanes-1 of every topic, as if there were no
// others. The balancer must be one of kgo's. Lanes of zero assign every partition.
//
// An operator may add partitions to any topic. A group that assigned them would read what nobody in the ledger wrote;
// and members of a group with two topics would no longer get equal partitions of both.
func LanesOnly(b kgo.GroupBalancer, lanes int) kgo.GroupBalancer {
	if lanes <= 0 {
		return b
	}
	return lanesOnly{b, int32(lanes)}
}

type lanesOnly struct {
	kgo.GroupBalancer
	lanes int32
}

// MemberBalancer implements kgo.GroupBalancer.
func (l lanesOnly) MemberBalancer(
	members []kmsg.JoinGroupResponseMember,
) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	b, err := kgo.NewConsumerBalancer(l, members)
	return b, b.MemberTopics(), err
}

// Balance implements kgo.ConsumerBalancerBalance.
func (l lanesOnly) Balance(b *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	counted := make(map[string]int32, len(topics))
	for topic, partitions := range topics {
		counted[topic] = min(partitions, l.lanes)
	}
	return l.GroupBalancer.(kgo.ConsumerBalancerBalance).Balance(b, counted)
}
