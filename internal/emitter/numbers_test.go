package emitter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// crash ends a process, as Kafka sees it, at a request of a kind: before it is sent, or after the broker has handled it
// and before the reply arrives. From then on nothing gets out or in.
type crash struct {
	key   kmsg.Key
	reply bool
	after int           // How many of these requests succeed before.
	dead  chan struct{} // Closed at the crash.

	mu     sync.Mutex
	seen   int
	target map[net.Conn]uint32 // The request whose reply is lost.
}

var errCrashed = errors.New("the process is dead")

func (c *crash) String() string {
	if c.reply {
		return fmt.Sprintf("after the broker has handled %s %d", c.key.Name(), c.after+1)
	}
	return fmt.Sprintf("before sending %s %d", c.key.Name(), c.after+1)
}

func (c *crash) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// dial has the signature that kgo.Dialer takes.
func (c *crash) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if c.isDead() {
		return nil, errCrashed
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &netfault.FrameConn{
		Conn: conn,
		Request: func(frame []byte) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.isDead() {
				return errCrashed
			}
			if netfault.KeyOf(frame) != c.key {
				return nil
			}
			if c.seen++; c.seen <= c.after || len(c.target) > 0 {
				return nil
			}
			if c.reply {
				c.target[conn] = netfault.RequestID(frame)
				return nil
			}
			close(c.dead)
			return errCrashed
		},
		Reply: func(frame []byte) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if id, found := c.target[conn]; found && id == netfault.ReplyID(frame) && !c.isDead() {
				close(c.dead)
			}
			if c.isDead() {
				return errCrashed
			}
			return nil
		},
	}, nil
}

// crashing runs a translator until it crashes.
func (l *ledger) crashing(t testing.TB, c *crash) {
	t.Helper()
	c.dead, c.target = make(chan struct{}), map[net.Conn]uint32{}
	config := DefaultTranslateConfig()
	config.InstanceID = "one" // So that the successor gets the lanes at once.
	config.DrainTimeout = 100 * time.Millisecond
	tr, err := NewTranslator(config, testkit.KafkaConfig(l.brokers, l.lanes), verbose(t), nil, kgo.Dialer(c.dial))
	require.NoError(t, err)
	tr.publishTimeout = 100 * time.Millisecond
	ran := make(chan error, 1)
	go func() { ran <- tr.Run(context.WithoutCancel(t.Context())) }()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		<-c.dead
		tr.Close()
		<-ran // With an error: the successor has fenced it.
	}()
	t.Cleanup(func() { <-closed })
}

// TestTranslatorNumbersSurviveCrashes crashes translators at each step between reading an event and committing it.
func TestTranslatorNumbersSurviveCrashes(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		l := newLedgerOn(t, on, 2)
		n := l.versions(t, 6, 1, 1)
		version := uint64(2)
		for after := range 3 {
			for _, c := range []*crash{
				{key: kmsg.Produce, after: 2 * after},
				{key: kmsg.Produce, after: 2 * after, reply: true},
				{key: kmsg.OffsetCommit, after: after},
				{key: kmsg.OffsetCommit, after: after, reply: true},
				{key: kmsg.OffsetFetch},
				{key: kmsg.ListOffsets, after: after % 2},
			} {
				l.crashing(t, c)
				testkit.Eventually(t, func() bool {
					if !c.isDead() { // Until it is, it needs work.
						n += l.versions(t, 6, version, version)
						version++
					}
					return c.isDead()
				}, c.String())
			}
		}
		l.translateNamed(t)
		l.waitDone(t)
		l.requireNumbers(t, n)
	})
}

// translateNamed runs a translator that takes the lanes of those that crashed.
func (l *ledger) translateNamed(t testing.TB) (stop func()) {
	t.Helper()
	config := DefaultTranslateConfig()
	config.InstanceID = "one"
	return l.translateWith(t, config, nil)
}

// requireNumbers checks that n messages have dense numbers in each partition, in the order of their ids, and that a
// repeat has the number of its message.
func (l *ledger) requireNumbers(t testing.TB, n int) {
	t.Helper()
	distinct, repeats := 0, 0
	for partition, records := range l.read(t, events.TopicSuborders) {
		highest, seqs := int64(0), map[int64]string{}
		for _, r := range records {
			m, err := readMessage(r)
			require.NoError(t, err)
			seq := headers(r)[headerSeq]
			if m.id <= highest {
				require.Equal(t, seqs[m.id], seq, "partition %d: a repeat has the same number", partition)
				repeats++
				continue
			}
			highest, seqs[m.id] = m.id, seq
			require.Equal(t, strconv.Itoa(len(seqs)), seq, "partition %d: no number is missing", partition)
		}
		distinct += len(seqs)
	}
	require.Equal(t, n, distinct)
	t.Logf("%d messages, %d repeats", n, repeats)
}

