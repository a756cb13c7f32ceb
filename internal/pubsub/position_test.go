package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

// TestSubscriberCommitsMetadata commits a text with each position, and passes it on: the number of handled messages.
func TestSubscriberCommitsMetadata(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		interval time.Duration
		instance string
		// hand makes the members that follow the first one get its partitions.
		hand func(t *testing.T, b bundle, first *pubsub.Subscriber)
	}{
		"while it runs": {hand: func(t *testing.T, b bundle, first *pubsub.Subscriber) {
			t.Helper()
			testkit.Eventually(t, func() bool {
				committed, err := kadm.NewClient(b.client).FetchOffsets(t.Context(), "g")
				return err == nil && len(committed[topic]) == 2
			}, "the positions are committed while the subscriber runs")
			require.NoError(t, first.Close())
		}},
		"when it is closed": {interval: time.Hour, hand: func(t *testing.T, _ bundle, first *pubsub.Subscriber) {
			t.Helper()
			require.NoError(t, first.Close())
		}},
		"when it is closed and stays a member": {
			interval: time.Hour, instance: "one",
			hand: func(t *testing.T, _ bundle, first *pubsub.Subscriber) {
				t.Helper()
				require.NoError(t, first.Close())
			},
		},
		"when a partition moves": {interval: time.Hour, hand: func(*testing.T, bundle, *pubsub.Subscriber) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
				b := setup(t, on, 2)
				cfg := b.config(t)
				cfg.CommitInterval = tc.interval
				cfg.InstanceID = tc.instance
				var mu sync.Mutex
				handled := map[int32]int{}
				// member subscribes, and returns the positions that it is assigned.
				member := func() (*pubsub.Subscriber, <-chan *message.Message, <-chan []pubsub.Position) {
					cfg, starts := cfg, make(chan []pubsub.Position, 10)
					cfg.Assigned = func(_ context.Context, positions []pubsub.Position) error {
						starts <- positions
						return nil
					}
					cfg.Metadata = func(partition int32) string {
						mu.Lock()
						defer mu.Unlock()
						return fmt.Sprint(handled[partition])
					}
					s, messages := subscribe(t, cfg)
					return s, messages, starts
				}
				publishNumbered(t, publisher(t, cfg), 10, 5)
				first, messages, starts := member()
				require.ElementsMatch(t, []pubsub.Position{{Partition: 0, Offset: -1}, {Partition: 1, Offset: -1}}, <-starts)
				for range 10 {
					m := take(t, messages)
					mu.Lock()
					handled[pubsub.Record(m.Context()).Partition]++
					mu.Unlock()
					m.Ack()
					<-m.Context().Done()
				}
				tc.hand(t, b, first)

				_, _, starts = member()
				for _, p := range <-starts {
					require.EqualValues(t, handled[p.Partition], p.Offset)
					require.Equal(t, fmt.Sprint(p.Offset), p.Metadata, "every position came with its own text")
				}
			})
		})
	}
}

func TestSubscriberRefusedAssignment(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		publishNumbered(t, publisher(t, cfg), 1, 1)
		var mu sync.Mutex
		refused := 0
		cfg.Assigned = func(context.Context, []pubsub.Position) error {
			mu.Lock()
			defer mu.Unlock()
			if refused++; refused < 3 {
				return errors.New("not yet")
			}
			return nil
		}
		_, messages := subscribe(t, cfg)
		take(t, messages).Ack()
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, 3, refused, "nothing is delivered before the assignment is accepted")
	})
}

func TestPublisherReportsPublished(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		offsets := map[string]int64{}
		cfg.Published = func(m *message.Message, r *kgo.Record) { offsets[m.UUID] = r.Offset }
		publishNumbered(t, publisher(t, cfg), 3, 1)
		require.Equal(t, map[string]int64{"0": 0, "1": 1, "2": 2}, offsets)
	})
}
