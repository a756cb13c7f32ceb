package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
)

// copyOf returns a copy of an event's record for the plain topic.
func copyOf(like *kgo.Record, lane int32) *kgo.Record {
	return &kgo.Record{Topic: topicPlain, Partition: lane, Key: like.Key, Value: like.Value, Headers: like.Headers}
}

// plain is the raw limit: a client with the ledger's options that writes finished records with acks=all.
type plain struct{ client *kgo.Client }

func newPlain(s settings) (*plain, error) {
	client, err := kgo.NewClient(append(kafka.Options(kafkaConfig(s, 0)),
		kafka.ManualPartitions(), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	return &plain{client}, err
}

// produce writes a record to each of the lanes and returns when all are acknowledged.
func (p *plain) produce(ctx context.Context, like *kgo.Record, lanes []int32) error {
	records := make([]*kgo.Record, len(lanes))
	for i, lane := range lanes {
		records[i] = copyOf(like, lane)
	}
	return p.client.ProduceSync(ctx, records...).FirstErr()
}

// raw is the limit of a ledger on transactions. It has two transactional ids per lane, used in turn, and puts every
// waiting record into the next transaction. It decides, encodes, hashes and stores nothing.
type raw struct {
	queues  []chan waiter
	clients []*kgo.Client
	running sync.WaitGroup
}

type waiter struct {
	record *kgo.Record
	done   chan error
}

func newRaw(ctx context.Context, s settings, lanes int) (*raw, error) {
	r := &raw{}
	for lane := range int32(lanes) {
		aa, bb := kafka.LaneTransactionalIDs("orderledger-bench-raw", lane)
		var pair [2]*kgo.Client
		for i, id := range []string{aa, bb} {
			client, err := kgo.NewClient(append(kafka.Options(kafkaConfig(s, 0)),
				kafka.ManualPartitions(), kgo.TransactionalID(id), kgo.ManualFlushing(),
				kgo.ProducerBatchCompression(kgo.NoCompression()))...)
			if err != nil {
				r.close()
				return nil, err
			}
			pair[i] = client
			r.clients = append(r.clients, client)
		}
		queue := make(chan waiter, 1000)
		r.queues = append(r.queues, queue)
		r.running.Go(func() { serve(ctx, pair, queue) })
	}
	return r, nil
}

func (r *raw) close() {
	for _, q := range r.queues {
		close(q)
	}
	r.running.Wait()
	for _, c := range r.clients {
		c.Close()
	}
}

// serve commits the waiting records, one transaction after the other, until the queue is closed.
func serve(ctx context.Context, pair [2]*kgo.Client, queue chan waiter) {
	for turn := 0; ; turn = 1 - turn {
		first, ok := <-queue
		if !ok {
			return
		}
		batch := []waiter{first}
		for len(queue) > 0 {
			batch = append(batch, <-queue)
		}
		err := commit(ctx, pair[turn], batch)
		for _, w := range batch {
			w.done <- err
		}
	}
}

func commit(ctx context.Context, client *kgo.Client, batch []waiter) error {
	if err := client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	for _, w := range batch {
		client.Produce(ctx, w.record, nil) // A failure of one fails the transaction.
	}
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// write commits a record in each of the lanes and returns when all are committed.
func (r *raw) write(_ context.Context, like *kgo.Record, lanes []int32) error {
	done := make(chan error, len(lanes))
	for _, lane := range lanes {
		r.queues[lane] <- waiter{copyOf(like, lane), done}
	}
	var failed error
	for range lanes {
		if err := <-done; err != nil {
			failed = err
		}
	}
	return failed
}
