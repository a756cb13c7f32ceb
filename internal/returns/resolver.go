package returns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
)

// resolver joins orders.unresolved.v1 with orders.aliases.v1. Both are partitioned by the subject: a return, or the
// order item of a new return. The group assigns equal partitions to one member, so one goroutine handles a subject, in
// order.
//
//	unresolved ─▶ all aliases read, and one known? ─ yes ─▶ inbox of the shipments that are known
//	                   └─ no, or not all ─▶ pending store ─▶ alias arrives ─▶ inbox, in order
//	                                             └─▶ Config.Limit ─▶ inbox of the return's own id
//
// A new return with several lines that name no shipment passes through the partitions of their order items, one after
// the other: each adds a shipment to the body, and the last one writes to the inbox.
//
// The offset that it commits is that of the oldest pending notification. So a restart reads all pending ones again, and
// some that are not pending any more. The metadata of the commit says how far the resolver has read: progress reads it
// there.
type resolver struct {
	cfg      Config
	options  []kgo.Opt
	admin    *kadm.Client
	inbox    *journal.Inbox
	producer *kgo.Client
	log      *slog.Logger
	now      func() time.Time // A steady clock.
	resolved *prometheus.CounterVec

	store *pendingStore
	// examined and aliased hold, by partition, the next offset of each topic, since the partition was assigned.
	examined, aliased map[int32]int64
	// aliasEnds holds where the aliases of a partition ended when it was assigned, caughtUp whether they have been read to
	// there.
	aliasEnds map[int32]int64
	caughtUp  map[int32]bool
	touched   map[int32]bool // The partitions with any record since they were assigned.
	committed string         // What the last commit said, so that an idle resolver does not commit again and again.
}

// pollTimeout bounds one poll, and so how late a notification expires.
const pollTimeout = time.Second

// run resolves until ctx ends.
func (r *resolver) run(ctx context.Context) (err error) {
	if r.store, err = openPendingStore(r.cfg.Dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.close()) }()
	r.examined, r.aliased, r.aliasEnds = map[int32]int64{}, map[int32]int64{}, map[int32]int64{}
	r.caughtUp, r.touched = map[int32]bool{}, map[int32]bool{}
	opts := append(append([]kgo.Opt{}, r.options...),
		kgo.ConsumerGroup(kafka.GroupResolver(r.cfg.Cluster)),
		// The client's own session timeout, 45 seconds, would keep the partitions of a killed instance for as long.
		kgo.SessionTimeout(r.cfg.SessionTimeout),
		kgo.ConsumeTopics(events.TopicUnresolved, events.TopicAliases),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// The range balancer assigns partition n of both topics to one member, as long as it counts equally many.
		kgo.Balancers(kafka.LanesOnly(kgo.RangeBalancer(), r.cfg.Lanes)),
		kgo.AdjustFetchOffsetsFn(fromFirstAlias),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		// Members learn of a rebalance by their heartbeats: the partitions of an instance that ended move that fast.
		kgo.HeartbeatInterval(time.Second),
		kgo.OnPartitionsRevoked(r.revoked),
		kgo.OnPartitionsLost(r.revoked),
	)
	if r.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(r.cfg.InstanceID))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("resolver client: %w", err)
	}
	defer client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		if err := r.round(ctx, client); err != nil && ctx.Err() == nil {
			return fmt.Errorf("resolver: %w", err)
		}
	}
	return nil
}

// fromFirstAlias makes every assignment read all aliases again: the store holds none of a new partition, whatever was
// committed for progress to see.
func fromFirstAlias(
	_ context.Context, offsets map[string]map[int32]kgo.Offset,
) (map[string]map[int32]kgo.Offset, error) {
	for partition := range offsets[events.TopicAliases] {
		offsets[events.TopicAliases][partition] = kgo.NewOffset().AtStart()
	}
	return offsets, nil
}

// revoked drops the partitions that another member has now.
func (r *resolver) revoked(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	r.committed = ""
	for _, p := range partitions[events.TopicUnresolved] {
		delete(r.examined, p)
		delete(r.aliased, p)
		delete(r.aliasEnds, p)
		delete(r.caughtUp, p)
		delete(r.touched, p)
		if err := r.store.drop(p); err != nil {
			r.log.ErrorContext(ctx, "pending store not cleared", slog.Int("partition", int(p)), slog.Any("err", err))
		}
	}
}