// TestTranslatorNumbersGoOn continues the numbers where the topic or the group has lost what it knew.
func TestTranslatorNumbersGoOn(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		l := newLedgerOn(t, on, 1)
		stop := l.translate(t, nil)
		l.versions(t, 3, 1, 2)
		l.waitDone(t)
		stop()
		adm, group := kadm.NewClient(l.writer), kafka.GroupTranslate(testkit.KafkaConfig(l.brokers, l.lanes).Cluster)

		// Kafka has forgotten the group.
		testkit.Eventually(t, func() bool {
			_, err := adm.DeleteGroup(t.Context(), group)
			return err == nil
		}, "the group has no members any more")
		stop = l.translate(t, nil)
		l.versions(t, 3, 3, 3)
		l.waitDone(t)
		stop()
		require.Len(t, l.read(t, events.TopicSuborders)[0], 9, "what is in the topic is not written again")
		l.requireNumbers(t, 9)

		// All messages are older than the topic keeps them.
		testkit.Trim(t, l.writer, events.TopicSuborders, 0, 9)
		stop = l.translate(t, nil)
		l.versions(t, 3, 4, 4)
		l.waitDone(t)
		stop()
		client := testkit.Client(t, l.brokers, kgo.ConsumeTopics(events.TopicSuborders))
		fetches := client.PollRecords(t.Context(), 1)
		require.NoError(t, fetches.Err())
		require.Equal(t, "10", headers(fetches.Records()[0])[headerSeq])
	})
}

// TestTranslatorNumbersEmbedded continues the numbers after a restart of the embedded broker.
func TestTranslatorNumbersEmbedded(t *testing.T) {
	t.Parallel()
	folder, n := filepath.Join(t.TempDir(), "broker"), 0
	for version := range uint64(3) {
		b := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: folder}, slog.New(slog.DiscardHandler))
		require.NoError(t, b.Start(t.Context()))
		brokers := []string{b.Addr()}
		testkit.Topics(t, brokers, 2)
		l := &ledger{brokers: brokers, lanes: 2, seq: map[int32]uint64{}, writer: testkit.Client(t, brokers,
			kafka.ManualPartitions(), kgo.TransactionalID("journal"))}
		for i := range int32(2) {
			l.seq[i] = version * 1000
		}
		stop := l.translate(t, nil)
		n += l.versions(t, 5, version+1, version+1)
		l.waitDone(t)
		stop()
		l.requireNumbers(t, n)
		require.NoError(t, b.Close())
	}
}

func TestLastMessage(t *testing.T) {
	t.Parallel()
	l := lastMessage{seq: 57, id: 1376263, offset: 99}
	require.Equal(t, l, parseLastMessage("752255250", l.metadata("752255250")))
	for _, text := range []string{"", "consumer-1", "752255250=", "752255250=1,2", "752255250=0,2,3", "752255250=1,-2,3", "1=1,2,3"} {
		require.Zero(t, parseLastMessage("752255250", text), text)
	}
}

// fetched counts the records that a client fetches.
type fetched struct{ records atomic.Int64 }

func (f *fetched) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	f.records.Add(int64(m.NumRecords))
}

// messages appends n messages of a profile to partition 0 of suborders.v1, with the numbers and ids from first on.
func (l *ledger) messages(t testing.TB, profile string, first, n int) {
	t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		number := []byte(strconv.Itoa(first + i))
		records[i] = &kgo.Record{Topic: events.TopicSuborders, Headers: []kgo.RecordHeader{
			{Key: headerProfile, Value: []byte(profile)}, {Key: events.HeaderID, Value: number}, {Key: headerSeq, Value: number},
		}}
	}
	client := testkit.Client(t, l.brokers, kafka.ManualPartitions())
	// Kafka returns whole batches, so they must be small.
	for batch := range slices.Chunk(records, 1000) {
		require.NoError(t, client.ProduceSync(t.Context(), batch...).FirstErr())
	}
}

