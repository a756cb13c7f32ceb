package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// put writes a record to partition 0 of a topic.
func put(t *testing.T, cfg kafka.Config, topic string, value []byte) {
	t.Helper()
	record := &kgo.Record{Topic: topic, Value: value}
	client := testkit.Client(t, cfg.Brokers, kafka.ManualPartitions())
	require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
}

func putLayout(t *testing.T, cfg kafka.Config, layout events.Layout) {
	t.Helper()
	value, err := layout.Marshal(time.Now())
	require.NoError(t, err)
	put(t, cfg, events.TopicLayout, value)
}

// createLayoutTopic creates the topic of the layout as EnsureLayout does.
func createLayoutTopic(t *testing.T, client *kgo.Client, cfg kafka.Config) {
	t.Helper()
	testkit.CreateTopic(t, client, events.TopicLayout, 1, kafka.Topics()[0].Settings(cfg, kafka.Cluster))
}

// layoutRecords returns how many records the layout's topic has, 0 when there is none.
func layoutRecords(t *testing.T, client *kgo.Client) int64 {
	t.Helper()
	if partitions(t, client, events.TopicLayout) == 0 {
		return 0
	}
	return testkit.End(t, client, events.TopicLayout, 0)
}

func drop(t *testing.T, client *kgo.Client, topic string) {
	t.Helper()
	_, err := kadm.NewClient(client).DeleteTopic(t.Context(), topic)
	require.NoError(t, err)
	testkit.Eventually(t, func() bool { return partitions(t, client, topic) == 0 }, topic+" is gone")
}

func TestEnsureLayoutIsRecordedOnce(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 0)
		_, err := kafka.ReadLayout(t.Context(), client, cfg)
		require.ErrorIs(t, err, kafka.ErrNoLedger)
		require.Zero(t, partitions(t, client, events.TopicLayout), "reading creates nothing")

		first, err := kafka.EnsureLayout(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.NotEmpty(t, first.LedgerID)
		require.Equal(t, events.Layout{
			LedgerID: first.LedgerID, Cluster: cfg.Cluster, Format: 2, Partitioner: "murmur2", Lanes: kafka.DefaultLanes,
		}, first)
		require.Zero(t, partitions(t, client, events.TopicEvents), "the layout is the first")

		second, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.Equal(t, first, second)
		third, err := kafka.ReadLayout(t.Context(), client, cfg)
		require.NoError(t, err)
		require.Equal(t, first, third)
		require.NoError(t, kafka.CheckLayout(t.Context(), client, cfg, &first))
	})
}

// Two ledgers of different names on one Kafka would fence neither each other's lanes nor each other's records.
func TestEnsureLayoutRefusesASecondLedger(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 2)
		first, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		cfg.Cluster = "another"
		for name, use := range map[string]func() error{
			"ensure": func() error { _, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster); return err },
			"read":   func() error { _, err := kafka.ReadLayout(t.Context(), client, cfg); return err },
			"await": func() error {
				_, err := kafka.NewLedgerWait(client, cfg, testkit.Logger(t)).Wait(t.Context())
				return err
			},
		} {
			err := use()
			require.ErrorIs(t, err, kafka.ErrLayout, name)
			require.ErrorContains(t, err, `this Kafka holds the ledger of cluster "orderledger", and "another" is configured; set ORDERLEDGER_CLUSTER=orderledger`, name)
		}
		cfg.Cluster = "orderledger"
		require.NoError(t, kafka.CheckLayout(t.Context(), client, cfg, &first))
	})
}

// Two ledgers that start at the same time on an empty Kafka: the lowest record wins, and the other is refused.
func TestEnsureLayoutOfTwoLedgersAtOnce(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 1)
		errs := make(chan error)
		for n := range 4 {
			cfg := cfg
			cfg.Cluster = fmt.Sprintf("ledger-%d", n)
			go func() {
				_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
				errs <- err
			}()
		}
		won := 0
		for range 4 {
			if err := <-errs; err == nil {
				won++
			} else {
				require.ErrorIs(t, err, kafka.ErrLayout)
			}
		}
		require.Equal(t, 1, won)
	})
}

// Another program of the ledger may create it and write to it between any two requests.
func TestEnsureLayoutOfOneLedgerAtOnce(t *testing.T) {
	t.Parallel()
	for request := range 6 {
		t.Run(fmt.Sprintf("after request %d for ends", request+1), func(t *testing.T) {
			t.Parallel()
			_, client, cfg := faulty(t, 1)
			testkit.CreateTopic(t, client, events.TopicEvents, 1, nil) // As after a crash between two steps.
			var other events.Layout
			var failed error
			seen := 0
			hooked := testkit.Client(t, cfg.Brokers, kgo.WithHooks(afterListOffsets(func() {
				if seen++; seen != request+1 {
					return
				}
				if other, failed = kafka.EnsureLayout(t.Context(), client, cfg, kafka.Cluster); failed == nil {
					record := &kgo.Record{Topic: events.TopicEvents, Value: []byte("event")}
					failed = client.ProduceSync(t.Context(), record).FirstErr()
				}
			})))
			layout, err := kafka.EnsureLayout(t.Context(), hooked, cfg, kafka.Cluster)
			require.NoError(t, err)
			require.NoError(t, failed)
			require.Greater(t, seen, 2)
			if seen > request {
				require.Equal(t, other, layout)
			}
		})
	}
}

