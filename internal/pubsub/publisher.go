package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrClosed is the error of a Publisher or Subscriber that is used after it
// was closed.
var ErrClosed = errors.New("pubsub: closed")

// Publisher implements message.Publisher. It may be used from several
// goroutines; each Publish keeps the order of its messages within a partition.
type Publisher struct {
	cfg    Config
	client *kgo.Client

	mu     sync.RWMutex // Held for reading by each Publish in progress.
	closed bool         // Guarded by mu.
}

// NewPublisher returns a Publisher with a client of its own. It connects when
// it is first used.
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

// Publish writes the messages and returns once all are acknowledged by all
// in-sync replicas, or with the first error. A message that can not be encoded
// stops the batch before anything is written.
//
// The messages' own contexts are not heeded: those of a Router end with the
// message that is being handled, and half a batch helps nobody.
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
	// Watermill's interface brings no context, and those of the messages are
	// no guide; the timeout is the bound.
	ctx, cancel := context.WithTimeout(context.Background(), p.cfg.PublishTimeout)
	defer cancel()
	if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Close waits for what is being published and closes the client. It may be
// called more than once.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.client.Close()
	}
	return nil
}

// partitioner heeds the partition a record names, and leaves the others to
// Kafka's usual choice.
type partitioner struct{ usual kgo.Partitioner }

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.usual.ForTopic(topic)}
}

type topicPartitioner struct{ usual kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner. A named partition is
// waited for, never replaced by one that happens to be up.
func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != unset || p.usual.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner. A partition that is not there
// fails the record.
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
