package pubsub_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

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

// TestSubscriberLostLog lets a broker lose what a member has read. Where it was cut off, nobody knows: records of any
// age may be new.
func TestSubscriberLostLog(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Kfake, 1)
	for i := range 5 {
		old := &kgo.Record{Topic: topic, Timestamp: time.Now().Add(time.Duration(i-5) * time.Hour)}
		require.NoError(t, b.client.ProduceSync(t.Context(), old).FirstErr())
	}
	_, messages := subscribe(t, b.config(t, kgo.DisableFetchSessions()))
	for range 5 {
		take(t, messages).Ack()
	}
	b.cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		asked := request.(*kmsg.FetchRequest).Topics[0]
		lost := kmsg.NewFetchResponseTopicPartition()
		lost.ErrorCode = kerr.OffsetOutOfRange.Code
		answer := kmsg.NewFetchResponseTopic()
		answer.Topic, answer.TopicID, answer.Partitions = asked.Topic, asked.TopicID, append(answer.Partitions, lost)
		response := request.ResponseKind().(*kmsg.FetchResponse)
		response.Topics = append(response.Topics, answer)
		return response, nil, true
	})
	m := take(t, messages)
	require.Zero(t, pubsub.Record(m.Context()).Offset)
	m.Ack()
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
