package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// withRecords returns those of the topics that have, or had, records, except the layout's.
func withRecords(
	ctx context.Context, adm *kadm.Client, cfg Config, existing kadm.TopicDetails,
) ([]string, error) {
	var names []string
	for _, t := range Topics() {
		if _, ok := existing[t.Name]; ok && t.Name != events.TopicLayout {
			names = append(names, t.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	var ends kadm.ListedOffsets
	// A topic that was created a moment ago has no leaders yet.
	err := retry(ctx, func() (err error) {
		if ends, err = adm.ListEndOffsets(ctx, names...); err != nil {
			return err
		}
		return ends.Error()
	})
	if err != nil {
		return nil, fmt.Errorf("ends of the ledger's topics: %w", err)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(slices.Collect(maps.Values(ends[name])), func(o kadm.ListedOffset) bool {
			return o.Offset > 0
		})
	}), nil
}

// ensureLayoutTopic creates the topic of the layout if it is missing, and checks its settings.
func ensureLayoutTopic(
	ctx context.Context, adm *kadm.Client, cfg Config, on Backend, existing kadm.TopicDetails,
) error {
	topic := Topics()[0]
	d, ok := existing[topic.Name]
	if !ok {
		if err := createTopic(ctx, adm, cfg, on, topic, 1); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return err
		}
		created, err := await(ctx, adm, cfg, func(now kadm.TopicDetails) bool {
			return len(now[topic.Name].Partitions) > 0 && led(now[topic.Name])
		})
		if err != nil {
			return err
		}
		d = created[topic.Name]
	}
	problems, err := checkSettings(ctx, adm, cfg, on, kadm.TopicDetails{topic.Name: d})
	if err != nil {
		return err
	}
	return errors.Join(problems...)
}

// layoutClient returns a client that reads the layout, from its first record on, and writes it.
func layoutClient(cfg Config) (*kgo.Client, error) {
	client, err := kgo.NewClient(append(Options(cfg), ManualPartitions(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{events.TopicLayout: {0: kgo.NewOffset().At(0)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // They take offsets, and the end is one.
		kgo.FetchMaxWait(250*time.Millisecond),
	)...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return client, nil
}

// writeLayout records a layout. It uses no transaction: an open one would hold up every reader of the layout.
func writeLayout(ctx context.Context, cfg Config, layout events.Layout) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	value, err := layout.Marshal(time.Now())
	if err != nil {
		return err
	}
	// An idempotent producer can't give up a record that may have been written, so it would wait for a broker that is gone
	// without any limit. A second record of a layout changes nothing.
	client, err := kgo.NewClient(append(Options(cfg), ManualPartitions(), kgo.DisableIdempotentWrite())...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	record := &kgo.Record{Topic: events.TopicLayout, Key: []byte(layout.LedgerID), Value: value}
	if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
		return fmt.Errorf("write %s: %w", events.TopicLayout, err)
	}
	return nil
}

// readLayout reads the layout's topic to its end and returns the layout that counts: the lowest record.
func readLayout(ctx context.Context, client *kgo.Client, cfg Config) (events.Layout, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.timeout())
	defer cancel()
	end, err := layoutEnd(ctx, kadm.NewClient(client))
	if err != nil {
		return events.Layout{}, err
	}
	reader, err := layoutClient(cfg)
	if err != nil {
		return events.Layout{}, err
	}
	defer reader.Close()
	var found *events.Layout
	for next := int64(0); next < end; {
		fetches := reader.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return events.Layout{}, fmt.Errorf("read %s at %d of %d: %w; if a transaction is open in it, end that with "+
				"kafka-transactions.sh", events.TopicLayout, next, end, err)
		}
		if err := fetches.Err(); err != nil {
			return events.Layout{}, fmt.Errorf("read %s: %w", events.TopicLayout, err)
		}
		for record := range fetches.RecordsAll() {
			next = record.Offset + 1
			if record.Attrs.IsControl() || record.Offset >= end {
				continue
			}
			layout, err := events.DecodeLayout(record.Value)
			if err != nil {
				return events.Layout{}, fmt.Errorf("read %s at %d: %w; another program wrote it: delete the topic, and write the "+
					"layout again with `orderledger layout write`", events.TopicLayout, record.Offset, err)
			}
			if layout.Epoch > 0 {
				return events.Layout{}, fmt.Errorf("topic %s: %w: it has a layout of epoch %d, and this build reads only epoch 0; "+
					"use a newer build", events.TopicLayout, ErrLayout, layout.Epoch)
			}
			if found == nil {
				found = &layout
			}
		}
	}
	if found == nil {
		return events.Layout{}, fmt.Errorf("topic %s: %w", events.TopicLayout, ErrNoLedger)
	}
	return *found, nil
}

// layoutEnd returns the end of the layout's topic, as read-uncommitted readers see it; 0 if there is no topic.
func layoutEnd(ctx context.Context, adm *kadm.Client) (int64, error) {
	var end int64
	err := retry(ctx, func() error {
		topics, err := adm.ListTopics(ctx, events.TopicLayout)
		if err != nil {
			return fmt.Errorf("list topic %s: %w", events.TopicLayout, err)
		}
		if errors.Is(topics[events.TopicLayout].Err, kerr.UnknownTopicOrPartition) {
			return nil
		}
		starts, err := adm.ListStartOffsets(ctx, events.TopicLayout)
		if err == nil {
			err = starts.Error()
		}
		if err != nil {
			return fmt.Errorf("start of %s: %w", events.TopicLayout, err)
		}
		ends, err := adm.ListEndOffsets(ctx, events.TopicLayout)
		if err == nil {
			err = ends.Error()
		}
		if err != nil {
			return fmt.Errorf("end of %s: %w", events.TopicLayout, err)
		}
		start, _ := starts.Lookup(events.TopicLayout, 0)
		if start.Offset > 0 {
			return final{fmt.Errorf("topic %s: %w: its first %d records are gone, and with them the layout; delete the topic, "+
				"and write the layout again with `orderledger layout write`", events.TopicLayout, ErrLayout, start.Offset)}
		}
		last, _ := ends.Lookup(events.TopicLayout, 0)
		end = last.Offset
		return nil
	})
	return end, err
}

// final is an error that retrying can't help.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// retry calls fn until it returns no error, a final one or one that Kafka does not call retriable, or until ctx ends.
func retry(ctx context.Context, fn func() error) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := fn()
		var stop final
		switch {
		case err == nil:
			return nil
		case errors.As(err, &stop):
			return stop.error
		case !kerr.IsRetriable(err) && !errors.Is(err, kerr.UnknownTopicOrPartition):
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}
