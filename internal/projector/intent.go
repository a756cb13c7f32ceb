package projector

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errLost says that the partition, or the member, is no longer ours.
var errLost = errors.New("partition lost")

// intent is what a worker is about to write: the records of one batch. It travels as the metadata of the group's
// offset, which is the batch's first one, so that whoever takes over knows exactly what may have landed.
type intent struct {
	first, last int64 // Offsets of the batch; first is the position, which may be below its first record.
	// history is the last offset with a row in the history, or -1: a batch may end in, or consist of, records that have
	// none.
	history int64
}

const intentVersion = "v1"

func (i intent) String() string {
	return intentVersion + ";" + strconv.FormatInt(i.last, 10) + ";" + strconv.FormatInt(i.history, 10)
}

// parseIntent reads the metadata of a committed offset. None, or what another program wrote, is no intent.
func parseIntent(first int64, metadata string) (intent, bool) {
	parts := strings.Split(metadata, ";")
	if len(parts) != 3 || parts[0] != intentVersion {
		return intent{}, false
	}
	last, err1 := strconv.ParseInt(parts[1], 10, 64)
	history, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil || last < first || history > last || history >= 0 && history < first {
		return intent{}, false
	}
	return intent{first: first, last: last, history: history}, true
}

// member is one membership in the group: valid until the next rebalance.
type member struct {
	id         string
	instance   *string
	generation int32
}

// committer commits the offsets of one partition for one membership.
//
// The request is made by hand: the client would stamp the generation that is current when it is sent, and then a worker
// that has lost its partition would commit in the name of the membership that came after.
type committer struct {
	client    *kgo.Client
	group     string
	topic     string
	topicID   [16]byte
	partition int32
	member    member
}

// commit sets the group's offset and metadata. It returns errLost when the broker no longer knows the membership.
func (c *committer) commit(ctx context.Context, offset int64, metadata string) error {
	part := kmsg.NewOffsetCommitRequestTopicPartition()
	part.Partition, part.Offset, part.Metadata = c.partition, offset, &metadata
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = c.topic, c.topicID
	topic.Partitions = append(topic.Partitions, part)
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.InstanceID, req.Generation = c.group, c.member.id, c.member.instance, c.member.generation
	req.Topics = append(req.Topics, topic)

	resp, err := req.RequestWith(ctx, c.client)
	if err == nil {
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return fmt.Errorf("commit %s/%d at %d: the answer is about something else", c.topic, c.partition, offset)
		}
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	for _, lost := range []error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.RebalanceInProgress} {
		if errors.Is(err, lost) {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	if err != nil {
		return fmt.Errorf("commit %s/%d at %d: %w", c.topic, c.partition, offset, err)
	}
	return nil
}

// committed returns the group's offset of the partition and its metadata; -1 when there is none.
func (c *committer) committed(ctx context.Context) (offset int64, metadata string, err error) {
	all, err := kadm.NewClient(c.client).FetchOffsetsForTopics(ctx, c.group, c.topic)
	if err != nil {
		return 0, "", fmt.Errorf("committed offset of %s/%d: %w", c.topic, c.partition, err)
	}
	o, ok := all.Lookup(c.topic, c.partition)
	if !ok {
		return -1, "", nil
	}
	if o.Err != nil {
		return 0, "", fmt.Errorf("committed offset of %s/%d: %w", c.topic, c.partition, o.Err)
	}
	return o.At, o.Metadata, nil
}