// round handles one poll. It handles aliases first, because notifications wait for them.
func (r *resolver) round(ctx context.Context, client *kgo.Client) error {
	polling, cancel := context.WithTimeout(ctx, pollTimeout)
	fetches := client.PollRecords(polling, 1000)
	cancel()
	defer client.AllowRebalance()
	if fetches.IsClientClosed() || ctx.Err() != nil {
		return ctx.Err()
	}
	if len(fetches) == 0 {
		// An empty poll, as an assignment can cause, blocks no rebalance: partitions could be dropped in the middle of this
		// round, and a commit that finds nothing pending would then skip all that was. A poll that timed out returns an
		// error, and does block.
		return nil
	}
	fetches.EachError(func(topic string, partition int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			r.log.WarnContext(ctx, "fetch failed", slog.String("topic", topic), slog.Int("partition", int(partition)),
				slog.Any("err", err))
		}
	})
	if err := r.readAliases(ctx, fetches); err != nil {
		return err
	}
	for iter := fetches.RecordIter(); !iter.Done(); {
		rec := iter.Next()
		if rec.Topic != events.TopicUnresolved {
			continue
		}
		if err := r.resolve(ctx, rec); err != nil {
			return err
		}
		r.examined[rec.Partition] = rec.Offset + 1
	}
	if err := r.expire(ctx); err != nil {
		return err
	}
	return r.commit(ctx, client)
}

// readAliases stores the aliases of a poll and releases the notifications that waited for them.
func (r *resolver) readAliases(ctx context.Context, fetches kgo.Fetches) error {
	var linked []subjectKey
	for iter := fetches.RecordIter(); !iter.Done(); {
		rec := iter.Next()
		r.touched[rec.Partition] = true
		if rec.Topic != events.TopicAliases {
			continue
		}
		r.aliased[rec.Partition] = rec.Offset + 1
		key, ok := readAliasKey(rec.Key)
		if !ok {
			r.log.WarnContext(ctx, "unreadable alias skipped", slog.Int("partition", int(rec.Partition)),
				slog.Int64("offset", rec.Offset))
			continue
		}
		if key.kind == aliasService {
			continue // No notification names a service.
		}
		if err := r.store.link(rec.Partition, key, rec.Value); err != nil {
			return err
		}
		linked = append(linked, subjectKey{rec.Partition, subject{key.kind, key.id}})
	}
	if err := r.catchUpAll(ctx); err != nil {
		return err
	}
	for _, key := range linked {
		if !r.caughtUp[key.partition] {
			continue
		}
		if err := r.release(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// release delivers the pending notifications of a subject, in order, as far as its shipments are known.
func (r *resolver) release(ctx context.Context, key subjectKey) error {
	return r.store.eachPending(key, func(p *pendingNotification) error { return r.advance(ctx, key, p, "later") })
}

// resolve delivers a notification, or stores it until its shipments are known.
func (r *resolver) resolve(ctx context.Context, in *kgo.Record) error {
	s, rec := readUnresolved(in)
	key := subjectKey{in.Partition, s}
	pending := pendingNotification{offset: in.Offset, rec: rec, since: rec.ReceivedAt}
	if now := r.now(); now.Before(pending.since) {
		pending.since = now // The clock was ahead when it was received; it would wait for as long on top.
	}
	if _, err := marketplace.ParseNotification(rec.Body, r.cfg.Marketplace); err != nil {
		return r.quarantine(ctx, key.id, rec, err)
	}
	if !r.caughtUp[in.Partition] {
		return r.store.put(key, pending)
	}
	return r.advance(ctx, key, &pending, "at_once")
}

// advance delivers a notification to the shipments that are known. It stores it until all are, and then removes it.
func (r *resolver) advance(ctx context.Context, key subjectKey, p *pendingNotification, how string) error {
	before := len(p.done)
	finished, err := r.deliver(ctx, key, p, how)
	switch {
	case err != nil:
		return err
	case finished:
		return r.store.remove(key, p.offset)
	case how == "at_once" || len(p.done) > before:
		return r.store.put(key, *p)
	default:
		return nil
	}
}

// expire delivers notifications that have waited too long, so that nothing disappears without a decision: to the
// shipments of the return that never recorded it, or, if no shipment is known, under the return's own id. No shipment
// has that id, so the ledger records them as waiting there, and quarantines them in the end.
func (r *resolver) expire(ctx context.Context) error {
	for p := range r.examined {
		// Only if the partition has caught up: the alias for its oldest notification may be among those still to read.
		for r.caughtUp[p] {
			key, oldest, ok, err := r.store.oldest(p)
			if err != nil {
				return err
			}
			if !ok || r.now().Sub(oldest.since) < r.cfg.Limit {
				break
			}
			if _, err := r.deliver(ctx, key, &oldest, howNever); err != nil {
				return err
			}
			if err := r.store.remove(key, oldest.offset); err != nil {
				return err
			}
		}
	}
	return nil
}

// steady returns a clock that starts at the time of now and then follows only the machine's monotonic clock. So nothing
// expires early if somebody sets the clock of a running instance. Programs refuse to start with a wrong clock.
func steady(now func() time.Time) func() time.Time {
	began, wall := time.Now(), now().Round(0)
	return func() time.Time { return wall.Add(time.Since(began)) }
}
