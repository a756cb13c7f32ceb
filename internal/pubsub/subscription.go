package pubsub

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pollRecords bounds one poll, so that a rebalance is never blocked for long.
const pollRecords = 5000

// subscription is one Subscribe: a client, and a worker for each partition.
type subscription struct {
	*Subscriber
	topic  string
	client *kgo.Client
	out    chan *message.Message

	soft context.Context // Ended: hand out nothing new.
	quit context.CancelFunc
	hard context.Context // Parent of the messages' contexts; outlives soft.

	workers sync.WaitGroup
	mu      sync.Mutex
	parts   map[int32]*worker // Guarded by mu.
}

func subscribe(ctx context.Context, s *Subscriber, topic string) (*subscription, error) {
	sub := &subscription{
		Subscriber: s, topic: topic,
		out: make(chan *message.Message), parts: map[int32]*worker{},
		hard: context.WithoutCancel(ctx),
	}
	sub.soft, sub.quit = context.WithCancel(ctx)
	context.AfterFunc(s.done, sub.quit) //nolint:contextcheck // It outlives the context on purpose.
	client, err := kgo.NewClient(sub.options()...)
	if err != nil {
		sub.quit()
		return nil, err
	}
	sub.client = client
	return sub, nil
}

// gatherBytes is when the broker stops gathering before the time is over.
const gatherBytes = 1 << 20

func (s *subscription) options() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.ConsumeTopics(s.topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// The client's default goes back one minute from what was lost, which
		// may skip records. Repeating them all is what at least once means.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}
	if s.cfg.Gather > 0 {
		opts = append(opts, kgo.FetchMinBytes(gatherBytes), kgo.FetchMaxWait(s.cfg.Gather))
	}
	if s.cfg.Group == "" {
		return append(opts, s.cfg.Client...)
	}
	opts = append(opts,
		kgo.ConsumerGroup(s.cfg.Group),
		kgo.SessionTimeout(s.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(s.cfg.SessionTimeout/5, 3*time.Second)),
		// A member that died is waited for this long when others join, and a
		// drain must fit into it.
		kgo.RebalanceTimeout(max(s.cfg.SessionTimeout, 2*s.cfg.DrainTimeout)),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(s.cfg.CommitInterval),
		// Between a poll and AllowRebalance no partition is taken away, so
		// what was polled always finds its worker.
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(s.revoked),
		kgo.OnPartitionsLost(s.lost),
		kgo.AutoCommitCallback(func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
			s.committed(err)
		}),
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
	s.quit() // The client may have been closed from below.
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.parts))
	s.mu.Unlock()
	s.end(all, s.cfg.DrainTimeout)
	if s.cfg.Group != "" {
		s.commit()
	}
	// The last poll has blocked rebalances.
	s.client.CloseAllowingRebalance()
	s.workers.Wait()
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
			s.cfg.Log.WarnContext(s.soft, "fetch", slog.String("topic", topic), slog.Int("partition", int(partition)), slog.Any("error", err))
		})
		// Whatever went wrong with one partition, the records of the others
		// are here and the client counts them as consumed.
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
	w := s.parts[id]
	if w == nil {
		w = newWorker(s, id)
		s.parts[id] = w
		s.workers.Go(w.run)
	}
	w.add(records)
}

// revoked is called before other members get the partitions. A cooperative
// rebalance calls it with none to say just that, never meaning all.
func (s *subscription) revoked(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	if len(partitions[s.topic]) == 0 {
		return
	}
	s.cfg.Log.DebugContext(s.hard, "giving partitions up", slog.String("topic", s.topic), slog.Any("partitions", partitions[s.topic])) //nolint:contextcheck // It outlives the context on purpose.
	s.end(partitions[s.topic], s.cfg.DrainTimeout)
	s.commit() //nolint:contextcheck // It outlives the context on purpose.
}

// lost is called when others may have the partitions already: there is nothing
// to wait for and nothing to commit.
func (s *subscription) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	s.cfg.Log.WarnContext(s.hard, "partitions lost", slog.String("topic", s.topic), slog.Any("partitions", partitions[s.topic])) //nolint:contextcheck // It outlives the context on purpose.
	s.end(partitions[s.topic], 0)
}

// end stops the workers of these partitions. Each may bring the message in
// hand to its end until the grace is over; after that an ack of it is void.
func (s *subscription) end(ids []int32, grace time.Duration) {
	s.mu.Lock()
	var ending []*worker
	for _, id := range ids {
		if w := s.parts[id]; w != nil {
			ending = append(ending, w)
			delete(s.parts, id)
			w.quit()
		}
	}
	s.mu.Unlock()

	over, cancel := context.WithTimeout(s.hard, grace)
	defer cancel()
	for _, w := range ending {
		select {
		case <-w.done:
		case <-over.Done():
		}
		w.abandon()
		// A pause outlives the assignment and would hold up the next one.
		s.client.ResumeFetchPartitions(w.self)
	}
}

// commit commits what was acked. The subscription's context may have ended;
// what was done must be written down all the same.
func (s *subscription) commit() {
	ctx, cancel := context.WithTimeout(s.hard, s.cfg.DrainTimeout)
	defer cancel()
	s.committed(s.client.CommitMarkedOffsets(ctx))
}

func (s *subscription) committed(err error) {
	if err != nil {
		s.metrics.errors.WithLabelValues(s.topic, "commit").Inc()
		s.cfg.Log.WarnContext(s.hard, "commit", slog.String("topic", s.topic), slog.Any("error", err))
	}
}
