package pubsub_test

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/pubsub"
	"github.com/orderledger/orderledger/internal/testkit"
)

// handled records what the members of a group handle together.
type handled struct {
	mu       sync.Mutex
	count    int
	repeated []string
	disorder []string
	seen     map[string]bool
	last     map[byte]int
	reached  map[int]chan struct{}
}

func newHandled(milestones ...int) *handled {
	h := &handled{seen: map[string]bool{}, last: map[byte]int{}, reached: map[int]chan struct{}{}}
	for _, n := range milestones {
		h.reached[n] = make(chan struct{})
	}
	return h
}

func (h *handled) handle(m *message.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, _ := strconv.Atoi(m.UUID)
	key := m.Payload[0]
	if last, ok := h.last[key]; ok && n <= last {
		h.disorder = append(h.disorder, m.UUID)
	}
	h.last[key] = n
	if h.seen[m.UUID] {
		h.repeated = append(h.repeated, m.UUID)
		return
	}
	h.seen[m.UUID] = true
	h.count++
	if c, ok := h.reached[h.count]; ok {
		close(c)
	}
}

// member handles messages until it is closed.
func (h *handled) member(t *testing.T, cfg pubsub.Config) *pubsub.Subscriber {
	t.Helper()
	s, messages := subscribe(t, cfg)
	go func() {
		for m := range messages {
			h.handle(m)
			m.Ack()
		}
	}()
	return s
}

func TestRebalanceKeepsOrder(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 6)
		cfg := b.config(t)
		const n, keys = 6000, 60
		h := newHandled(n/6, n/3, n/2, n)
		p := publisher(t, cfg)
		publishNumbered(t, p, n/3, keys)
		first := h.member(t, cfg)
		<-h.reached[n/6]
		second := h.member(t, cfg)
		<-h.reached[n/3]
		for i := n / 3; i < n; i += 100 { // More messages arrive during the rebalances.
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
				h.member(t, cfg)
			}
		}
		<-h.reached[n]
		require.NoError(t, second.Close())
		h.mu.Lock()
		defer h.mu.Unlock()
		require.Empty(t, h.repeated)
		require.Empty(t, h.disorder)
	})
}

// logWatch is a log handler that signals when a message is logged.
type logWatch struct {
	slog.Handler
	message string
	once    *sync.Once
	logged  chan struct{} // Closed when the message has been logged.
}

func (h logWatch) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.message {
		h.once.Do(func() { close(h.logged) })
	}
	return h.Handler.Handle(ctx, r)
}

func TestRebalanceDrains(t *testing.T) {
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
		revoked := logWatch{cfg.Log.Handler(), "partitions revoked", new(sync.Once), make(chan struct{})}
		watched := cfg
		watched.Log = slog.New(revoked)
		_, messages := subscribe(t, watched)
		held := []*message.Message{take(t, messages), take(t, messages)}
		_, others := subscribe(t, cfg)
		<-revoked.logged
		select {
		case m := <-others:
			require.Fail(t, "the first member still handles it", m.UUID)
		default:
		}
		for _, m := range held {
			require.Equal(t, "first", m.UUID)
			require.NoError(t, m.Context().Err(), "the handler is not interrupted")
			m.Ack()
		}
		m := take(t, others)
		require.Equal(t, "second", m.UUID)
		m.Ack()
	})
}

// TestRebalanceDiscardsLateMarks lets a filter return when its partition has moved, and another member has handled it
// all. The broker would accept the late offset, and the group would go back to it.
func TestRebalanceDiscardsLateMarks(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 2)
		cfg := b.config(t)
		p := publisher(t, cfg)
		const each = 5
		for partition := range 2 {
			for range each {
				m := message.NewMessage("", nil)
				m.Metadata.Set(pubsub.MetadataPartition, strconv.Itoa(partition))
				require.NoError(t, p.Publish(topic, m))
			}
		}
		late := cfg
		late.DrainTimeout = 200 * time.Millisecond // Nobody waits for the filter, but the last commit must succeed.
		filtering, release := make(chan struct{}, 100), make(chan struct{})
		late.Filter = func(*kgo.Record) bool {
			filtering <- struct{}{}
			<-release
			return false
		}
		first, _ := subscribe(t, late)
		released := sync.OnceFunc(func() { close(release) })
		t.Cleanup(released)
		<-filtering
		<-filtering
		_, others := subscribe(t, cfg)
		var moved int32
		for range each {
			m := take(t, others)
			moved = pubsub.Record(m.Context()).Partition
			m.Ack()
		}
		committed := func() map[int32]int64 {
			offsets, err := kadm.NewClient(b.client).FetchOffsets(t.Context(), "g")
			require.NoError(t, err)
			at := map[int32]int64{}
			offsets.Each(func(o kadm.OffsetResponse) { at[o.Partition] = o.At })
			return at
		}
		testkit.Eventually(t, func() bool { return committed()[moved] == each }, "the new owner has committed its partition")
		released()
		testkit.Eventually(t, func() bool { return committed()[1-moved] == each }, "the first member commits what it has left")
		require.NoError(t, first.Close())
		require.EqualValues(t, each, committed()[moved])
	})
}

