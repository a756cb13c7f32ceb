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

	"github.com/orderledger/orderledger/internal/kafka"
)

// errLost means that the broker no longer accepts this membership. All its partitions may have other members by now.
var errLost = errors.New("partition lost")

// intent is the range of records that a worker is about to write: one batch. It is stored as the metadata of the
// group's offset, which is the batch's first one, so that the next worker knows exactly which rows may have been
// stored.
type intent struct {
	first, last int64 // Offsets of the batch; first is the position, which may be below its first record.
	// history is the last offset with a row in the history, or -1. It can be below last, because transaction markers,
	// voids and dead letters have no such row.
	history int64
	// stored is the last offset with a row in the history when the intent was committed, or -1. The tables must hold it
	// for ever: else they lost rows.
	stored int64
}

// The metadata of an offset is "v2;<last>;<history>;<stored>" for an intent, and "v2;<stored>" for a plain position;
// see kafka.TableEnd. An unknown version is no intent, so a rollback never misreads a newer form.
func (i intent) String() string {
	return strings.Join([]string{
		kafka.TableEndVersion, strconv.FormatInt(i.last, 10), strconv.FormatInt(i.history, 10),
		strconv.FormatInt(i.stored, 10),
	}, ";")
}

// plain is the metadata of a position below which everything is written.
func plain(stored int64) string { return kafka.TableEndVersion + ";" + strconv.FormatInt(stored, 10) }

// parseIntent reads the metadata of a committed offset. It reports false for a plain position, and for metadata that
// another program wrote.
func parseIntent(first int64, metadata string) (intent, bool) {
	parts := strings.Split(metadata, ";")
	if len(parts) != 4 || parts[0] != kafka.TableEndVersion {
		return intent{}, false
	}
	last, err1 := strconv.ParseInt(parts[1], 10, 64)
	history, err2 := strconv.ParseInt(parts[2], 10, 64)
	stored, err3 := strconv.ParseInt(parts[3], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || last < first || history > last || history >= 0 && history < first {
		return intent{}, false
	}
	return intent{first: first, last: last, history: history, stored: stored}, true
}

// member identifies one membership in the group. It is valid until the next rebalance.
type member struct {
	id         string
	instance   *string
	generation int32
}

// committer commits the offsets of one partition for one membership.
//
// It builds the request itself. kgo's own commit carries the generation at the time of sending, so a worker that has
// lost its partition would commit under the membership that followed, and the broker would accept: it checks the
// member, not the partition.
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
			return fmt.Errorf("commit %s/%d at %d: the response is about other partitions", c.topic, c.partition, offset)
		}
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	// A rebalance in progress counts as lost: with eager balancing this member's partitions are being revoked.
	for _, lost := range []error{
		kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.RebalanceInProgress,
	} {
		if errors.Is(err, lost) {
			return fmt.Errorf("%w: %w", errLost, err)
		}
	}
	if err != nil {
		return fmt.Errorf("commit %s/%d at %d: %w", c.topic, c.partition, offset, err)
	}
	return nil
}

// committed returns the group's offset of the partition and its metadata; -1 if there is none.
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
