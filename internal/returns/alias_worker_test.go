package returns

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Whenever the worker is stopped, the next one leaves no event without its alias, and commits the end of each lane.
func TestAliasWorkerContinues(t *testing.T) {
	t.Parallel()
	const lanes, shipments, rounds = 3, 300, 4
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, lanes)
	client := testkit.Client(t, brokers, kafka.ManualPartitions())
	cfg := Config{Cluster: "c", Lanes: lanes, SessionTimeout: 6 * time.Second, AppendTimeout: 5 * time.Second}
	start := func() (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		w := &aliasWorker{
			cfg: cfg, options: kafka.Options(testkit.KafkaConfig(brokers, lanes)), producer: client, log: testkit.Logger(t),
		}
		go func() { done <- w.run(ctx) }()
		return func() {
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				require.NoError(t, err)
			}
		}
	}
	found := map[string]bool{}
	aliases := testkit.Client(t, brokers, kgo.ConsumeTopics(events.TopicAliases),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	defer cancel()
	await := func(n int) {
		for len(found) < n {
			aliases.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
				k, ok := readAliasKey(rec.Key)
				require.True(t, ok)
				require.Equal(t, events.KeyPartition(k.id, lanes), rec.Partition)
				found[k.id] = true
			})
			require.NoError(t, ctx.Err(), "%d of %d", len(found), n)
		}
	}
	for round := range rounds {
		var records []*kgo.Record
		for i := range shipments {
			records = append(records, createdRecord(fmt.Sprintf("%d-%d", round, i), lanes))
		}
		require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
		stop := start()
		await(round*shipments + 1) // In the middle of the work, as far as the worker is slow.
		stop()
	}
	stop := start()
	await(rounds * shipments)
	admin := kadm.NewClient(client)
	testkit.Eventually(t, func() bool {
		ends, err := admin.ListEndOffsets(ctx, events.TopicEvents)
		require.NoError(t, err)
		at, err := admin.FetchOffsets(ctx, kafka.GroupAliases(cfg.Cluster))
		require.NoError(t, err)
		reached := 0
		ends.Each(func(end kadm.ListedOffset) {
			if o, ok := at.Lookup(end.Topic, end.Partition); ok && o.At == end.Offset {
				reached++
			}
		})
		return reached == lanes
	}, "the end of each lane is committed")
	stop()
}

// createdRecord returns a ShipmentCreated with one item.
func createdRecord(id string, lanes int) *kgo.Record {
	env := eventstest.Envelope(events.TypeShipmentCreated)
	env.ID, env.ShipmentID, env.Version = events.EventID(id, 1), id, 1
	rec := eventstest.Record(env, &ledgerv1.Event{
		Transition: &ledgerv1.Transition{},
		After: &ledgerv1.Shipment{
			ShipmentId: id, SellerId: "own", Version: 1, Items: []*ledgerv1.Item{{OrderItemId: "I-" + id, Ordered: 1}},
		},
		Body: &ledgerv1.Event_ShipmentCreated{ShipmentCreated: &ledgerv1.ShipmentCreated{}},
	})
	return &kgo.Record{
		Topic: events.TopicEvents, Partition: events.Lane(id, lanes), Key: []byte(id), Value: rec.Value,
		Headers: kafka.AppendRecordHeaders(nil, rec.Headers),
	}
}
