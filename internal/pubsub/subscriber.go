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

// Subscriber implements message.Subscriber and message.SubscribeInitializer.
// It may be used from several goroutines.
type Subscriber struct {
	cfg     Config
	metrics *metrics

	done context.Context // Ends when Close is called.
	stop context.CancelFunc

	mu      sync.Mutex // Guards adding to running against Close.
	running sync.WaitGroup
}

// NewSubscriber returns a Subscriber that does nothing until Subscribe.
func NewSubscriber(cfg Config) (*Subscriber, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	metrics, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	s := &Subscriber{cfg: cfg.withDefaults(), metrics: metrics}
	// The life of a Subscriber is from New to Close; there is no caller's
	// context to hang it on.
	s.done, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Subscribe returns the messages of a topic. The channel is closed when ctx
// ends or the Subscriber is closed, after the messages in hand were drained.
// Each call is a member of the group of its own, with a client of its own.
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

// SubscribeInitialize makes sure that the topic is there, so that what is
// published before the first subscription is not lost to it. A missing topic is
// created if Config.Partitions says how, and an error otherwise.
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
		var there kadm.TopicDetails
		if there, err = adm.ListTopics(ctx, topic); err == nil {
			err = there[topic].Err
		}
	}
	if err != nil {
		return fmt.Errorf("initialize %s: %w", topic, err)
	}
	return nil
}

// Close ends all subscriptions: nothing new is handed out, messages in hand
// get Config.DrainTimeout, what was acked is committed, the channels are
// closed. It may be called more than once.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.stop()
	s.mu.Unlock()
	s.running.Wait()
	return nil
}
