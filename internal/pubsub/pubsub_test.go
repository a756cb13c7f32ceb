package pubsub_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

const topic = "t"

// bundle is a broker with one topic.
type bundle struct {
	cluster *kfake.Cluster // Nil unless the broker runs in this process.
	brokers []string
	client  *kgo.Client
}

func setup(t *testing.T, on testkit.KafkaBackend, partitions int32) bundle {
	t.Helper()
	cluster, brokers := on.Open(t)
	b := bundle{cluster, brokers, testkit.Client(t, brokers)}
	testkit.CreateTopic(t, b.client, topic, partitions, nil)
	return b
}

// config returns a configuration with short intervals, so that tests need not wait.
func (b bundle) config(t *testing.T, opts ...kgo.Opt) pubsub.Config {
	t.Helper()
	return pubsub.Config{
		Client: append([]kgo.Opt{kgo.SeedBrokers(b.brokers...), kgo.HeartbeatInterval(50 * time.Millisecond)}, opts...),
		Group:  "g", Log: testkit.Logger(t), NackBackoff: time.Millisecond, DrainTimeout: testkit.Limit,
	}
}

func publisher(t *testing.T, cfg pubsub.Config) *pubsub.Publisher {
	t.Helper()
	p, err := pubsub.NewPublisher(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// subscribe returns a subscriber and its messages.
func subscribe(t *testing.T, cfg pubsub.Config) (*pubsub.Subscriber, <-chan *message.Message) {
	t.Helper()
	s, err := pubsub.NewSubscriber(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	messages, err := s.Subscribe(t.Context(), topic)
	require.NoError(t, err)
	return s, messages
}

// take returns the next message without acking it.
func take(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-messages:
		require.True(t, ok, "the channel is open")
		return m
	case <-time.After(testkit.Limit):
		require.Fail(t, "no message arrived")
	}
	return nil
}

// publishNumbered publishes messages with the UUIDs 0 to n-1, spread over partitions by key.
func publishNumbered(t *testing.T, p message.Publisher, n, keys int) {
	t.Helper()
	batch := make([]*message.Message, n)
	for i := range batch {
		batch[i] = message.NewMessage(strconv.Itoa(i), []byte{byte(i % keys)})
		batch[i].Metadata.Set(pubsub.MetadataKey, strconv.Itoa(i%keys))
	}
	require.NoError(t, p.Publish(topic, batch...))
}

func TestMessageRoundTrip(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 3)
		cfg := b.config(t)
		p := publisher(t, cfg)
		out := message.NewMessage("id-1", []byte("body"))
		out.Metadata.Set("ce_type", "ShipmentPacked")
		out.Metadata.Set(pubsub.MetadataKey, "S1")
		out.Metadata.Set(pubsub.MetadataPartition, "2")
		require.NoError(t, p.Publish(topic, out))

		_, messages := subscribe(t, cfg)
		in := take(t, messages)
		require.Equal(t, "id-1", in.UUID)
		require.Equal(t, "body", string(in.Payload))
		require.Equal(t, message.Metadata{"ce_type": "ShipmentPacked"}, in.Metadata)
		record := pubsub.Record(in.Context())
		require.Equal(t, "S1", string(record.Key))
		require.EqualValues(t, 2, record.Partition)
		require.EqualValues(t, 0, record.Offset)
		in.Ack()
	})
}

func TestMessageUUIDHeader(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		cfg.UUIDHeader = "ce_id"
		p := publisher(t, cfg)
		require.NoError(t, p.Publish(topic, message.NewMessage("event-7", nil)))
		client := testkit.Client(t, b.brokers, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("foreign")}).FirstErr())

		_, messages := subscribe(t, cfg)
		first := take(t, messages)
		require.Equal(t, "event-7", first.UUID)
		require.Equal(t, "event-7", first.Metadata.Get("ce_id"), "the header is part of the contract, so it stays")
		require.Nil(t, pubsub.Record(first.Context()).Value, "a message without payload is a tombstone")
		require.Len(t, pubsub.Record(first.Context()).Headers, 1)
		first.Ack()
		second := take(t, messages)
		require.Equal(t, "t/0/1", second.UUID, "a record without the header gets its position as UUID")
		second.Ack()
	})
}

