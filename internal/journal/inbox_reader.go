package journal

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// fetched is the result of one poll of the inbox.
type fetched struct {
	records []*kgo.Record
	end     int64
	err     error
}

// inboxReader reads a lane's inbox partition from an offset on. It is in no consumer group: the lane's decisions hold
// its position, in the same transaction as everything else about an input, which an offset committed to a group could
// not be.
type inboxReader struct {
	client  *kgo.Client
	fetched chan fetched
	cancel  func()
	done    chan struct{}
}

func (j *Journal) readInbox(lane int32, from int64) (*inboxReader, error) {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, j.deps.Options...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{events.TopicInbox: {lane: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(2*time.Second),
		kgo.FetchMaxBytes(int32(j.cfg.MaxBatchBytes)),
	)...)
	if err != nil {
		return nil, err
	}
	// The reader runs until the lane is closed, not until the takeover that starts it returns.
	ctx, cancel := context.WithCancel(context.Background())
	r := &inboxReader{client: client, fetched: make(chan fetched), cancel: cancel, done: make(chan struct{})}
	go r.run(ctx, j.cfg.MaxBatch)
	return r, nil
}

func (r *inboxReader) run(ctx context.Context, most int) {
	defer close(r.done)
	for ctx.Err() == nil {
		fetches := r.client.PollRecords(ctx, most)
		var f fetched
		for _, e := range fetches.Errors() {
			if !errors.Is(e.Err, context.Canceled) {
				f.err = errors.Join(f.err, e.Err)
			}
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			f.records = append(f.records, p.Records...)
			f.end = max(f.end, p.HighWatermark)
		})
		if len(f.records) == 0 && f.err == nil {
			continue
		}
		select {
		case r.fetched <- f:
		case <-ctx.Done():
		}
	}
}

func (r *inboxReader) close() {
	r.cancel()
	<-r.done
	r.client.Close()
}
