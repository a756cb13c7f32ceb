package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// RewriteLayout records a layout that was lost, if the first record of every lane follows from it: the chains of all
// lanes begin with the layout. It returns the number of records that it has verified. Nobody may write to the ledger
// meanwhile. It refuses to replace a layout.
func RewriteLayout(
	ctx context.Context, client *kgo.Client, cfg Config, on Backend, layout events.Layout,
) (verified int, err error) {
	if err := cfg.accepts(&layout); err != nil {
		return 0, err
	}
	adm := kadm.NewClient(client)
	adm.SetTimeoutMillis(int32(cfg.timeout().Milliseconds()))
	existing, err := list(ctx, adm, cfg)
	if err != nil {
		return 0, err
	}
	if recorded, err := readLayout(ctx, client, cfg); err == nil {
		return 0, fmt.Errorf("topic %s: %w: it holds %s already", events.TopicLayout, ErrLayout, describeLayout(&recorded))
	} else if !errors.Is(err, ErrNoLedger) {
		return 0, err
	}
	if verified, err = verifyStarts(ctx, adm, cfg, existing, &layout); err != nil {
		return verified, err
	}
	if verified == 0 {
		return 0, fmt.Errorf("%w: no lane has a record that the layout could be verified with; delete the topics, "+
			"and start ingest", ErrLayout)
	}
	if err := ensureLayoutTopic(ctx, adm, cfg, on, existing); err != nil {
		return verified, err
	}
	if err := writeLayout(ctx, cfg, layout); err != nil {
		return verified, err
	}
	return verified, CheckLayout(ctx, client, cfg, &layout)
}

// verifyStarts compares the first event and the first decision of every lane with the layout, and the first record of
// every inbox with the number of lanes.
func verifyStarts(
	ctx context.Context, adm *kadm.Client, cfg Config, existing kadm.TopicDetails, layout *events.Layout,
) (verified int, err error) {
	names := []string{events.TopicEvents, events.TopicDecisions, events.TopicInbox}
	for _, name := range names {
		if n := len(existing[name].Partitions); n < int(layout.Lanes) {
			return 0, fmt.Errorf("topic %s: %w: %d partitions for %d lanes", name, ErrLayout, n, layout.Lanes)
		}
	}
	ends, err := adm.ListCommittedOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("ends of the ledger's topics: %w", err)
	}
	var problems []error
	for _, name := range names {
		for p := range int32(len(existing[name].Partitions)) {
			end, _ := ends.Lookup(name, p)
			first, err := firstRecord(ctx, cfg, name, p, end.Offset)
			if err == nil && first != nil {
				verified++
				err = follows(layout, name, p, first)
			}
			if err != nil {
				problems = append(problems, fmt.Errorf("first record of %s lane %d: %w", name, p, err))
			}
		}
	}
	return verified, errors.Join(problems...)
}

// follows returns why a record can't be the first of a lane in a ledger of that layout, or nil.
func follows(layout *events.Layout, topic string, lane int32, r *kgo.Record) error {
	if lane >= int32(layout.Lanes) {
		return fmt.Errorf("%w: there are records in a lane that it does not have", ErrLayout)
	}
	if topic == events.TopicInbox {
		if want := events.Lane(string(r.Key), int(layout.Lanes)); want != lane {
			return fmt.Errorf("%w: with %d lanes, shipment %q belongs to lane %d", ErrLayout, layout.Lanes, r.Key, want)
		}
		return nil
	}
	v := events.Verifier{
		Topic: topic, Lane: lane, Lanes: int(layout.Lanes), Chain: events.ChainStart(layout.Hash(), topic, lane),
	}
	if _, err := v.Next(EventRecord(r)); err != nil {
		return fmt.Errorf("%w: the record does not follow from it: %w", ErrLayout, err)
	}
	return nil
}

// firstRecord returns the first committed record of a partition, or nil if it has none below end.
func firstRecord(ctx context.Context, cfg Config, topic string, partition int32, end int64) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	start := kgo.NewOffset().At(0)
	if topic == events.TopicInbox {
		start = kgo.NewOffset().AtStart() // It is trimmed.
	}
	reader, err := kgo.NewClient(append(Options(cfg),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: start}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(250*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	defer reader.Close()
	for next := int64(0); next < end; {
		fetches := reader.PollRecords(ctx, 100)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read at %d of %d: %w", next, end, err)
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for record := range fetches.RecordsAll() {
			next = record.Offset + 1
			if !record.Attrs.IsControl() {
				return record, nil
			}
		}
	}
	return nil, nil
}