func TestPublisherExplicitPartitions(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 2)
		cfg := b.config(t)
		cfg.ExplicitPartitions = true
		cfg.PublishTimeout = testkit.Limit
		p := publisher(t, cfg)
		named := message.NewMessage("1", nil)
		named.Metadata.Set(pubsub.MetadataPartition, "1")
		require.ErrorContains(t, p.Publish(topic, named, message.NewMessage("2", nil)), "names no partition")
		require.Zero(t, testkit.End(t, b.client, topic, 1), "nothing of the batch is written")
		require.NoError(t, p.Publish(topic, named))
		require.EqualValues(t, 1, testkit.End(t, b.client, topic, 1))

		for _, partition := range []string{"2", "-1", "x"} {
			m := message.NewMessage("3", nil)
			m.Metadata.Set(pubsub.MetadataPartition, partition)
			require.Error(t, p.Publish(topic, m), "partition %s", partition)
		}
	})
}

func TestPublisherTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Kfake, 1)
	cfg := b.config(t)
	cfg.PublishTimeout = time.Millisecond
	b.cluster.Close()
	require.Error(t, publisher(t, cfg).Publish(topic, message.NewMessage("1", nil)))
}

func TestSubscriberNackKeepsOrder(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		reg := prometheus.NewRegistry()
		cfg.Registerer = reg
		publishNumbered(t, publisher(t, cfg), 3, 1)
		_, messages := subscribe(t, cfg)
		for range 4 {
			m := take(t, messages)
			require.Equal(t, "0", m.UUID)
			m.Nack()
			<-m.Context().Done()
		}
		for _, want := range []string{"0", "1", "2"} {
			m := take(t, messages)
			require.Equal(t, want, m.UUID)
			m.Ack()
			<-m.Context().Done()
		}
		testkit.Eventually(t, func() bool {
			families, err := reg.Gather()
			require.NoError(t, err)
			got := map[string]float64{}
			for _, f := range families {
				for _, m := range f.GetMetric() {
					got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				}
			}
			return got["acked"] == 3 && got["nacked"] == 4
		}, "deliveries are counted")
	})
}

func TestSubscriberResumesAtUnacked(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		cfg.DrainTimeout = time.Millisecond
		publishNumbered(t, publisher(t, cfg), 100, 1)
		first, messages := subscribe(t, cfg)
		for i := range 50 {
			m := take(t, messages)
			require.Equal(t, strconv.Itoa(i), m.UUID)
			m.Ack()
		}
		held := take(t, messages)
		require.NoError(t, first.Close())
		<-held.Context().Done()
		held.Ack() // Too late: the ack is discarded.

		_, messages = subscribe(t, cfg)
		m := take(t, messages)
		require.Equal(t, "50", m.UUID)
		m.Ack()
	})
}

func TestSubscriberCloseDrains(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		publishNumbered(t, publisher(t, cfg), 2, 1)
		first, messages := subscribe(t, cfg)
		held := take(t, messages)
		closed := make(chan error, 1)
		go func() { closed <- first.Close() }()
		testkit.Eventually(t, func() bool {
			_, err := first.Subscribe(t.Context(), topic)
			return err != nil
		}, "the subscriber is closing")
		require.NoError(t, held.Context().Err(), "the handler is not interrupted")
		held.Ack()
		require.NoError(t, <-closed)
		_, open := <-messages
		require.False(t, open)

		_, messages = subscribe(t, cfg)
		m := take(t, messages)
		require.Equal(t, "1", m.UUID)
		m.Ack()
	})
}

func TestSubscriberStuckPartition(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 4)
		cfg := b.config(t)
		cfg.DrainTimeout = time.Millisecond
		p := publisher(t, cfg)
		const each = 50
		for partition := range 4 {
			for i := range each {
				m := message.NewMessage(strconv.Itoa(i), nil)
				m.Metadata.Set(pubsub.MetadataPartition, strconv.Itoa(partition))
				require.NoError(t, p.Publish(topic, m))
			}
		}
		_, messages := subscribe(t, cfg)
		next := map[int32]int{}
		for next[1]+next[2]+next[3] < 3*each {
			m := take(t, messages)
			partition := pubsub.Record(m.Context()).Partition
			require.Equal(t, strconv.Itoa(next[partition]), m.UUID)
			next[partition]++
			if partition != 0 {
				m.Ack()
			}
		}
		require.LessOrEqual(t, next[0], 1, "at most one unacked message of a partition")
	})
}

func TestSubscriberPauseLosesNothing(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		cfg.MaxBuffered = 3
		p := publisher(t, cfg)
		publishNumbered(t, p, 10, 1)
		_, messages := subscribe(t, cfg)
		m := take(t, messages)
		publishNumbered(t, p, 190, 1) // The partition is paused when these are written.
		m.Ack()
		for i := 1; i < 200; i++ {
			m := take(t, messages)
			require.EqualValues(t, i, pubsub.Record(m.Context()).Offset)
			m.Ack()
		}
	})
}

