package projector_test

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// onEach runs a test with each kind of Kafka and ClickHouse that is available.
func onEach(t *testing.T, lanes int, test func(b *bundle)) {
	t.Helper()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) { test(setupOn(t, on, lanes)) })
}

// join adds a member to a group; has returns its partitions.
func (b *bundle) join(group string) (client *kgo.Client, has func() []int32) {
	b.t.Helper()
	var mu sync.Mutex
	var mine []int32
	set := func(of []int32) {
		mu.Lock()
		defer mu.Unlock()
		mine = of
	}
	client = testkit.Client(b.t, b.kafka.Brokers, kgo.ConsumerGroup(group), kgo.ConsumeTopics(events.TopicEvents),
		kgo.Balancers(kgo.StickyBalancer()), kgo.DisableAutoCommit(), kgo.HeartbeatInterval(100*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, m map[string][]int32) { set(m[events.TopicEvents]) }),
		kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { set(nil) }))
	return client, func() []int32 {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(mine)
	}
}

// TestCommitterUsesItsOwnMembership checks that a worker can't commit under a membership that followed its own.
func TestCommitterUsesItsOwnMembership(t *testing.T) {
	t.Parallel()
	onEach(t, 2, func(b *bundle) {
		const group = "lost"
		adm := b.admin()
		topics, err := adm.ListTopics(b.t.Context(), events.TopicEvents)
		require.NoError(b.t, err)
		a, ofA := b.join(group)
		testkit.Eventually(b.t, func() bool { return len(ofA()) == 2 }, "the first member has both partitions")
		var old [2]projector.Membership
		for p := range old {
			old[p] = projector.NewMembership(a, group, events.TopicEvents, topics[events.TopicEvents].ID, int32(p))
			require.NoError(b.t, old[p].Commit(b.t.Context(), 10, 19))
		}
		_, ofB := b.join(group)
		testkit.Eventually(b.t, func() bool { return len(ofA()) == 1 && len(ofB()) == 1 }, "each member has one partition")
		lost, kept := ofB()[0], ofA()[0]

		at := func(p int32) int64 {
			got, err := adm.FetchOffsets(b.t.Context(), group)
			require.NoError(b.t, err)
			o, _ := got.Lookup(events.TopicEvents, p)
			return o.At
		}
		// A worker that slept through the rebalance would do this.
		require.ErrorIs(b.t, old[lost].Commit(b.t.Context(), 20, 29), projector.ErrLost)
		require.ErrorIs(b.t, old[kept].Commit(b.t.Context(), 20, 29), projector.ErrLost, "the membership has ended, even if the partition stayed")
		require.Equal(b.t, []int64{10, 10}, []int64{at(lost), at(kept)})
		// This is why a worker captures the generation: the broker checks the member and not the partition. It accepts the
		// client's own commit, which carries the current generation.
		now := map[string]map[int32]kgo.EpochOffset{events.TopicEvents: {lost: {Epoch: -1, Offset: 20}}}
		accepted := func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, r *kmsg.OffsetCommitResponse, err error) {
			require.NoError(b.t, err)
			require.NoError(b.t, kerr.ErrorForCode(r.Topics[0].Partitions[0].ErrorCode))
		}
		a.CommitOffsetsSync(b.t.Context(), now, accepted)
		require.EqualValues(b.t, 20, at(lost))
	})
}

// recorder is a network that keeps a copy of every commit that the client sends.
type recorder struct {
	mu      sync.Mutex
	commits [][]byte // Guarded by mu.
}

func (r *recorder) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &netfault.FrameConn{Conn: c, Request: func(frame []byte) error {
		if netfault.KeyOf(frame) == kmsg.OffsetCommit {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.commits = append(r.commits, slices.Clone(frame))
		}
		return nil
	}}, nil
}

func (r *recorder) all() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.commits)
}

