package returns

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
)

// commit commits the offsets of both topics. The offset of a notification partition stays at its oldest pending
// notification; the metadata says how far the resolver has read.
func (r *resolver) commit(ctx context.Context, client *kgo.Client) error {
	offsets := map[string]map[int32]kgo.EpochOffset{events.TopicUnresolved: {}, events.TopicAliases: {}}
	for p, next := range r.examined {
		at := next
		_, oldest, ok, err := r.store.oldest(p)
		if err != nil {
			return err
		}
		if ok {
			at = min(at, oldest.offset)
		}
		offsets[events.TopicUnresolved][p] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	for p, next := range r.aliased {
		offsets[events.TopicAliases][p] = kgo.EpochOffset{Epoch: -1, Offset: next}
	}
	text := fmt.Sprint(offsets, r.examined)
	if len(r.examined)+len(r.aliased) == 0 || text == r.committed {
		return nil
	}
	ctx = kgo.PreCommitFnContext(ctx, r.addMetadata)
	var failed error
	client.CommitOffsetsSync(ctx, offsets,
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
			failed = err
		})
	if failed != nil && ctx.Err() == nil {
		// Not fatal: the inbox recognizes a notification that is delivered again by its key.
		r.log.WarnContext(ctx, "commit failed", slog.String("topic", events.TopicUnresolved), slog.Any("err", failed))
		return nil
	}
	r.committed = text
	return nil
}

// addMetadata writes into a commit how far the resolver has read.
func (r *resolver) addMetadata(req *kmsg.OffsetCommitRequest) error {
	for t := range req.Topics {
		if req.Topics[t].Topic != events.TopicUnresolved {
			continue
		}
		for p := range req.Topics[t].Partitions {
			part := &req.Topics[t].Partitions[p]
			text := strconv.FormatInt(r.examined[part.Partition], 10)
			part.Metadata = &text
		}
	}
	return nil
}
