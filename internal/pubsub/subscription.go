package pubsub

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// pollRecords bounds one poll, so that a rebalance is never blocked for long.
	pollRecords = 5000
	// fetchWaitBytes is how many bytes make the broker respond before Config.FetchWait is over.
	fetchWaitBytes = 1 << 20
)

// subscription is the result of one Subscribe: a client, and a worker for each partition.
type subscription struct {
	*Subscriber
	topic  string
	client *kgo.Client
	out    chan *message.Message

	soft context.Context // Once it has ended, nothing new is delivered.
	quit context.CancelFunc
	hard context.Context // Parent of the messages' contexts; outlives soft.

	running sync.WaitGroup // Goroutines of the workers.
	mu      sync.Mutex
	workers map[int32]*worker // By partition; guarded by mu.
}

func subscribe(ctx context.Context, s *Subscriber, topic string) (*subscription, error) {
	sub := &subscription{
		Subscriber: s, topic: topic,
		out: make(chan *message.Message), workers: map[int32]*worker{},
		hard: context.WithoutCancel(ctx),
	}
	sub.soft, sub.quit = context.WithCancel(ctx)
	context.AfterFunc(s.done, sub.quit)            //nolint:contextcheck // The Subscriber outlives ctx.
	client, err := kgo.NewClient(sub.options()...) //nolint:contextcheck // The client outlives ctx.
	if err != nil {
		sub.quit()
		return nil, err
	}
	sub.client = client
	return sub, nil
}

func (s *subscription) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumeTopics(s.topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// By default the client resumes one minute before the time of the error, which may skip records. Reading all of them
		// again is what at least once requires.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	if s.cfg.FetchWait > 0 {
		opts = append(opts, kgo.FetchMinBytes(fetchWaitBytes), kgo.FetchMaxWait(s.cfg.FetchWait))
	}
	if s.cfg.Group == "" {
		return append(opts, s.cfg.Client...)
	}
	opts = append(opts,
		kgo.ConsumerGroup(s.cfg.Group),
		kgo.SessionTimeout(s.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(s.cfg.SessionTimeout/5, 3*time.Second)),
		// A rebalance waits this long for a member, alive or dead; a drain must fit into it.
		kgo.RebalanceTimeout(max(s.cfg.SessionTimeout, 2*s.cfg.DrainTimeout)),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(s.cfg.CommitInterval),
		// No partition is revoked between a poll and AllowRebalance, so the polled records always find their worker.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnOffsetsFetched(s.assigned),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
		kgo.AutoCommitCallback(func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
			s.reportCommit(err)
		}),
		// Automatic commits run under the client's context, and only the context can pass a function that edits them.
		kgo.WithContext(s.withMetadata(s.hard)),
	)
	if s.cfg.InstanceID != "" {
		// Two subscriptions with one instance id would fence each other.
		opts = append(opts, kgo.InstanceID(s.cfg.InstanceID+"-"+s.topic))
	}
	return append(opts, s.cfg.Client...)
}

// run polls until the subscription ends, then drains it.
func (s *subscription) run() {
	s.poll()
	s.quit() // Polling also ends when the client was closed; then soft is still alive.
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.workers))
	s.mu.Unlock()
	s.drain(all, s.cfg.DrainTimeout)
	// It leaves the group, or ends the session of a static member, and calls revoked, which commits. The last poll still
	// blocks rebalances.
	s.client.CloseAllowingRebalance()
	s.running.Wait()
	close(s.out)
}

func (s *subscription) poll() {
	for {
		fetches := s.client.PollRecords(s.soft, pollRecords)
		if s.soft.Err() != nil || fetches.IsClientClosed() {
			return
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			s.metrics.errors.WithLabelValues(s.topic, "fetch").Inc()
			s.cfg.Log.WarnContext(s.soft, "fetch interrupted",
				slog.String("topic", topic), slog.Int("partition", int(partition)), slog.Any("err", err))
		})
		// Even if one partition failed, the client counts the records of the others as consumed.
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				s.push(p.Partition, p.Records)
			}
		})
		s.client.AllowRebalance()
	}
}