// replay sends a recorded commit over a new connection and returns the error in the response.
func replay(t testing.TB, addr string, request []byte) error {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	_, err = c.Write(request)
	require.NoError(t, err)
	reply, err := netfault.ReadFrame(c)
	require.NoError(t, err)
	resp, err := netfault.DecodeReply(reply, kmsg.OffsetCommit, netfault.VersionOf(request))
	require.NoError(t, err)
	return kerr.ErrorForCode(resp.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode)
}

// TestLateCommitIsRefused replays commits after their partition has moved, while their member is still alive.
func TestLateCommitIsRefused(t *testing.T) {
	t.Parallel()
	onEach(t, 4, func(b *bundle) {
		var net recorder
		cfg := config()
		cfg.SessionTimeout = 6 * time.Second
		b.stories(30)
		stopFirst := b.projector(cfg, b.click, kgo.Dialer(net.Dial))
		b.caughtUp()
		late := net.all() // Intents and acknowledgements of all lanes.
		require.NotEmpty(b.t, late)
		stopSecond := b.projector(cfg, b.click)
		adm := b.admin()
		group := kafka.GroupProjector(b.kafka.Cluster)
		testkit.Eventually(b.t, func() bool {
			all, err := adm.DescribeGroups(b.t.Context(), group)
			return err == nil && all[group].State == "Stable" && len(all[group].Members) == 2
		}, "both projectors are members")
		b.stories(30)
		b.caughtUp()
		before := b.offsets(adm)
		refused := map[string]int{}
		for _, request := range late {
			err := replay(b.t, b.kafka.Brokers[0], request)
			require.Error(b.t, err)
			refused[err.Error()]++
		}
		b.t.Log("refused", refused)
		require.Equal(b.t, before, b.offsets(adm), "no offset moved")
		b.stories(10)
		b.caughtUp()
		b.complete()
		// The first member was alive all the time: it continues alone.
		stopSecond()
		b.stories(10)
		b.caughtUp()
		b.complete()
		stopFirst()
	})
}

func (b *bundle) offsets(adm *kadm.Client) map[string]map[int32]int64 {
	b.t.Helper()
	got, err := adm.FetchOffsets(b.t.Context(), kafka.GroupProjector(b.kafka.Cluster))
	require.NoError(b.t, err)
	at := map[string]map[int32]int64{}
	got.Each(func(o kadm.OffsetResponse) {
		if at[o.Topic] == nil {
			at[o.Topic] = map[int32]int64{}
		}
		at[o.Topic][o.Partition] = o.At
	})
	return at
}

// TestWorkerChecksLeaseBeforeInsert has a worker that sleeps between intent and insert until its lease has ended.
func TestWorkerChecksLeaseBeforeInsert(t *testing.T) {
	t.Parallel()
	onEach(t, 1, func(b *bundle) {
		b.stories(12)
		// The intent of the first batch is committed, and its response arrives after the lease has ended.
		m := newProcess(crashPoint{after: true, nth: 1})
		m.freeze = make(chan struct{})
		cfg := config()
		cfg.InstanceID, cfg.SessionTimeout = "one", 6*time.Second
		click := b.click
		click.Dial = m.ClickHouse
		late := projector.New(cfg, b.kafka, click, testkit.Logger(b.t), nil, kgo.Dialer(m.Kafka))
		ctx, cancel := context.WithCancel(b.t.Context())
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- late.Run(ctx) }()
		<-m.down
		asleep := time.Now()
		// The second takes over, finds the intent, and does the work.
		stop := b.projector(cfg, b.click)
		b.caughtUp()
		b.complete()
		// The lease is half of the session timeout, and starts a little later than the sleep.
		testkit.Eventually(b.t, func() bool { return time.Since(asleep) > cfg.SessionTimeout }, "the lease has ended")
		require.Zero(b.t, m.inserted())
		close(m.freeze)
		b.stories(6)
		b.caughtUp()
		cancel()
		<-done // With or without an error: another member has its instance id.
		require.Zero(b.t, m.inserted(), "it checked its membership again before it inserted")
		b.complete()
		stop()
	})
}

// inserted returns how many inserts were sent.
func (p *process) inserted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inserts
}