// A cooperative rebalance calls OnPartitionsRevoked with an empty map. Taken for "all partitions", it would stop
// workers whose partitions no other member gets.
func TestRebalanceWithoutRevocation(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setup(t, on, 1)
		cfg := b.config(t)
		publishNumbered(t, publisher(t, cfg), 3, 1)
		_, messages := subscribe(t, cfg)
		held := take(t, messages)
		// The only partition is assigned already.
		_, others := subscribe(t, cfg)
		testkit.WaitMembers(t, b.client, "g", 2)
		require.NoError(t, held.Context().Err())
		held.Ack()
		for _, want := range []string{"1", "2"} {
			select {
			case m := <-messages:
				require.Equal(t, want, m.UUID)
				m.Ack()
			case m := <-others:
				require.Fail(t, "the other member got the message", m.UUID)
			}
		}
	})
}

func TestStaticMemberRejoins(t *testing.T) {
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
				assigned, ok := m.Assigned.AsConsumer()
				if !ok || len(assigned.Topics) != 1 || len(assigned.Topics[0].Partitions) != 1 {
					return false
				}
			}
			return len(members) == 2
		}, "each member has a partition")
		held := take(t, others)

		require.NoError(t, first.Close())
		require.Len(t, testkit.Members(t, b.client, "g"), 2, "a static member stays in the group while it is down")
		_, messages := subscribe(t, cfg)
		back := take(t, messages)
		require.NotEqual(t, held.UUID, back.UUID)
		require.NoError(t, held.Context().Err(), "the other member is not interrupted")
		back.Ack()
		held.Ack()
	})
}

func TestPubSubBrokerRestart(t *testing.T) {
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
	h := newHandled(50, 100)
	publishNumbered(t, p, 50, 7)
	h.member(t, cfg)
	<-h.reached[50]

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
	<-h.reached[100]
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

// TestRebalanceWaitsForPoll lets a member join while another one is about to deliver what it has polled. If the
// partition moved now, both would deliver its messages.
func TestRebalanceWaitsForPoll(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Kfake, 2)
	gate := &pollGate{polled: make(chan struct{}), open: make(chan struct{})}
	open := sync.OnceFunc(func() { close(gate.open) })
	h := newHandled(10)
	publishNumbered(t, publisher(t, b.config(t)), 10, 10)
	first := h.member(t, b.config(t, kgo.WithHooks(gate)))
	t.Cleanup(open) // Before the cleanup of the member.
	<-gate.polled

	cfg, moved := b.config(t), make(chan struct{}, 10)
	cfg.Assigned = func(context.Context, []pubsub.Position) error {
		moved <- struct{}{}
		return nil
	}
	h.member(t, cfg)
	// The group stays where it is as long as the first member does not release what it may lose.
	groups := kadm.NewClient(b.client)
	for rebalancing := 0; rebalancing < 3000; {
		described, err := groups.DescribeGroups(t.Context(), "g")
		require.NoError(t, err)
		require.Empty(t, moved, "a partition moved between its poll and the delivery")
		if described["g"].State == "PreparingRebalance" {
			rebalancing++
		}
	}
	open()
	<-h.reached[10]
	<-moved
	require.NoError(t, first.Close())
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Empty(t, h.repeated)
}

// pollGate holds back the first poll that has records.
type pollGate struct {
	once         sync.Once
	polled, open chan struct{}
}

// OnFetchRecordUnbuffered implements kgo.HookFetchRecordUnbuffered.
func (g *pollGate) OnFetchRecordUnbuffered(_ *kgo.Record, polled bool) {
	if polled {
		g.once.Do(func() {
			close(g.polled)
			<-g.open
		})
	}
}

// TestRebalanceLosesPartition expels a member, as a broker does with one that was silent for too long: another member
// may have its partition already.
func TestRebalanceLosesPartition(t *testing.T) {
	t.Parallel()
	b := setup(t, testkit.Kfake, 1)
	cfg := b.config(t)
	cfg.CommitInterval, cfg.DrainTimeout = time.Hour, time.Hour
	cfg.MaxBuffered = 3 // Its fetching is paused, too.
	publishNumbered(t, publisher(t, cfg), 10, 1)
	_, messages := subscribe(t, cfg)
	take(t, messages).Ack()
	held := take(t, messages)
	b.cluster.ControlKey(int16(kmsg.Heartbeat), func(request kmsg.Request) (kmsg.Response, error, bool) {
		answer := request.ResponseKind().(*kmsg.HeartbeatResponse)
		answer.ErrorCode = kerr.UnknownMemberID.Code
		return answer, nil, true
	})
	select {
	case <-held.Context().Done():
	case <-time.After(testkit.Limit):
		held.Ack() // So that closing need not wait.
		require.Fail(t, "the handler was not interrupted")
	}
	held.Ack()
	for i := range 10 { // Nothing was committed.
		m := take(t, messages)
		require.Equal(t, strconv.Itoa(i), m.UUID)
		m.Ack()
	}
}
