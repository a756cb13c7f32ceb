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
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// resolver joins orders.unresolved.v1 with orders.aliases.v1. Both are partitioned by the return, and the group assigns
// equal partitions to one member, so one goroutine handles a return, in order.
//
//	unresolved ─▶ all aliases read, and one known? ─ yes ─▶ inbox
//	                   └─ no ─▶ pending store ─▶ alias arrives ─▶ inbox, in order
//	                                   └─▶ Config.Limit ─▶ inbox of the return's own id
//
// The offset that it commits is that of the oldest pending notification. So a restart reads all pending ones again, and
// some that are not pending any more. The metadata of the commit says how far the resolver has read: progress reads it
// there.
type resolver struct {
	cfg      Config
	options  []kgo.Opt
	admin    *kadm.Client
	inbox    *journal.Inbox
	log      *slog.Logger
	now      func() time.Time
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
		// The range balancer assigns partition n of both topics to one member, as they have equally many.
		kgo.Balancers(kgo.RangeBalancer()),
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
	var linked []returnKey
	for iter := fetches.RecordIter(); !iter.Done(); {
		rec := iter.Next()
		r.touched[rec.Partition] = true
		if rec.Topic != events.TopicAliases {
			continue
		}
		r.aliased[rec.Partition] = rec.Offset + 1
		key, err := r.storeAlias(ctx, rec)
		if err != nil {
			return err
		}
		linked = append(linked, key)
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

// storeAlias stores an alias and returns its return.
func (r *resolver) storeAlias(ctx context.Context, rec *kgo.Record) (returnKey, error) {
	key := returnKey{rec.Partition, string(kafka.Header(rec, headerAlias))}
	var alias ledgerv1.Alias
	if err := alias.UnmarshalVT(rec.Value); err != nil || key.id == "" || alias.GetShipmentId() == "" {
		r.log.WarnContext(ctx, "unreadable alias skipped", slog.Int("partition", int(rec.Partition)),
			slog.Int64("offset", rec.Offset), slog.Any("err", err))
		return returnKey{}, nil
	}
	return key, r.store.link(key, alias.GetShipmentId(), alias.GetSellerId())
}

// release delivers the pending notifications of a return, in order, to all of its shipments, if it has any.
func (r *resolver) release(ctx context.Context, key returnKey) error {
	pending, err := r.store.pending(key)
	if err != nil || len(pending) == 0 {
		return err
	}
	shipments, err := r.store.shipments(key)
	if err != nil || len(shipments) == 0 {
		return err // Without a shipment there is no inbox to deliver to, and removing it would lose it.
	}
	for _, one := range pending {
		if err := r.deliver(ctx, one.rec, shipments, "later"); err != nil {
			return err
		}
		if err := r.store.remove(key, one.offset); err != nil {
			return err
		}
	}
	return nil
}

// resolve delivers a notification, or stores it until its return is known.
func (r *resolver) resolve(ctx context.Context, in *kgo.Record) error {
	id, rec := readUnresolved(in)
	key := returnKey{in.Partition, id}
	shipments, err := r.store.shipments(key)
	if err != nil {
		return err
	}
	if len(shipments) > 0 && r.caughtUp[in.Partition] {
		return r.deliver(ctx, rec, shipments, "at_once")
	}
	return r.store.put(key, in.Offset, rec)
}

// expire delivers notifications that have waited too long under the return's own id. No shipment has that id, so the
// ledger records them as waiting there, and quarantines them in the end: nothing disappears without a decision.
func (r *resolver) expire(ctx context.Context) error {
	for p := range r.examined {
		// Only if the partition has caught up: the alias for its oldest notification may be among those still to read.
		for r.caughtUp[p] {
			key, oldest, ok, err := r.store.oldest(p)
			if err != nil {
				return err
			}
			if !ok || r.now().Sub(oldest.rec.ReceivedAt) < r.cfg.Limit {
				break
			}
			if err := r.deliver(ctx, oldest.rec, []linkedShipment{{id: key.id}}, "never"); err != nil {
				return err
			}
			if err := r.store.remove(key, oldest.offset); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliver appends a notification to the inbox of each shipment.
func (r *resolver) deliver(
	ctx context.Context, rec journal.InboxRecord, shipments []linkedShipment, how string,
) error {
	n, err := marketplace.ParseNotification(rec.Body, r.cfg.Marketplace)
	if err != nil {
		// It was readable before it was stored, so this happens only between two versions of this program.
		r.log.ErrorContext(ctx, "unresolved notification skipped", slog.Any("err", err))
		return nil
	}
	for _, s := range shipments {
		seller := rec.SellerID
		if seller == "" {
			seller = s.sellerID
		}
		one := n.For(s.id, seller)
		rec.SellerID, rec.ShipmentID, rec.Key, rec.Hash = seller, one.ShipmentID, one.Key(), one.Hash
		if err := r.append(ctx, rec); err != nil {
			return err
		}
	}
	r.resolved.WithLabelValues(how).Inc()
	return nil
}

// append appends to the inbox, and retries until ctx ends: the next notification of the return must not overtake it.
func (r *resolver) append(ctx context.Context, rec journal.InboxRecord) error {
	for {
		try, cancel := context.WithTimeout(ctx, r.cfg.AppendTimeout)
		_, _, err := r.inbox.Append(try, rec)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.log.WarnContext(ctx, "resolved notification not appended", slog.String("shipment_id", rec.ShipmentID),
			slog.Any("err", err))
	}
}