// afterListOffsets is called after each reply to ListOffsets, before the client's caller gets it.
type afterListOffsets func()

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (f afterListOffsets) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, _ kgo.BrokerE2E) {
	if kmsg.Key(key) == kmsg.ListOffsets {
		f()
	}
}

func TestEnsureLayoutRefusesOtherLayouts(t *testing.T) {
	t.Parallel()
	good := events.Layout{
		LedgerID: "id", Cluster: "orderledger", Format: events.LayoutFormat, Partitioner: events.PartitionerMurmur2, Lanes: 4,
	}
	for name, c := range map[string]struct {
		change func(*events.Layout)
		want   string
	}{
		"format":      {func(l *events.Layout) { l.Format = 3 }, "the records have format 3, and this build reads format 2; run the build that wrote them, or use an empty Kafka"},
		"partitioner": {func(l *events.Layout) { l.Partitioner = "crc" }, `by "crc", and this build knows "murmur2"; run the build`},
		"lanes":       {func(l *events.Layout) { l.Lanes = 8 }, "the ledger has 8 lanes, and 4 are configured; set ORDERLEDGER_LANES to 8 or 0"},
		"too many":    {func(l *events.Layout) { l.Lanes = kafka.MaxLanes + 1 }, fmt.Sprintf("%d lanes; a ledger has at most %d", kafka.MaxLanes+1, kafka.MaxLanes)},
		"epoch":       {func(l *events.Layout) { l.Epoch = 1 }, "a layout of epoch 1, and this build reads only epoch 0; use a newer build"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, client, cfg := faulty(t, 4)
			createLayoutTopic(t, client, cfg)
			other := good
			c.change(&other)
			putLayout(t, cfg, other)
			_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
			require.ErrorIs(t, err, kafka.ErrLayout)
			require.ErrorContains(t, err, c.want)
			require.Zero(t, partitions(t, client, events.TopicEvents), "nothing is created")
		})
	}
	t.Run("a later epoch after epoch 0", func(t *testing.T) {
		t.Parallel()
		_, client, cfg := faulty(t, 4)
		createLayoutTopic(t, client, cfg)
		putLayout(t, cfg, good)
		next := good
		next.Epoch, next.Lanes = 1, 8
		putLayout(t, cfg, next)
		_, err := kafka.ReadLayout(t.Context(), client, cfg)
		require.ErrorContains(t, err, "epoch 1")
	})
	t.Run("the lowest record wins", func(t *testing.T) {
		t.Parallel()
		_, client, cfg := faulty(t, 4)
		createLayoutTopic(t, client, cfg)
		putLayout(t, cfg, good)
		late := good
		late.LedgerID, late.Lanes = "late", 8
		putLayout(t, cfg, late)
		got, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.Equal(t, good, got)
	})
	t.Run("a foreign record", func(t *testing.T) {
		t.Parallel()
		_, client, cfg := faulty(t, 4)
		createLayoutTopic(t, client, cfg)
		put(t, cfg, events.TopicLayout, []byte("hello"))
		_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.ErrorContains(t, err, "read orders.layout.v1 at 0")
		require.ErrorContains(t, err, "delete the topic, and write the layout again with `orderledger layout write`")
	})
}

// Records without a layout: an older build wrote them, or the layout was lost. A new layout must not cover that up.
func TestEnsureLayoutRefusesRecordsBeforeIt(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 2)
		testkit.CreateTopic(t, client, events.TopicDecisions, 2, nil)
		put(t, cfg, events.TopicDecisions, []byte("of an older build"))
		for range 2 {
			_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
			require.ErrorIs(t, err, kafka.ErrLayout)
			require.ErrorContains(t, err, "these topics have had records: orders.decisions.v1; if a build before format 2 wrote them, use an empty Kafka, or an empty data folder")
			require.ErrorContains(t, err, "`orderledger layout write`")
		}
		require.Zero(t, partitions(t, client, events.TopicEvents))
	})
}

func TestEnsureLayoutRefusesTruncation(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 2)
		layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		layout2 := layout
		layout2.LedgerID = "another"
		putLayout(t, cfg, layout2)
		testkit.Trim(t, client, events.TopicLayout, 0, 1)
		_, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.ErrorContains(t, err, "its first 1 records are gone, and with them the layout; delete the topic, and write the layout again with `orderledger layout write`")
		require.ErrorIs(t, kafka.CheckLayout(t.Context(), client, cfg, &layout), kafka.ErrLayout)
	})
}

