package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
)

const (
	// pollRecords bounds by how much one poll can exceed MaxPending.
	pollRecords = 500
	// Small fetches keep what is prefetched for an endpoint that stands still from filling the memory.
	fetchPartitionBytes = 256 << 10
	fetchBytes          = 4 << 20
	// A fetch that waits at the end of some partitions does not ask for one that was resumed meanwhile. The client's
	// default of 5s would stop a partition with a backlog for so long; half of MaxPending lasts longer than this.
	fetchMaxWait = 200 * time.Millisecond
	// leaveTimeout bounds how long stopping waits for the group.
	leaveTimeout = 5 * time.Second
	// rebalanceMargin is what a member may take beyond its longest request to hand over.
	rebalanceMargin = 15 * time.Second
)

// errBackwards ends a courier: offsets went back while messages were pending, so the log is another one. A new start
// reads it from a clean state and tells old from new by message ids.
var errBackwards = errors.New("offsets went backwards")

// run serves the endpoint until ctx ends, then hands everything over.
func (c *courier) run(ctx context.Context) error {
	client, err := kgo.NewClient(append(slices.Clone(c.options), c.groupOptions()...)...)
	if err != nil {
		return fmt.Errorf("client for group %s: %w", c.group, err)
	}
	c.kafka = client
	go c.loop() //nolint:contextcheck // It outlives ctx: handing over needs it.
	c.running.Store(true)
	err = c.poll(ctx)
	// ctx has ended, and the end of the work needs some time of its own; each step of it is bounded.
	c.handOver(context.WithoutCancel(ctx), nil)
	c.leave() //nolint:contextcheck // ctx has ended.
	c.running.Store(false)
	close(c.quit)
	<-c.stopped
	c.busy.Wait()
	c.post.Close()
	return err
}

// leave closes the client, which leaves the group unless the member is static. Everything has been committed, so a
// Kafka that does not let go must not keep the process: the client goes on trying to join while it is refused, and
// closing waits for that. What is left behind ends with the process.
func (c *courier) leave() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		c.kafka.CloseAllowingRebalance()
	}()
	late := time.NewTimer(leaveTimeout)
	defer late.Stop()
	select {
	case <-closed:
	case <-late.C:
		c.log.LogAttrs(context.Background(), slog.LevelWarn, "group not left in time") // Run's context has ended.
	}
}

func (c *courier) groupOptions() []kgo.Opt {
	options := []kgo.Opt{
		kgo.ConsumerGroup(c.group),
		kgo.ConsumeTopics(events.TopicSuborders),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		// The default is to rewind one minute from where the broker says there is nothing: that would lose messages.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		// Records must reach the loop before a rebalance can take their partition away and give it back.
		kgo.BlockRebalanceOnPoll(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// Markers take offsets. Without them the position would stay short of the end for ever after a transaction,
		// and whoever waits for it too.
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(fetchMaxWait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchPartitionBytes),
		kgo.SessionTimeout(c.session),
		kgo.HeartbeatInterval(min(3*time.Second, (c.session-c.endpoint.Timeout)/3)),
		kgo.RebalanceTimeout(c.endpoint.Timeout + rebalanceMargin),
		kgo.OnOffsetsFetched(c.assigned),
		kgo.OnPartitionsRevoked(c.revoked),
		kgo.OnPartitionsLost(c.lost),
		kgo.WithHooks(beatHook{c}),
	}
	if c.config.InstanceID != "" {
		options = append(options, kgo.InstanceID(c.config.InstanceID))
	}
	return options
}

// poll feeds the loop until ctx ends or the courier cannot go on.
func (c *courier) poll(ctx context.Context) error {
	for {
		fetches := c.kafka.PollRecords(ctx, pollRecords)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			c.kafka.AllowRebalance()
			return nil //nolint:nilerr // The end of ctx is the order to stop.
		}
		fetches.EachError(func(_ string, partition int32, err error) {
			// The client goes on trying by itself.
			c.log.LogAttrs(ctx, slog.LevelWarn, "fetch interrupted", slog.Int("partition", int(partition)), slog.Any("err", err))
		})
		var err error
		c.do(func() { err = c.accept(fetches) }) //nolint:contextcheck // The loop has no context.
		c.kafka.AllowRebalance()
		if err != nil {
			return err
		}
	}
}

// accept takes what was fetched.
func (c *courier) accept(fetches kgo.Fetches) (err error) {
	fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
		p := c.partitions[fetched.Partition]
		if p == nil || p.held || err != nil {
			return
		}
		p.end = max(p.end, fetched.HighWatermark)
		for _, r := range fetched.Records {
			if err = c.read(p, r); err != nil {
				return
			}
		}
		if !p.paused && (p.pending >= c.config.MaxPending || marksFull(p)) {
			p.paused = true
			c.kafka.PauseFetchPartitions(map[string][]int32{events.TopicSuborders: {p.number}})
		}
	})
	return err
}

