package projector

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrLost means that a membership has ended.
var ErrLost = errLost

// Membership commits as a worker does: with the member id and generation that its client had at the assignment.
type Membership struct{ c committer }

// NewMembership captures the client's current membership, as assigned does for a worker.
func NewMembership(client *kgo.Client, group, topic string, topicID [16]byte, partition int32) Membership {
	id, generation := client.GroupMetadata()
	return Membership{committer{
		client: client, group: group, topic: topic, topicID: topicID, partition: partition,
		member: member{id: id, generation: generation},
	}}
}

// Commit commits an offset with an intent.
func (m Membership) Commit(ctx context.Context, first, last int64) error {
	return m.c.commit(ctx, first, intent{first: first, last: last, history: last}.String())
}