func (s *subscription) push(id int32, records []*kgo.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.workers[id]
	if w == nil {
		w = newWorker(s, id)
		s.workers[id] = w
		s.running.Go(w.run)
	}
	w.add(records)
}

// assigned is called after each assignment, before the client fetches any record of these partitions. It is the only
// callback that gets the metadata of the commits.
func (s *subscription) assigned(ctx context.Context, _ *kgo.Client, fetched *kmsg.OffsetFetchResponse) error {
	if s.cfg.Assigned == nil {
		return nil
	}
	var positions []Position
	for _, group := range fetched.Groups {
		for _, topic := range group.Topics { // There is only one; newer protocol versions name it by its id.
			for _, p := range topic.Partitions {
				if p.ErrorCode != 0 {
					continue // The client does not start this partition.
				}
				position := Position{Partition: p.Partition, Offset: p.Offset}
				if p.Metadata != nil {
					position.Metadata = *p.Metadata
				}
				positions = append(positions, position)
			}
		}
	}
	if len(positions) == 0 {
		return nil
	}
	if err := s.cfg.Assigned(ctx, positions); err != nil {
		return fmt.Errorf("assigned %s: %w", s.topic, err)
	}
	return nil
}

// withMetadata returns a context whose commits carry the metadata of Config.Metadata.
func (s *subscription) withMetadata(ctx context.Context) context.Context {
	if s.cfg.Metadata == nil {
		return ctx
	}
	return kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for t := range request.Topics {
			for i := range request.Topics[t].Partitions {
				p := &request.Topics[t].Partitions[i]
				text := s.cfg.Metadata(p.Partition)
				p.Metadata = &text
			}
		}
		return nil
	})
}

// revoked is called before other members get the partitions. A cooperative rebalance that takes nothing calls it with
// an empty map, which does not mean all partitions.
func (s *subscription) revoked(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	if len(partitions[s.topic]) == 0 {
		return
	}
	s.cfg.Log.DebugContext(s.hard, "partitions revoked", //nolint:contextcheck // The drain outlives the context.
		slog.String("topic", s.topic), slog.Any("partitions", partitions[s.topic]))
	s.drain(partitions[s.topic], s.cfg.DrainTimeout)
	s.commit() //nolint:contextcheck // As above.
}

// lost is called when other members may already have the partitions: there is nothing left to drain or to commit.
func (s *subscription) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	s.cfg.Log.WarnContext(s.hard, "partitions lost", //nolint:contextcheck // As in revoked.
		slog.String("topic", s.topic), slog.Any("partitions", partitions[s.topic]))
	s.drain(partitions[s.topic], 0)
}

// drain stops the workers of these partitions. Their handlers may finish the messages they are working on until the
// grace period is over; later acks are discarded.
func (s *subscription) drain(ids []int32, grace time.Duration) {
	s.mu.Lock()
	var draining []*worker
	for _, id := range ids {
		if w := s.workers[id]; w != nil {
			draining = append(draining, w)
			delete(s.workers, id)
			w.quit()
		}
	}
	s.mu.Unlock()

	over, cancel := context.WithTimeout(s.hard, grace)
	defer cancel()
	for _, w := range draining {
		select {
		case <-w.done:
		case <-over.Done():
		}
		w.abandon()
		// In the client a pause outlives the assignment and would stop the next one.
		s.client.ResumeFetchPartitions(w.partition)
	}
}

// commit commits the acked offsets. The context of the subscription may have ended; the commit must happen all the
// same.
func (s *subscription) commit() {
	ctx, cancel := context.WithTimeout(s.withMetadata(s.hard), s.cfg.DrainTimeout)
	defer cancel()
	s.reportCommit(s.client.CommitMarkedOffsets(ctx))
}

// reportCommit counts and logs a failed commit. The next one covers its offsets.
func (s *subscription) reportCommit(err error) {
	if err != nil {
		s.metrics.errors.WithLabelValues(s.topic, "commit").Inc()
		s.cfg.Log.WarnContext(s.hard, "commit refused", slog.String("topic", s.topic), slog.Any("err", err))
	}
}
