package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// resolver leads notifications that name only a return to their shipments. It joins orders.unresolved.v1 with
// orders.aliases.v1: both are partitioned by the return, and the group gives equal partitions to one member, so a
// return is handled by one goroutine, in order.
//
//	unresolved ─▶ aliases read, and one known? ─ yes ─▶ inbox
//	                   └─ no ─▶ store ─▶ alias comes ─▶ inbox, in order
//	                              └─▶ UnresolvedLimit ─▶ inbox, under the return's own id
//
// At least once: the position that is committed is that of the oldest notification that waits, so a restart reads all
// that waited, and some that did not; the inbox knows a repeat by its key. How far it has looked is told in the
// commit's metadata, for those who want to know whether anything is left to look at.
type resolver struct {
	g     *Ingest
	store *waitingRoom
	// Per partition, the next offset of each topic; only what was seen since the partition was assigned.
	examined, aliased map[int32]int64
	// Per partition since it was assigned: where its aliases ended then, and whether they have been read to there.
	aliasEnds map[int32]int64
	caught    map[int32]bool
	touched   map[int32]bool // The partitions of which anything has come.
	told      string         // What the last commit said, so that rest is not committed again and again.
}

// resolverPoll bounds how long the resolver is deaf to the clock.
const resolverPoll = time.Second

// Run resolves until ctx ends.
func (r *resolver) Run(ctx context.Context) (err error) {
	if r.store, err = openWaitingRoom(r.g.cfg.ResolverDir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.close()) }()
	r.examined, r.aliased, r.aliasEnds = map[int32]int64{}, map[int32]int64{}, map[int32]int64{}
	r.caught, r.touched = map[int32]bool{}, map[int32]bool{}
	client, err := kgo.NewClient(append(append(append([]kgo.Opt{}, r.g.options...), r.g.member(kafka.GroupResolver(r.g.cfg.Cluster))...),
		kgo.ConsumeTopics(events.TopicUnresolved, events.TopicAliases),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// Range gives partition n of both topics to one member, as they have equally many.
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.AdjustFetchOffsetsFn(fromTheFirstAlias),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		// What waits at an instance that ended goes on elsewhere after a heartbeat of the others.
		kgo.HeartbeatInterval(time.Second),
		kgo.OnPartitionsRevoked(r.dropped),
		kgo.OnPartitionsLost(r.dropped),
	)...)
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

// fromTheFirstAlias makes every assignment read all aliases again: the store is empty then, whatever was committed for
// others to see.
func fromTheFirstAlias(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for partition := range offsets[events.TopicAliases] {
		offsets[events.TopicAliases][partition] = kgo.NewOffset().AtStart()
	}
	return offsets, nil
}

// dropped forgets the partitions that another member has now.
func (r *resolver) dropped(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	r.told = ""
	for _, p := range partitions[events.TopicUnresolved] {
		delete(r.examined, p)
		delete(r.aliased, p)
		delete(r.aliasEnds, p)
		delete(r.caught, p)
		delete(r.touched, p)
		if err := r.store.drop(p); err != nil {
			r.g.log.ErrorContext(ctx, "resolver store not cleared", slog.Int("partition", int(p)), slog.Any("err", err))
		}
	}
}

// round handles one poll: aliases first, because they are what the others wait for.
func (r *resolver) round(ctx context.Context, client *kgo.Client) error {
	polling, cancel := context.WithTimeout(ctx, resolverPoll)
	fetches := client.PollRecords(polling, 1000)
	cancel()
	defer client.AllowRebalance()
	if fetches.IsClientClosed() || ctx.Err() != nil {
		return ctx.Err()
	}
	if len(fetches) == 0 {
		// An empty poll, as an assignment can cause, blocks no rebalance: the partitions could be dropped under our hands,
		// and a commit that finds nothing waiting any more would pass over all that waits. One whose time is over returns an
		// error, and does block.
		return nil
	}
	fetches.EachError(func(topic string, partition int32, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			r.g.log.WarnContext(ctx, "fetch failed", slog.String("topic", topic), slog.Int("partition", int(partition)), slog.Any("err", err))
		}
	})
	var told []knownReturn
	for iter := fetches.RecordIter(); !iter.Done(); {
		rec := iter.Next()
		if rec.Topic != events.TopicAliases {
			continue
		}
		r.aliased[rec.Partition] = rec.Offset + 1
		known, err := r.alias(ctx, rec)
		if err != nil {
			return err
		}
		told = append(told, known)
	}
	for iter := fetches.RecordIter(); !iter.Done(); {
		r.touched[iter.Next().Partition] = true
	}
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	for _, known := range told {
		if !r.caught[known.partition] {
			continue
		}
		if err := r.release(ctx, known); err != nil {
			return err
		}
	}
	for iter := fetches.RecordIter(); !iter.Done(); {
		rec := iter.Next()
		if rec.Topic != events.TopicUnresolved {
			continue
		}
		if err := r.unresolved(ctx, rec); err != nil {
			return err
		}
		r.examined[rec.Partition] = rec.Offset + 1
	}
	if err := r.expire(ctx); err != nil {
		return err
	}
	return r.commit(ctx, client)
}

