package pubsub_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

// TestSubscriberCommitsMetadata commits a text with each position, on its own and at the end, and passes it on.
func TestSubscriberCommitsMetadata(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 2)
		cfg := b.config(t)
		var mu sync.Mutex
		var starts []pubsub.Position
		handled := map[int32]int{}
		cfg.Assigned = func(_ context.Context, positions []pubsub.Position) error {
			mu.Lock()
			defer mu.Unlock()
			starts = positions
			return nil
		}
		cfg.Metadata = func(partition int32) string {
			mu.Lock()
			defer mu.Unlock()
			return fmt.Sprint(handled[partition])
		}
		handle := func(messages <-chan *message.Message, n int) {
			for range n {
				m := take(t, messages)
				mu.Lock()
				handled[pubsub.Record(m.Context()).Partition]++
				mu.Unlock()
				m.Ack()
				<-m.Context().Done()
			}
		}
		publishNumbered(t, publisher(t, cfg), 10, 5)
		first, messages := subscribe(t, cfg)
		handle(messages, 10)
		require.ElementsMatch(t, []pubsub.Position{{Partition: 0, Offset: -1}, {Partition: 1, Offset: -1}}, starts)
		testkit.Eventually(t, func() bool {
			committed, err := kadm.NewClient(b.client).FetchOffsets(t.Context(), "g")
			return err == nil && len(committed[topic]) == 2
		}, "the positions are committed while the subscriber runs")
		require.NoError(t, first.Close())

		second, messages := subscribe(t, cfg)
		publishNumbered(t, publisher(t, cfg), 2, 1)
		handle(messages, 2)
		want := map[int32]int{}
		for _, p := range starts {
			require.Equal(t, fmt.Sprint(p.Offset), p.Metadata, "every position came with its own text")
			want[p.Partition] = int(p.Offset)
		}
		require.Equal(t, 10, want[0]+want[1])
		require.NoError(t, second.Close())
	})
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