// Retention would delete the layout: its topic's settings are checked before anything is written.
func TestEnsureLayoutChecksItsTopic(t *testing.T) {
	t.Parallel()
	_, client, cfg := faulty(t, 2)
	testkit.CreateTopic(t, client, events.TopicLayout, 1, map[string]string{"retention.ms": "604800000", "max.message.bytes": "10000000"})
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.ErrorContains(t, err, `topic orders.layout.v1: retention.ms is "604800000", want "-1"; kafka-configs.sh`)
	require.Zero(t, layoutRecords(t, client), "nothing is written")
	require.Zero(t, partitions(t, client, events.TopicEvents))
}

// A topic that a broker created on its own has the broker's number of partitions. It must not become the number of
// lanes for ever.
func TestEnsureLayoutRefusesAutoCreatedTopics(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		client, cfg := setup(t, on, 0)
		testkit.CreateTopic(t, client, events.TopicEvents, 1, nil)
		_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.ErrorContains(t, err, "topic orders.events.v1: 1 partitions, want 12; it is empty: delete it, and it will be created; or set ORDERLEDGER_LANES")
		require.Zero(t, layoutRecords(t, client), "no layout is recorded")
		require.Zero(t, partitions(t, client, events.TopicInbox))
		drop(t, client, events.TopicEvents)
		testkit.CreateTopic(t, client, events.TopicDecisions, 24, nil)
		_, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.ErrorContains(t, err, "topic orders.decisions.v1: 24 partitions, want 12; it is empty")
		require.Zero(t, layoutRecords(t, client), "no layout is recorded")
		drop(t, client, events.TopicDecisions)
		layout, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
		require.NoError(t, err)
		require.EqualValues(t, kafka.DefaultLanes, layout.Lanes)
	})
}

// A broker that creates topics on demand gets none from a program that waits for the ledger, or that looks for one.
func TestLayoutReadersCreateNoTopics(t *testing.T) {
	t.Parallel()
	_, brokers := testkit.KafkaCluster(t, kfake.AllowAutoTopicCreation())
	client, cfg := testkit.Client(t, brokers), testkit.KafkaConfig(brokers, 0)
	_, err := kafka.ReadLayout(t.Context(), client, cfg)
	require.ErrorIs(t, err, kafka.ErrNoLedger)
	found(t, cfg)
	wait := kafka.NewLedgerWait(client, cfg, testkit.Logger(t))
	looking(t, wait)
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	require.NoError(t, err)
	require.Empty(t, topics.Names())
}

// A transaction that nobody ends hides what follows it. The layout is then not known, and nothing is created.
func TestEnsureLayoutRefusesAnOpenTransaction(t *testing.T) {
	t.Parallel()
	_, client, cfg := faulty(t, 1)
	createLayoutTopic(t, client, cfg)
	open := testkit.Client(t, cfg.Brokers, kgo.TransactionalID("foreign"), kafka.ManualPartitions())
	require.NoError(t, open.BeginTransaction())
	require.NoError(t, open.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicLayout, Value: []byte("x")}).FirstErr())
	cfg.Timeout = 300 * time.Millisecond
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.ErrorContains(t, err, "read orders.layout.v1 at 0 of 1: ")
	require.ErrorContains(t, err, "kafka-transactions.sh")
	require.Zero(t, partitions(t, client, events.TopicEvents))
}

var errCrash = errors.New("the process is gone")

// The process dies after every number of requests. The next start continues, the first layout that was written stays,
// and no other topic ever exists without one.
func TestEnsureTopicsSurvivesEveryCrash(t *testing.T) {
	t.Parallel()
	for requests := range int64(24) {
		t.Run(fmt.Sprintf("after %d requests", requests), func(t *testing.T) {
			t.Parallel()
			cluster, client, cfg := faulty(t, 2)
			ctx, crash := context.WithCancel(t.Context())
			var seen atomic.Int64
			var restarted atomic.Bool
			cluster.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				switch kmsg.Key(req.Key()) {
				case kmsg.ApiVersions, kmsg.Metadata:
					return nil, nil, false
				}
				if !restarted.Load() && seen.Add(1) > requests {
					crash()
					return nil, errCrash, true
				}
				return nil, nil, false
			})
			_, err := kafka.EnsureTopics(ctx, client, cfg, kafka.Cluster)
			crash()
			if err == nil {
				require.Greater(t, requests, int64(20), "each of its requests has its crash")
				return
			}
			restarted.Store(true)
			client = testkit.Client(t, cfg.Brokers) // Of another process.
			written := layoutRecords(t, client)
			if partitions(t, client, events.TopicEvents) > 0 {
				require.Positive(t, written, "no topic without a layout")
			}
			var before events.Layout
			if written > 0 {
				before, err = kafka.ReadLayout(t.Context(), client, cfg)
				require.NoError(t, err)
			}
			after, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
			require.NoError(t, err)
			if written > 0 {
				require.Equal(t, before, after)
			}
			again, err := kafka.ReadLayout(t.Context(), client, cfg)
			require.NoError(t, err)
			require.Equal(t, after, again, "also if the dead process's record arrives late")
		})
	}
}
