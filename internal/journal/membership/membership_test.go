package membership

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// member is a membership that runs, and serves the lanes that are assigned to it.
type member struct {
	*Membership
	mu   sync.Mutex
	mine map[int32]bool // Guarded by mu.
}

func (m *member) serves(lane int32) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mine[lane]
}

func (m *member) lanes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.mine)
}

func (m *member) set(lanes []int32, mine bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, lane := range lanes {
		if mine {
			m.mine[lane] = true
		} else {
			delete(m.mine, lane)
		}
	}
}

// report says that it is warm for all lanes.
func (m *member) report() Report {
	r := Report{Lanes: make([]int64, m.cfg.Lanes)}
	for lane := range r.Lanes {
		if m.serves(int32(lane)) {
			r.Lanes[lane] = Open
		}
	}
	return r
}

func join(t *testing.T, brokers []string, name string, lanes int) *member {
	t.Helper()
	m := &member{mine: map[int32]bool{}}
	m.Membership = New(Config{
		Cluster: "test", Advertise: "http://" + name, SessionTimeout: 8 * time.Second, RebalanceTimeout: 5 * time.Second,
		Options: kafka.Options(testkit.KafkaConfig(brokers, lanes)), Log: testkit.Logger(t), Lanes: lanes,
		Serves: m.serves, Has: m.serves, Serving: func() []int32 { return nil }, Report: m.report,
	})
	m.Connect(testkit.Client(t, brokers))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- m.Run(ctx, Callbacks{
			Assigned: func(lanes []int32) { m.set(lanes, true) },
			Revoked:  func(lanes []int32) { m.set(lanes, false) },
			Planned:  func(Plan) {}, Lost: func() {}, Stopping: func() {},
		})
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return m
}

func TestOwnerIsBelievedUntilReportedWrong(t *testing.T) {
	t.Parallel()
	_, brokers := testkit.Kfake.Open(t)
	testkit.Topics(t, brokers, 1)
	a := join(t, brokers, "a", 1)
	testkit.Eventually(t, func() bool { return a.serves(0) }, "it has the lane")
	b := join(t, brokers, "b", 1)
	testkit.Eventually(t, func() bool {
		_, err := b.describe(t.Context())
		return err == nil && b.Joined()
	}, "it is a member of a group that has settled")
	last := Owner{URL: "http://last"} // It serves on, while the group names the next one, which reads the lane.
	b.owners.mu.Lock()
	b.owners.of = map[int32]Owner{0: last}
	b.owners.mu.Unlock()
	b.refresh(t.Context())
	owner, err := b.Owner(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, last, owner)
	b.OwnerWrong(0, last)
	testkit.Eventually(t, func() bool {
		owner, err := b.Owner(t.Context(), 0)
		return err == nil && owner == Owner{URL: "http://a"}
	}, "the group is asked again")
	require.True(t, a.serves(0))
}

// joinOlder adds a member of a build before the lanes' own balancer, and returns its lanes.
func joinOlder(t *testing.T, brokers []string, lanes int) (has func() int, leave func()) {
	t.Helper()
	sticky := kafka.LanesOnly(kgo.CooperativeStickyBalancer(), lanes)
	var mu sync.Mutex
	mine := map[int32]bool{}
	client, err := kgo.NewClient(append(kafka.Options(testkit.KafkaConfig(brokers, lanes)),
		kgo.ConsumerGroup(kafka.GroupLanes("test")), kgo.ConsumeTopics(events.TopicEvents),
		kgo.Balancers(advertiser{sticky, "http://older"}), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, added map[string][]int32) {
			mu.Lock()
			defer mu.Unlock()
			for _, lane := range added[events.TopicEvents] {
				mine[lane] = true
			}
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
			mu.Lock()
			defer mu.Unlock()
			for _, lane := range lost[events.TopicEvents] {
				delete(mine, lane)
			}
		}),
	)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(mine)
	}, client.Close
}

// A build that does not know the lanes' balancer joins, and leaves again.
func TestMembershipWithOlderBuild(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		_, brokers := on.Open(t)
		testkit.Topics(t, brokers, 2)
		a := join(t, brokers, "a", 2)
		testkit.Eventually(t, func() bool { return a.lanes() == 2 && a.asking.byPlan() }, "it has the lanes, by its own plan")
		has, leave := joinOlder(t, brokers, 2)
		testkit.Eventually(t, func() bool { return has() == 1 && a.lanes() == 1 }, "they share the lanes")
		require.False(t, a.asking.byPlan())
		require.True(t, a.asking.current().FollowAll)
		testkit.Eventually(t, func() bool {
			for lane := range int32(2) {
				owner, err := a.Owner(t.Context(), lane)
				if err == nil && owner.URL == "http://older" {
					return true
				}
			}
			return false
		}, "its URL is known")
		leave()
		testkit.Eventually(t, func() bool { return a.lanes() == 2 && a.asking.byPlan() }, "it has the lanes, by its own plan again")
	})
}
