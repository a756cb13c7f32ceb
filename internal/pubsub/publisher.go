package pubsub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrClosed is returned by a Publisher or Subscriber that is used after it was closed.
var ErrClosed = errors.New("pubsub: closed")

// Publisher implements message.Publisher. It is safe for concurrent use; each Publish keeps the order of its messages
// within a partition.
type Publisher struct {
	cfg         Config
	client      *kgo.Client
	closeClient sync.Once

	mu     sync.RWMutex // Held for reading by each Publish in progress.
	closed bool         // Guarded by mu.
}

// NewPublisher returns a Publisher with a client of its own. It connects on first use.
func NewPublisher(cfg Config) (*Publisher, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	opts := append([]kgo.Opt{kgo.ProducerLinger(0)}, cfg.Client...)
	opts = append(opts, kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	return &Publisher{cfg: cfg.withDefaults(), client: client}, nil
}

// Publish writes the messages and returns once all in-sync replicas have acknowledged all of them, or with the first
// error. If a message cannot be encoded, nothing of the batch is written.
//
// It ignores the contexts of the messages: those of a Router end with the message that is being handled, and half a
// batch is of no use.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	records := make([]*kgo.Record, len(messages))
	for i, m := range messages {
		r, err := p.cfg.encode(topic, m)
		if err != nil {
			return fmt.Errorf("publish to %s: %w", topic, err)
		}
		records[i] = r
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return fmt.Errorf("publish to %s: %w", topic, ErrClosed)
	}
	// Watermill's interface passes no context, and those of the messages are ignored; only the timeout bounds the write.
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.PublishTimeout)
	defer cancel()
	results := p.client.ProduceSync(ctx, records...)
	if p.cfg.Published != nil {
		for _, result := range results {
			if result.Err == nil { // The results are in the order in which the records were written.
				p.cfg.Published(messages[slices.Index(records, result.Record)], result.Record)
			}
		}
	}
	if err := results.FirstErr(); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Close waits for running calls of Publish and closes the client. It is idempotent.
func (p *Publisher) Close() error {
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.closed = true
	}()
	// The client does not give up a record that may have been written, not even when its context ends: it would no longer
	// know the next sequence. Only closing the client ends such a write.
	select {
	case <-idle:
	case <-time.After(p.cfg.PublishTimeout):
	}
	p.closeClient.Do(p.client.Close)
	<-idle
	return nil
}

// partitioner uses the partition that a record names, and falls back to Kafka's usual choice for the others.
type partitioner struct{ usual kgo.Partitioner }

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.usual.ForTopic(topic)}
}

type topicPartitioner struct{ usual kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner. A record waits for the partition that it names, instead of going
// to one that happens to be available.
func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != unset || p.usual.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner. If the partition does not exist, the record fails.
func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition != unset {
		return int(r.Partition)
	}
	return p.usual.Partition(r, n)
}

// OnNewBatch implements kgo.TopicPartitionerOnNewBatch.
func (p topicPartitioner) OnNewBatch() {
	if b, ok := p.usual.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}