// knownReturn is a return whose shipment was told.
type knownReturn struct {
	partition int32
	id        string
}

// alias stores an alias.
func (r *resolver) alias(ctx context.Context, rec *kgo.Record) (knownReturn, error) {
	var known knownReturn
	for _, h := range rec.Headers {
		if h.Key == headerAlias {
			known = knownReturn{rec.Partition, string(h.Value)}
		}
	}
	var alias ledgerv1.Alias
	if err := alias.UnmarshalVT(rec.Value); err != nil || known.id == "" || alias.GetShipmentId() == "" {
		r.g.log.WarnContext(ctx, "alias skipped", slog.Int("partition", int(rec.Partition)), slog.Int64("offset", rec.Offset), slog.Any("err", err))
		return knownReturn{}, nil
	}
	return known, r.store.know(known, alias.GetShipmentId(), alias.GetSellerId())
}

// release hands on what waited for a return, in order, to all of its shipments, if it has any.
func (r *resolver) release(ctx context.Context, known knownReturn) error {
	waiting, err := r.store.waiting(known)
	if err != nil || len(waiting) == 0 {
		return err
	}
	shipments, err := r.store.shipments(known)
	if err != nil || len(shipments) == 0 {
		return err // Nobody knows it yet: handed on to no shipment, it would be lost.
	}
	for _, w := range waiting {
		if err := r.handOn(ctx, w.rec, shipments, "later"); err != nil {
			return err
		}
		if err := r.store.forget(known, w.offset); err != nil {
			return err
		}
	}
	return nil
}

// unresolved hands a notification on, or keeps it until its return is known.
func (r *resolver) unresolved(ctx context.Context, in *kgo.Record) error {
	id, rec := readUnresolved(in)
	known := knownReturn{in.Partition, id}
	shipments, err := r.store.shipments(known)
	if err != nil {
		return err
	}
	if len(shipments) > 0 && r.caught[in.Partition] {
		return r.handOn(ctx, rec, shipments, "at_once")
	}
	return r.store.keep(known, in.Offset, rec)
}

// expire hands on what has waited too long, under the return's own id: nobody knows such a shipment, so the ledger
// records it as waiting there, and quarantines it in the end. Nothing disappears without a decision.
func (r *resolver) expire(ctx context.Context) error {
	for p := range r.examined {
		// A partition whose aliases are not read yet may hold that of what has waited longest.
		for r.caught[p] {
			known, oldest, ok, err := r.store.oldest(p)
			if err != nil || !ok || r.g.now().Sub(oldest.rec.ReceivedAt) < r.g.cfg.UnresolvedLimit {
				if err != nil {
					return err
				}
				break
			}
			if err := r.handOn(ctx, oldest.rec, []knownShipment{{id: known.id}}, "never"); err != nil {
				return err
			}
			if err := r.store.forget(known, oldest.offset); err != nil {
				return err
			}
		}
	}
	return nil
}

// handOn appends a notification to the inbox of each shipment, and keeps trying while Kafka is away: the next one of
// the return must not overtake it.
func (r *resolver) handOn(ctx context.Context, rec journal.InboxRecord, shipments []knownShipment, how string) error {
	n, err := marketplace.ParseNotification(rec.Body, r.g.cfg.Marketplace)
	if err != nil {
		// It was read once, before it was stored; only another version of this program can see it so.
		r.g.log.ErrorContext(ctx, "unresolved notification skipped", slog.Any("err", err))
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
	r.g.metrics.resolved.WithLabelValues(how).Inc()
	return nil
}

func (r *resolver) append(ctx context.Context, rec journal.InboxRecord) error {
	for {
		try, cancel := context.WithTimeout(ctx, r.g.cfg.NotificationTimeout)
		_, _, err := r.g.inbox.Append(try, rec)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.g.log.WarnContext(ctx, "notification not handed on", slog.String("shipment_id", rec.ShipmentID), slog.Any("err", err))
	}
}

// commit tells how far everything is.
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
	tell := fmt.Sprint(offsets, r.examined)
	if len(r.examined)+len(r.aliased) == 0 || tell == r.told {
		return nil
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
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
	})
	var failed error
	client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
		failed = err
	})
	if failed != nil && ctx.Err() == nil {
		// Not fatal: what was handed on is known by its key.
		r.g.log.WarnContext(ctx, "commit failed", slog.String("topic", events.TopicUnresolved), slog.Any("err", failed))
		return nil
	}
	r.told = tell
	return nil
}
