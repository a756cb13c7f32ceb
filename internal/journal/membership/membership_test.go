package membership

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// member is a membership that runs, and serves the lane of the test while it is assigned.
type member struct {
	*Membership
	serves atomic.Bool
}

func (m *member) report() Report {
	if m.serves.Load() {
		return Report{Lanes: []int64{Open}}
	}
	return Report{Lanes: []int64{0}}
}

func join(t *testing.T, brokers []string, name string) *member {
	t.Helper()
	m := new(member)
	m.Membership = New(Config{
		Cluster: "test", Advertise: "http://" + name, SessionTimeout: 8 * time.Second, RebalanceTimeout: 5 * time.Second,
		Options: kafka.Options(testkit.KafkaConfig(brokers, 1)), Log: testkit.Logger(t),
		Lanes: 1, Serves: func(int32) bool { return m.serves.Load() }, Has: func(int32) bool { return m.serves.Load() },
		Serving: func() []int32 { return nil }, Report: m.report,
	})
	m.Connect(testkit.Client(t, brokers))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() {
		done <- m.Run(ctx, Callbacks{
			Assigned: func(lanes []int32) {
				if len(lanes) > 0 {
					m.serves.Store(true)
				}
			},
			Revoked: func(lanes []int32) {
				if len(lanes) > 0 {
					m.serves.Store(false)
				}
			},
			Planned: func(Plan) {}, Lost: func() {}, Stopping: func() {},
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
	a := join(t, brokers, "a")
	testkit.Eventually(t, a.serves.Load, "it has the lane")
	b := join(t, brokers, "b")
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
	require.True(t, a.serves.Load())
}
