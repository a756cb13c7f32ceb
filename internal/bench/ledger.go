package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
)

// topicPlain takes the records that are written without a ledger.
const topicPlain = "orderledger.bench.plain"

func kafkaConfig(s settings, lanes int) kafka.Config {
	cfg := kafka.DefaultConfig()
	cfg.Brokers, cfg.Lanes, cfg.ClientID = s.brokers, lanes, "orderledger-bench"
	return cfg
}

// requireNoLedger makes sure that the Kafka holds no ledger, or deletes it with -empty. The benchmark would write into
// it, and its records would be measured too.
func requireNoLedger(ctx context.Context, s settings) error {
	client, err := kgo.NewClient(kafka.Options(kafkaConfig(s, 0))...)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := ledgerTopics(ctx, admin)
	if err != nil || len(topics) == 0 {
		return err
	}
	if !s.empty && (len(topics) > 1 || topics[0] != topicPlain) {
		return fmt.Errorf("%s holds a ledger (%s): use another Kafka, or -empty to delete it",
			envKafka, strings.Join(topics, ", "))
	}
	return remove(ctx, admin)
}

func ledgerTopics(ctx context.Context, admin *kadm.Client) ([]string, error) {
	names := []string{topicPlain}
	for _, t := range kafka.Topics() {
		names = append(names, t.Name)
	}
	all, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var topics []string
	for _, d := range all.Sorted() {
		if d.Err == nil {
			topics = append(topics, d.Topic)
		}
	}
	return topics, nil
}

// remove deletes the ledger and waits until it is gone.
func remove(ctx context.Context, admin *kadm.Client) error {
	// An interrupt has ended ctx, but the ledger must be deleted all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for {
		topics, err := ledgerTopics(ctx, admin)
		if err != nil || len(topics) == 0 {
			return err
		}
		if _, err := admin.DeleteTopics(ctx, topics...); err != nil {
			return fmt.Errorf("delete topics: %w", err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("delete topics: %w", ctx.Err())
		}
	}
}

// withLedger creates a ledger and the topic for plain records, runs fn and deletes both.
func withLedger(ctx context.Context, s settings, fn func(client *kgo.Client, lanes int) error) (err error) {
	client, err := kgo.NewClient(append(kafka.Options(kafkaConfig(s, 0)), kafka.ManualPartitions())...)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	defer func() { err = errors.Join(err, remove(ctx, admin)) }()
	layout, err := kafka.EnsureTopics(ctx, client, kafkaConfig(s, 0), kafka.Cluster)
	if err != nil {
		return err
	}
	lanes := int(layout.Lanes)
	if _, err := admin.CreateTopic(ctx, int32(lanes), -1, nil, topicPlain); err != nil {
		return fmt.Errorf("create topic %s: %w", topicPlain, err)
	}
	return fn(client, lanes)
}

// ledgerSize returns how many bytes the events and their decisions take in one replica, with the markers of their
// transactions.
func ledgerSize(ctx context.Context, client *kgo.Client) (int64, error) {
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, events.TopicEvents, events.TopicDecisions)
	if err != nil {
		return 0, fmt.Errorf("list topics: %w", err)
	}
	dirs, err := admin.DescribeAllLogDirs(ctx, topics.TopicsSet())
	if err != nil {
		return 0, fmt.Errorf("sizes of the ledger's topics: %w", err)
	}
	var size int64
	for _, broker := range dirs {
		size += broker.Size()
	}
	for _, t := range topics {
		if n := int64(t.Partitions.NumReplicas()); n > 1 {
			return size / n, nil
		}
	}
	return size, nil
}

// lastEvent reads an event from the end of some lane. The plain produce writes copies of it.
func lastEvent(ctx context.Context, s settings, client *kgo.Client) (*kgo.Record, error) {
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, events.TopicEvents)
	if err != nil {
		return nil, fmt.Errorf("ends of %s: %w", events.TopicEvents, err)
	}
	at := map[int32]kgo.Offset{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 2 {
			at[o.Partition] = kgo.NewOffset().At(o.Offset - 2) // The last offset is the marker of its transaction.
		}
	})
	reader, err := kgo.NewClient(append(kafka.Options(kafkaConfig(s, 0)),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{events.TopicEvents: at}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		fetches := reader.PollRecords(ctx, 1)
		if records := fetches.Records(); len(records) > 0 {
			return records[0], nil
		}
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", events.TopicEvents, err)
		}
	}
}