// TestTranslatorNumbersReadEnd finds the newest message of a large partition whose position says nothing of it.
func TestTranslatorNumbersReadEnd(t *testing.T) {
	t.Parallel()
	l := newLedger(t, 1)
	l.messages(t, "other", 1, 50_000)
	l.messages(t, "mine", 1, 60_000)
	var read fetched
	numbersOf := func(profile string) *numbers {
		return newNumbers(profile, testkit.Logger(t), func(more ...kgo.Opt) (*kgo.Client, error) {
			return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(l.brokers...), kgo.WithHooks(&read)}, more...)...)
		})
	}
	newest := func(profile, metadata string) lastMessage {
		n := numbersOf(profile)
		require.NoError(t, n.assigned(t.Context(), []pubsub.Position{{Partition: 0, Metadata: metadata}}))
		return n.lane(0).last
	}
	mine := lastMessage{seq: 60_000, id: 60_000, offset: 109_999}
	require.Equal(t, mine, newest("mine", ""))
	require.Less(t, read.records.Load(), int64(25_000), "the end is enough")
	l.messages(t, "mine", 59_000, 500) // By a process that was replaced.
	require.Equal(t, mine, newest("mine", ""))
	require.Equal(t, mine, newest("mine", lastMessage{seq: 7, id: 7, offset: 50_006}.metadata("mine")))
	gone := lastMessage{seq: 7, id: 7, offset: 500_000}
	require.Equal(t, mine, newest("mine", gone.metadata("mine")), "the topic has lost its end")
	require.Equal(t, lastMessage{seq: 50_000, id: 50_000, offset: 49_999}, newest("other", ""))
	require.Zero(t, newest("new", ""))

	// More repeats than a window holds, behind the newest message.
	l.messages(t, "mine", 40_000, 2*firstWindow)
	require.Equal(t, mine, newest("mine", lastMessage{seq: 7, id: 7, offset: 50_006}.metadata("mine")))

	// The marker of a transaction is the last record.
	writer := testkit.Client(t, l.brokers, kafka.ManualPartitions(), kgo.TransactionalID("tool"))
	require.NoError(t, writer.BeginTransaction())
	require.NoError(t, writer.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicSuborders}).FirstErr())
	require.NoError(t, writer.EndTransaction(t.Context(), kgo.TryCommit))
	require.Equal(t, mine, newest("mine", mine.metadata("mine")))
}

// TestTranslatorNumbersNoProgress ends a read that gets no record.
func TestTranslatorNumbersNoProgress(t *testing.T) {
	t.Parallel()
	l := newLedger(t, 1)
	l.messages(t, "mine", 1, 10)
	n := newNumbers("mine", testkit.Logger(t), func(more ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(l.brokers...)}, more...)...)
	})
	n.patience = time.Second
	require.NoError(t, n.assigned(t.Context(), []pubsub.Position{{Partition: 0}}))
	l.cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		l.cluster.KeepControl()
		return request.ResponseKind(), nil, true // No records.
	})
	err := n.assigned(t.Context(), []pubsub.Position{{Partition: 0}})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A handler that was abandoned starts late, when its partition has been assigned again.
func TestNumbersOfAbandonedHandler(t *testing.T) {
	t.Parallel()
	l := newLedger(t, 1)
	n := newNumbers("mine", testkit.Logger(t), func(more ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(l.brokers...)}, more...)...)
	})
	assign := func() *laneNumbers {
		require.NoError(t, n.assigned(t.Context(), []pubsub.Position{{Partition: 0}}))
		return n.lane(0)
	}
	l.messages(t, "mine", 1, 10)
	first := assign()
	l.messages(t, "mine", 11, 1) // By a successor, which has released the partition again.
	second := assign()
	require.EqualValues(t, 11, first.next(11), "before the assignment it repeats a number")
	require.Zero(t, second.next(11), "after it the message is written")
	require.EqualValues(t, 12, second.next(12))
	first.written(lastMessage{seq: 11, id: 11, offset: 11})
	require.EqualValues(t, 12, second.next(12), "a late write of the earlier assignment changes nothing")
	second.written(lastMessage{seq: 12, id: 12, offset: 12})
	second.written(lastMessage{seq: 11, id: 11, offset: 13}) // By a handler that took this assignment's number.
	require.EqualValues(t, 13, second.next(13), "a late write of an older message changes nothing")
}
