package returns

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

const (
	// fetchWait is how long the broker may collect events before it answers, unless it has fetchBytes. Nobody waits for a
	// single alias, and answering for each event would cost the broker as much as writing it.
	fetchWait  = 100 * time.Millisecond
	fetchBytes = 1 << 20
	// aliasRetry is the time between two attempts to write aliases.
	aliasRetry = time.Second
)

// aliasWorker derives aliases from the ledger: it reads orders.events.v1 and writes orders.aliases.v1. It delivers at
// least once; writing an alias again changes nothing, so it writes those of a whole poll at once. Every shipment has an
// alias for each order item, and a message of its own for each would cost six times as much CPU time.
type aliasWorker struct {
	cfg      Config
	options  []kgo.Opt
	producer *kgo.Client // Writes to the partitions that the records name.
	log      *slog.Logger

	committed map[int32]int64 // So that an idle worker does not commit again and again.
}

// run writes aliases until ctx ends.
func (a *aliasWorker) run(ctx context.Context) error {
	a.committed = map[int32]int64{}
	opts := append(append([]kgo.Opt{}, a.options...),
		kgo.ConsumerGroup(kafka.GroupAliases(a.cfg.Cluster)),
		kgo.SessionTimeout(a.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(a.cfg.SessionTimeout/5, 3*time.Second)),
		kgo.ConsumeTopics(events.TopicEvents),
		// By default the client resumes one minute before the time of an error, which may skip events.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The marker at the end of a transaction takes an offset. A reader that keeps markers can commit the end of the log,
		// and progress then shows that nothing is left.
		kgo.KeepControlRecords(),
		kgo.FetchMinBytes(fetchBytes), kgo.FetchMaxWait(fetchWait),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(a.revoked), kgo.OnPartitionsLost(a.revoked),
	)
	if a.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(a.cfg.InstanceID))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("aliases client: %w", err)
	}
	defer client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		if err := a.round(ctx, client); err != nil && ctx.Err() == nil {
			return fmt.Errorf("aliases: %w", err)
		}
	}
	return nil
}

// revoked forgets what was committed of partitions that another member has now.
func (a *aliasWorker) revoked(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	for _, p := range partitions[events.TopicEvents] {
		delete(a.committed, p)
	}
}

// round handles one poll: it commits the offsets after the aliases are written.
func (a *aliasWorker) round(ctx context.Context, client *kgo.Client) error {
	fetches := client.PollRecords(ctx, 5000)
	defer client.AllowRebalance()
	if fetches.IsClientClosed() || ctx.Err() != nil {
		return ctx.Err()
	}
	fetches.EachError(func(topic string, partition int32, err error) {
		a.log.WarnContext(ctx, "fetch failed", slog.String("topic", topic), slog.Int("partition", int(partition)),
			slog.Any("err", err))
	})
	var out []*kgo.Record
	next := map[int32]kgo.EpochOffset{}
	passes := aliasEvents().Filter()
	var failed error
	fetches.EachRecord(func(rec *kgo.Record) {
		next[rec.Partition] = kgo.EpochOffset{Epoch: rec.LeaderEpoch, Offset: rec.Offset + 1}
		if rec.Attrs.IsControl() || !passes(rec) {
			return
		}
		records, err := a.aliases(ctx, rec)
		out, failed = append(out, records...), errors.Join(failed, err)
	})
	if failed != nil {
		return failed
	}
	if err := a.write(ctx, out); err != nil {
		return err
	}
	return a.commit(ctx, client, next)
}

// aliases returns the aliases of an event.
func (a *aliasWorker) aliases(ctx context.Context, rec *kgo.Record) ([]*kgo.Record, error) {
	_, event, err := events.Decode(kafka.EventRecord(rec))
	if err != nil {
		// The projector dead-letters it, and operators see it there; no alias can be read from it.
		a.log.WarnContext(ctx, "undecodable event skipped", slog.Int("partition", int(rec.Partition)),
			slog.Int64("offset", rec.Offset), slog.Any("err", err))
		return nil, nil
	}
	var out []*kgo.Record
	for _, one := range aliasesOf(event) {
		alias, err := one.record(a.cfg.Lanes)
		if err != nil {
			return nil, err
		}
		out = append(out, alias)
	}
	return out, nil
}

// write writes aliases, and retries until ctx ends: a return without an alias would wait for ever.
func (a *aliasWorker) write(ctx context.Context, records []*kgo.Record) error {
	for len(records) > 0 {
		try, cancel := context.WithTimeout(ctx, a.cfg.AppendTimeout)
		err := a.producer.ProduceSync(try, records...).FirstErr()
		cancel()
		if err == nil {
			break
		}
		a.log.WarnContext(ctx, "aliases not written", slog.Int("records", len(records)), slog.Any("err", err))
		retry := time.NewTimer(aliasRetry)
		select {
		case <-retry.C:
		case <-ctx.Done():
			retry.Stop()
			return ctx.Err()
		}
	}
	return nil
}

// commit commits the offsets of the events whose aliases are written.
func (a *aliasWorker) commit(ctx context.Context, client *kgo.Client, next map[int32]kgo.EpochOffset) error {
	for p, at := range next {
		if a.committed[p] == at.Offset {
			delete(next, p)
		}
	}
	if len(next) == 0 {
		return nil
	}
	var failed error
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{events.TopicEvents: next},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			failed = err
			if resp == nil {
				return
			}
			for _, topic := range resp.Topics {
				for _, p := range topic.Partitions {
					failed = errors.Join(failed, kerr.ErrorForCode(p.ErrorCode))
				}
			}
		})
	if failed != nil && ctx.Err() == nil {
		// Not fatal: the events are read again, and the same aliases written again.
		a.log.WarnContext(ctx, "commit failed", slog.String("topic", events.TopicEvents), slog.Any("err", failed))
		return nil
	}
	for p, at := range next {
		a.committed[p] = at.Offset
	}
	return nil
}
