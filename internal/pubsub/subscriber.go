package pubsub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Subscriber implements message.Subscriber and message.SubscribeInitializer. It is safe for concurrent use.
type Subscriber struct {
	cfg     Config
	metrics *metrics

	done context.Context // Ends when Close is called.
	stop context.CancelFunc

	mu      sync.Mutex // Keeps Subscribe from adding to running while Close waits for it.
	running sync.WaitGroup
}

// NewSubscriber returns a Subscriber that does nothing before Subscribe.
func NewSubscriber(cfg Config) (*Subscriber, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	metrics, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	s := &Subscriber{cfg: cfg.withDefaults(), metrics: metrics}
	// The lifetime of a Subscriber spans from New to Close, so no caller's context fits.
	s.done, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Subscribe returns the messages of a topic. When ctx ends or the Subscriber is closed, the messages being handled are
// drained, and then the channel is closed. Each call makes a client of its own, which is a separate member of the
// group.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done.Err() != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, ErrClosed)
	}
	sub, err := subscribe(ctx, s, topic)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", topic, err)
	}
	s.running.Go(sub.run)
	return sub.out, nil
}

// SubscribeInitialize makes sure that the topic exists, so that the first subscription also gets messages that were
// published before it. A missing topic is created if Config.Partitions is set, and is an error otherwise.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	client, err := kgo.NewClient(s.cfg.Client...)
	if err != nil {
		return fmt.Errorf("initialize %s: %w", topic, err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.done, 30*time.Second)
	defer cancel()
	adm := kadm.NewClient(client)
	if s.cfg.Partitions > 0 {
		_, err = adm.CreateTopic(ctx, s.cfg.Partitions, -1, nil, topic)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			err = nil
		}
	} else {
		var topics kadm.TopicDetails
		if topics, err = adm.ListTopics(ctx, topic); err == nil {
			err = topics[topic].Err
		}
	}
	if err != nil {
		return fmt.Errorf("initialize %s: %w", topic, err)
	}
	return nil
}

// Close ends all subscriptions: it stops delivering, gives handlers Config.DrainTimeout to ack the messages they are
// working on, commits the acked offsets and closes the channels. It is idempotent.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
	return nil
}