func TestSubscriberReadCommitted(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		client := testkit.Client(t, b.brokers, kgo.TransactionalID("x"), kgo.DefaultProduceTopic(topic))
		for value, end := range map[string]kgo.TransactionEndTry{"aborted": kgo.TryAbort, "committed": kgo.TryCommit} {
			require.NoError(t, client.BeginTransaction())
			require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord(value)).FirstErr())
			require.NoError(t, client.EndTransaction(t.Context(), end))
		}
		publishNumbered(t, publisher(t, b.config(t)), 1, 1)
		_, messages := subscribe(t, b.config(t))
		m := take(t, messages)
		require.Equal(t, "committed", string(m.Payload))
		m.Ack()
		m = take(t, messages)
		require.Equal(t, "0", m.UUID)
		m.Ack()
	})
}

func TestSubscriberFetchWait(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Kfake, 1)
	requests := make(chan *kmsg.FetchRequest, 100)
	b.cluster.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		select {
		case requests <- req.(*kmsg.FetchRequest):
		default:
		}
		return nil, nil, false
	})
	cfg := b.config(t)
	cfg.FetchWait = 70 * time.Millisecond
	_, messages := subscribe(t, cfg)
	require.NoError(t, publisher(t, b.config(t)).Publish(topic, message.NewMessage("one", nil)))
	take(t, messages).Ack()
	fetch := <-requests
	require.EqualValues(t, 70, fetch.MaxWaitMillis)
	require.Greater(t, fetch.MinBytes, int32(100_000), "a single message does not end the wait")
}

func TestSubscriberTrimmedLog(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		publishNumbered(t, publisher(t, cfg), 10, 1)
		first, messages := subscribe(t, cfg)
		m := take(t, messages)
		m.Ack()
		require.NoError(t, first.Close())
		testkit.Trim(t, b.client, topic, 0, 5)
		_, messages = subscribe(t, cfg)
		m = take(t, messages)
		require.Equal(t, "5", m.UUID)
		m.Ack()
	})
}

func TestSubscriberLostCommitReply(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		var net netfault.LossyDialer
		cfg := b.config(t, kgo.Dialer(net.Dial))
		publishNumbered(t, publisher(t, cfg), 20, 1)
		net.DropReplies(kmsg.OffsetCommit, 2)
		first, messages := subscribe(t, cfg)
		for range 10 {
			take(t, messages).Ack()
		}
		require.NoError(t, first.Close())
		require.Positive(t, net.LostReplies(kmsg.OffsetCommit))
		_, messages = subscribe(t, cfg)
		m := take(t, messages)
		require.Equal(t, "10", m.UUID)
		m.Ack()
	})
}

func TestSubscribeInitialize(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		s, err := pubsub.NewSubscriber(cfg)
		require.NoError(t, err)
		require.NoError(t, s.SubscribeInitialize(topic))
		require.ErrorContains(t, s.SubscribeInitialize("absent"), "initialize absent")
		cfg.Partitions = 3
		s, err = pubsub.NewSubscriber(cfg)
		require.NoError(t, err)
		require.NoError(t, s.SubscribeInitialize("absent"))
		require.NoError(t, s.SubscribeInitialize("absent"))
		details, err := kadm.NewClient(testkit.Client(t, b.brokers)).ListTopics(t.Context(), "absent")
		require.NoError(t, err)
		require.Len(t, details["absent"].Partitions, 3)
	})
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, pubsub.DefaultConfig().Validate())
	bad := pubsub.Config{InstanceID: "i", DrainTimeout: -1, MaxBuffered: -1, Partitions: -1}
	for _, want := range []string{"instance id", "drain timeout", "max buffered", "partitions"} {
		require.ErrorContains(t, bad.Validate(), want)
	}
	_, err := pubsub.NewPublisher(bad)
	require.Error(t, err)
	_, err = pubsub.NewSubscriber(bad)
	require.Error(t, err)
}

func TestClosedPubSub(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		p, err := pubsub.NewPublisher(b.config(t))
		require.NoError(t, err)
		require.NoError(t, p.Close())
		require.NoError(t, p.Close())
		require.ErrorIs(t, p.Publish(topic, message.NewMessage("1", nil)), pubsub.ErrClosed)
		s, err := pubsub.NewSubscriber(b.config(t))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		_, err = s.Subscribe(t.Context(), topic)
		require.ErrorIs(t, err, pubsub.ErrClosed)
	})
}
