package pubsub_test

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

// ledger notes what the members of a group handle together.
type ledger struct {
	mu       sync.Mutex
	count    int
	repeated []string
	disorder []string
	seen     map[string]bool
	last     map[byte]int
	reached  map[int]chan struct{}
}

func newLedger(milestones ...int) *ledger {
	l := &ledger{seen: map[string]bool{}, last: map[byte]int{}, reached: map[int]chan struct{}{}}
	for _, n := range milestones {
		l.reached[n] = make(chan struct{})
	}
	return l
}

func (l *ledger) handle(m *message.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, _ := strconv.Atoi(m.UUID)
	key := m.Payload[0]
	if last, ok := l.last[key]; ok && n <= last {
		l.disorder = append(l.disorder, m.UUID)
	}
	l.last[key] = n
	if l.seen[m.UUID] {
		l.repeated = append(l.repeated, m.UUID)
		return
	}
	l.seen[m.UUID] = true
	l.count++
	if c, ok := l.reached[l.count]; ok {
		close(c)
	}
}

// member handles messages until it is closed.
func (l *ledger) member(t *testing.T, cfg pubsub.Config) *pubsub.Subscriber {
	t.Helper()
	s, messages := subscribe(t, cfg)
	go func() {
		for m := range messages {
			l.handle(m)
			m.Ack()
		}
	}()
	return s
}

func TestMembersThatComeAndGoRepeatAndReorderNothing(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 6)
		cfg := b.config(t)
		const n, keys = 6000, 60
		l := newLedger(n/6, n/3, n/2, n)
		p := publisher(t, cfg)
		number(t, p, n/3, keys)
		first := l.member(t, cfg)
		<-l.reached[n/6]
		second := l.member(t, cfg)
		<-l.reached[n/3]
		for i := n / 3; i < n; i += 100 { // Meanwhile more keeps coming.
			batch := make([]*message.Message, 100)
			for j := range batch {
				batch[j] = message.NewMessage(strconv.Itoa(i+j), []byte{byte((i + j) % keys)})
				batch[j].Metadata.Set(pubsub.MetadataKey, strconv.Itoa((i+j)%keys))
			}
			require.NoError(t, p.Publish(topic, batch...))
			switch i {
			case n / 2:
				require.NoError(t, first.Close())
			case n / 3 * 2:
				l.member(t, cfg)
			}
		}
		<-l.reached[n]
		require.NoError(t, second.Close())
		l.mu.Lock()
		defer l.mu.Unlock()
		require.Empty(t, l.repeated)
		require.Empty(t, l.disorder)
	})
}

// heard is a log handler that tells when a line was logged.
type heard struct {
	slog.Handler
	line string
	once *sync.Once
	told chan struct{}
}

func (h heard) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.line {
		h.once.Do(func() { close(h.told) })
	}
	return h.Handler.Handle(ctx, r)
}

func TestAMessageInHandIsFinishedBeforeItsPartitionMoves(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 2)
		cfg := b.config(t)
		p := publisher(t, cfg)
		for _, id := range []string{"first", "second"} {
			for _, partition := range []string{"0", "1"} {
				m := message.NewMessage(id, nil)
				m.Metadata.Set(pubsub.MetadataPartition, partition)
				require.NoError(t, p.Publish(topic, m))
			}
		}
		giving := heard{cfg.Log.Handler(), "giving partitions up", new(sync.Once), make(chan struct{})}
		watched := cfg
		watched.Log = slog.New(giving)
		_, messages := subscribe(t, watched)
		inHand := []*message.Message{take(t, messages), take(t, messages)}
		_, others := subscribe(t, cfg)
		<-giving.told
		select {
		case m := <-others:
			require.Fail(t, "it is in hand elsewhere", m.UUID)
		default:
		}
		for _, m := range inHand {
			require.Equal(t, "first", m.UUID)
			require.NoError(t, m.Context().Err(), "its handler is not disturbed")
			m.Ack()
		}
		m := take(t, others)
		require.Equal(t, "second", m.UUID)
		m.Ack()
	})
}

// The empty call comes with every cooperative rebalance, and taken for "all" it
// would stop workers whose partitions nobody else has.
func TestARebalanceThatTakesNothingStopsNothing(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		number(t, publisher(t, cfg), 3, 1)
		_, messages := subscribe(t, cfg)
		inHand := take(t, messages)
		// The second member finds the only partition taken.
		_, others := subscribe(t, cfg)
		testkit.WaitMembers(t, b.client, "g", 2)
		require.NoError(t, inHand.Context().Err())
		inHand.Ack()
		for _, want := range []string{"1", "2"} {
			select {
			case m := <-messages:
				require.Equal(t, want, m.UUID)
				m.Ack()
			case m := <-others:
				require.Fail(t, "the wrong member has it", m.UUID)
			}
		}
	})
}

func TestAStaticMemberGetsItsPartitionsBack(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 2)
		cfg := b.config(t)
		p := publisher(t, cfg)
		for _, partition := range []string{"0", "1"} {
			m := message.NewMessage(partition, nil)
			m.Metadata.Set(pubsub.MetadataPartition, partition)
			require.NoError(t, p.Publish(topic, m))
		}
		other := cfg
		cfg.InstanceID, other.InstanceID = "one", "two"
		first, _ := subscribe(t, cfg)
		_, others := subscribe(t, other)
		testkit.Eventually(t, func() bool {
			members := testkit.Members(t, b.client, "g")
			for _, m := range members {
				if assigned, ok := m.Assigned.AsConsumer(); !ok || len(assigned.Topics) != 1 || len(assigned.Topics[0].Partitions) != 1 {
					return false
				}
			}
			return len(members) == 2
		}, "each has a partition")
		inHand := take(t, others)

		require.NoError(t, first.Close())
		require.Len(t, testkit.Members(t, b.client, "g"), 2, "it is still a member while it is away")
		_, messages := subscribe(t, cfg)
		back := take(t, messages)
		require.NotEqual(t, inHand.UUID, back.UUID)
		require.NoError(t, inHand.Context().Err(), "the other member is not disturbed")
		back.Ack()
		inHand.Ack()
	})
}

func TestABrokerThatRestartsIsFoundAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(opts ...kfake.Opt) (*kfake.Cluster, []string) {
		return testkit.KafkaCluster(t, append(opts, kfake.DataDir(dir))...)
	}
	cluster, brokers := open()
	require.NoError(t, cluster.CreateTopic(topic, 2, nil))
	port := kfake.Ports(portOf(t, brokers[0]))
	b := bundle{cluster: cluster, brokers: brokers}
	cfg := b.config(t)
	p := publisher(t, cfg)
	l := newLedger(50, 100)
	number(t, p, 50, 7)
	l.member(t, cfg)
	<-l.reached[50]

	cluster.Close()
	ctx, cancel := context.WithCancel(t.Context())
	published := make(chan struct{})
	go func() {
		defer close(published)
		batch := make([]*message.Message, 50)
		for i := range batch {
			batch[i] = message.NewMessage(strconv.Itoa(50+i), []byte{byte((50 + i) % 7)})
			batch[i].Metadata.Set(pubsub.MetadataKey, strconv.Itoa((50+i)%7))
		}
		for ctx.Err() == nil && p.Publish(topic, batch...) != nil {
		}
	}()
	open(port)
	<-l.reached[100]
	cancel()
	<-published
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}
