package projector

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrLost says that a membership is over.
var ErrLost = errLost

// Membership commits as a worker does: for the member and generation that its client had when it was made.
type Membership struct{ c committer }

// NewMembership is what a worker gets when a partition is assigned.
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
