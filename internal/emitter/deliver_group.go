package emitter

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
)

const (
	// Small fetches keep the client's buffer small while an endpoint accepts nothing.
	fetchPartitionBytes = 256 << 10
	fetchBytes          = 4 << 20
	// A fetch that waits at the end of some partitions does not include a partition that was resumed in the meantime. The
	// client's default of 5s would stop a partition with a backlog for that long; half of MaxPending lasts longer than
	// this.
	fetchMaxWait = 200 * time.Millisecond
	// leaveTimeout bounds how long a stop waits for the group.
	leaveTimeout = 5 * time.Second
	// rebalanceMargin is the time that a member has for a handover beyond its longest request.
	rebalanceMargin = 15 * time.Second
)

// run serves the endpoint until ctx ends, and then hands all partitions over.
func (w *endpointWorker) run(ctx context.Context) error {
	client, err := kgo.NewClient(append(slices.Clone(w.options), w.groupOptions()...)...)
	if err != nil {
		return fmt.Errorf("client for group %s: %w", w.group, err)
	}
	w.kafka = client
	go w.loop() //nolint:contextcheck // It outlives ctx: the handover needs it.
	w.running.Store(true)
	err = w.poll(ctx)
	// ctx has ended, but the handover still takes time; each of its steps is bounded.
	w.handOver(context.WithoutCancel(ctx), nil, min(w.config.StopTimeout, w.longestRequest()))
	w.leave() //nolint:contextcheck // ctx has ended.
	w.running.Store(false)
	close(w.quit)
	<-w.stopped
	w.commits.running.Wait()
	w.senders.close()
	return err
}

// leave closes the client, which leaves the group unless the member is static. It does not wait for ever: while the
// brokers refuse the member, the client keeps trying to join, and closing waits for that. Everything is committed by
// now, so the client may as well end with the process.
func (w *endpointWorker) leave() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		w.kafka.CloseAllowingRebalance()
	}()
	late := time.NewTimer(leaveTimeout)
	defer late.Stop()
	select {
	case <-closed:
	case <-late.C:
		w.log.LogAttrs(context.Background(), slog.LevelWarn, "group not left in time") // Run's context has ended.
	}
}

func (w *endpointWorker) groupOptions() []kgo.Opt {
	options := []kgo.Opt{
		kgo.ConsumerGroup(w.group),
		kgo.ConsumeTopics(events.TopicSuborders),
		// Never used, because settleStart gives every partition a position.
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// When an offset is out of range, the client by default resumes one minute before the time of the error. That could
		// lose messages.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		// The loop must have the records before a rebalance can revoke their partition and assign it again.
		kgo.BlockRebalanceOnPoll(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// A transaction marker occupies an offset. A consumer that drops markers never commits the end of the topic after a
		// transaction, and whoever waits for that commit would wait for ever.
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(fetchMaxWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.SessionTimeout(w.session.timeout),
		kgo.HeartbeatInterval(min(3*time.Second, (w.session.timeout-w.endpoint.Timeout)/3)),
		kgo.RebalanceTimeout(w.endpoint.Timeout + rebalanceMargin),
		kgo.OnOffsetsFetched(w.assigned),
		kgo.AdjustFetchOffsetsFn(w.adjustStart),
		kgo.OnPartitionsRevoked(w.revoked),
		kgo.OnPartitionsLost(w.lost),
		kgo.WithHooks(w.session),
	}
	if w.config.InstanceID != "" {
		options = append(options, kgo.InstanceID(w.config.InstanceID))
	}
	return options
}

// assigned starts the assigned partitions from their committed positions. The client calls it after each assignment and
// before it fetches any record of these partitions. It is the only callback that gets the metadata of the commits.
func (w *endpointWorker) assigned(ctx context.Context, client *kgo.Client, fetched *kmsg.OffsetFetchResponse) error {
	if err := w.settleStart(ctx, client, fetched); err != nil {
		return err
	}
	w.do(func() { //nolint:contextcheck // Partitions outlive the callback.
		for _, group := range fetched.Groups {
			for _, topic := range group.Topics { // There is only one; newer protocol versions name it by its id.
				for _, f := range topic.Partitions {
					if f.ErrorCode == 0 {
						w.startPartition(f.Partition, f.Offset, f.Metadata)
					}
				}
			}
		}
	})
	return nil
}

func (w *endpointWorker) startPartition(number int32, offset int64, metadata *string) {
	if old := w.partitions[number]; old != nil {
		w.drop(old)
	}
	var inherited completedOffsets
	if metadata != nil && offset >= 0 {
		var err error
		if inherited, err = decodeCompleted(offset, *metadata); err != nil {
			// Another tool has set the offset. Delivery starts there and repeats what was delivered above it, in order.
			inherited = completedOffsets{}
			w.log.LogAttrs(context.Background(), slog.LevelWarn, "commit metadata ignored", // Not the callback's context.
				slog.Int("partition", int(number)), slog.Int64("offset", offset), slog.Any("err", err))
		}
	}
	// The context of a partition ends when it is dropped.
	w.partitions[number] = newPartition(context.Background(), number, offset, inherited)
	// In the client a pause outlives the assignment.
	w.kafka.ResumeFetchPartitions(map[string][]int32{events.TopicSuborders: {number}})
	w.log.LogAttrs(context.Background(), slog.LevelInfo, "partition assigned",
		slog.Int("partition", int(number)), slog.Int64("offset", offset))
}

// drop removes a partition and cancels its requests in flight.
func (w *endpointWorker) drop(p *partition) {
	w.scheduler.drain(p)
	p.cancel()
	delete(w.partitions, p.number)
}

func (w *endpointWorker) revoked(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	// A cooperative rebalance that takes nothing passes an empty map. It does not mean all partitions.
	if numbers := revoked[events.TopicSuborders]; len(numbers) > 0 {
		w.handOver(ctx, numbers, w.longestRequest())
	}
}

// longestRequest is how long a request in flight may still take.
func (w *endpointWorker) longestRequest() time.Duration { return w.endpoint.Timeout + time.Second }

// lost drops partitions that already belong to another member: this one may neither send nor commit for them any more.
func (w *endpointWorker) lost(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	w.do(func() {
		for _, number := range lost[events.TopicSuborders] {
			if p := w.partitions[number]; p != nil {
				w.drop(p)
			}
		}
	})
	w.log.LogAttrs(ctx, slog.LevelWarn, "partitions lost", slog.Any("partitions", lost[events.TopicSuborders]))
}
