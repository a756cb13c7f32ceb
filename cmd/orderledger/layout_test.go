package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/console"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// lostLayout returns a Kafka with a ledger of two lanes, one of which has a record, whose layout was deleted.
func lostLayout(t *testing.T) (kafka.Config, events.Layout) {
	t.Helper()
	brokers := testkit.Kafka(t)
	cfg := testkit.KafkaConfig(brokers, 2)
	client := testkit.Client(t, brokers, kafka.ManualPartitions())
	layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	e := eventstest.Story(1, eventstest.Start)[0]
	lane := eventstest.NewLane(events.Lane(e.GetAfter().GetShipmentId(), 2))
	lane.Events = events.ChainStart(layout.Hash(), events.TopicEvents, lane.ID)
	r := lane.Event(e)
	record := &kgo.Record{
		Topic: r.Topic, Partition: r.Lane, Key: []byte(r.Key), Value: r.Value, Timestamp: r.At,
		Headers: kafka.AppendRecordHeaders(nil, r.Headers),
	}
	require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
	_, err = kadm.NewClient(client).DeleteTopic(t.Context(), events.TopicLayout)
	require.NoError(t, err)
	return cfg, layout
}

func TestLayoutWriteVerifiesFirstRecords(t *testing.T) {
	t.Parallel()
	cfg, layout := lostLayout(t)
	client := testkit.Client(t, cfg.Brokers)
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.ErrorContains(t, err, "orderledger layout write")

	var out bytes.Buffer
	wrong := layout
	wrong.LedgerID = "another"
	require.ErrorContains(t, writeLayout(t.Context(), cfg, wrong, &out), "the record does not follow from it")
	wrong = layout
	wrong.Lanes = 1
	one := cfg
	one.Lanes = 0
	require.ErrorIs(t, writeLayout(t.Context(), one, wrong, &out), kafka.ErrLayout)
	require.Empty(t, out.String())
	_, err = kafka.ReadLayout(t.Context(), client, cfg)
	require.ErrorIs(t, err, kafka.ErrNoLedger, "a wrong one is not written")

	require.NoError(t, writeLayout(t.Context(), cfg, layout, &out))
	require.Contains(t, out.String(), "layout written; 1 first records")
	got, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	require.Equal(t, layout, got)
	require.ErrorContains(t, writeLayout(t.Context(), cfg, layout, &out), "it holds ledger "+layout.LedgerID, "it replaces none")
}

// A layout that nothing contradicts would be a guess.
func TestLayoutWriteRefusesEmptyLedger(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	cfg := testkit.KafkaConfig(brokers, 1)
	client := testkit.Client(t, brokers)
	layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	_, err = kadm.NewClient(client).DeleteTopic(t.Context(), events.TopicLayout)
	require.NoError(t, err)
	require.ErrorContains(t, writeLayout(t.Context(), cfg, layout, &bytes.Buffer{}), "no lane has a record")
}

func TestToolsFailWithoutLedger(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	var out bytes.Buffer
	for _, args := range [][]string{{"tail"}, {"layout"}, {"layout", "write", "--ledger-id", "x", "--lanes", "2"}} {
		require.Error(t, run(t.Context(), append(args, "--kafka", brokers[0])), args)
	}
	err := (&tailer{}).run(t.Context(), testkit.KafkaConfig(brokers, 0), true, console.Screen{Out: &out})
	require.ErrorIs(t, err, kafka.ErrNoLedger)
	require.Nil(t, cluster.TopicInfo(events.TopicEvents))
	require.Nil(t, cluster.TopicInfo(events.TopicLayout))
}

func TestLayoutShowsLedger(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, 3)
	cfg := testkit.KafkaConfig(brokers, 0)
	layout, err := kafka.ReadLayout(t.Context(), testkit.Client(t, brokers), cfg)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, showLayout(t.Context(), cfg, &out))
	require.Contains(t, out.String(), "ledger id    "+layout.LedgerID+"\ncluster      orderledger\nepoch        0\nformat       2\nlanes        3\n")
	cfg.Cluster = "another"
	require.ErrorContains(t, showLayout(t.Context(), cfg, &out), "set ORDERLEDGER_CLUSTER=orderledger")
}

// Records that no program reads make the check fail.
func TestCheckFailsOnSurplusRecords(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	client := testkit.Client(t, brokers, kafka.ManualPartitions())
	_, err := kafka.EnsureTopics(t.Context(), client, testkit.KafkaConfig(brokers, 1), kafka.Cluster)
	require.NoError(t, err)
	require.NoError(t, run(t.Context(), []string{"check", "--kafka", brokers[0]}))
	testkit.AddPartitions(t, client, events.TopicInbox, 2)
	require.NoError(t, run(t.Context(), []string{"check", "--kafka", brokers[0]}))
	astray := &kgo.Record{Topic: events.TopicInbox, Partition: 1, Value: []byte("x")}
	require.NoError(t, client.ProduceSync(t.Context(), astray).FirstErr())
	require.ErrorContains(t, run(t.Context(), []string{"check", "--kafka", brokers[0]}), "checks that failed: 1")
}