// read decides what becomes of one record.
func (c *courier) read(p *partition, r *kgo.Record) error {
	c.changed()
	if r.Attrs.IsControl() {
		p.skip(r.Offset)
		return nil
	}
	m, err := readMessage(r)
	if err != nil {
		p.skip(r.Offset)
		c.malformed(&m, err)
		return nil
	}
	reason := ""
	switch p.see(m.offset, m.id) {
	case fresh:
		if c.endpoint.take(&m) {
			d := &delivery{outbound: m}
			p.admit(d)
			c.lanes.push(p, d)
			return nil
		}
		p.pass(m.id)
		reason = "not_taken"
	case delivered:
		reason = "delivered"
	case repeated:
		reason = "repeated"
	case backwards:
		return fmt.Errorf("partition %d offset %d: %w", p.number, m.offset, errBackwards)
	}
	c.metrics.skipped.WithLabelValues(c.endpoint.Name, reason).Inc()
	return nil
}

// malformed gives a record up that cannot be sent to anybody. Its bytes stay in the topic, at the position named.
func (c *courier) malformed(m *outbound, err error) {
	c.metrics.skipped.WithLabelValues(c.endpoint.Name, outcomeMalformed).Inc()
	c.log.LogAttrs(context.Background(), slog.LevelError, "message skipped", // There is no delivery whose context this could be.
		slog.String("shipment_id", m.shipmentID), slog.Int("partition", int(m.partition)),
		slog.Int64("offset", m.offset), slog.Any("err", err))
	if c.outcomes != nil {
		c.outcomes.record(m, outcome{
			MessageID: m.id, Endpoint: c.endpoint.Name, Outcome: outcomeMalformed, Error: err.Error(),
			At: time.Now().UTC().Format(time.RFC3339Nano),
		})
	}
}

// assigned starts partitions from what the group has committed. It is called after each assignment and before the
// first record of these partitions can be fetched; only here is the metadata of the commit to be had.
func (c *courier) assigned(_ context.Context, _ *kgo.Client, fetched *kmsg.OffsetFetchResponse) error {
	c.do(func() { //nolint:contextcheck // Partitions outlive the callback.
		for _, group := range fetched.Groups {
			for _, topic := range group.Topics { // There is only one; newer protocols name it by its id.
				for _, f := range topic.Partitions {
					if f.ErrorCode == 0 {
						c.assume(f.Partition, f.Offset, f.Metadata)
					}
				}
			}
		}
	})
	return nil
}

func (c *courier) assume(number int32, offset int64, metadata *string) {
	if old := c.partitions[number]; old != nil {
		c.drop(old)
	}
	var known marks
	if metadata != nil && offset >= 0 {
		var err error
		if known, err = decodeMarks(offset, *metadata); err != nil {
			// Another tool has moved the position. It is obeyed; what was delivered above it is repeated, in order.
			known = marks{}
			c.log.LogAttrs(context.Background(), slog.LevelWarn, "commit metadata ignored", // The callback's context ends with it.
				slog.Int("partition", int(number)), slog.Int64("offset", offset), slog.Any("err", err))
		}
	}
	c.partitions[number] = newPartition(context.Background(), number, offset, known) // Lives until it is dropped.
	// A pause outlives an assignment in the client.
	c.kafka.ResumeFetchPartitions(map[string][]int32{events.TopicSuborders: {number}})
	c.log.LogAttrs(context.Background(), slog.LevelInfo, "partition assigned",
		slog.Int("partition", int(number)), slog.Int64("offset", offset))
}

// drop forgets a partition and cancels what is in flight for it.
func (c *courier) drop(p *partition) {
	c.lanes.hold(p)
	p.cancel()
	delete(c.partitions, p.number)
}

func (c *courier) revoked(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	// An empty map means none (a cooperative rebalance that takes nothing), not all.
	if numbers := revoked[events.TopicSuborders]; len(numbers) > 0 {
		c.handOver(ctx, numbers)
	}
}

// lost drops partitions that already belong to somebody else: nothing of them may be sent or committed any more.
func (c *courier) lost(ctx context.Context, _ *kgo.Client, lost map[string][]int32) {
	c.do(func() {
		for _, number := range lost[events.TopicSuborders] {
			if p := c.partitions[number]; p != nil {
				c.drop(p)
			}
		}
	})
	c.log.LogAttrs(ctx, slog.LevelWarn, "partitions lost", slog.Any("partitions", lost[events.TopicSuborders]))
}

// beatHook notes when Kafka has renewed the session.
type beatHook struct{ c *courier }

// OnBrokerE2E implements kgo.HookBrokerE2E. An answer that carries a group error soon leads to lost, so that the
// answer as such is proof enough.
func (h beatHook) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if e2e.Err() != nil {
		return
	}
	at := time.Now()
	switch kmsg.Key(key) {
	case kmsg.Heartbeat, kmsg.ConsumerGroupHeartbeat:
		// The broker counts from when it received the request, which is not before it was written.
		at = at.Add(-e2e.DurationE2E())
	case kmsg.JoinGroup, kmsg.SyncGroup:
		// The broker counts anew when it answers.
	default:
		return
	}
	h.c.lastBeat.Store(at.UnixNano())
	select {
	case h.c.beats <- struct{}{}:
	default:
	}
}
