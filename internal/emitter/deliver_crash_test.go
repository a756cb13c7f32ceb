package emitter

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

const (
	childBrokers = "ORDERLEDGER_TEST_CHILD_BROKERS"
	childURL     = "ORDERLEDGER_TEST_CHILD_URL"
)

// TestDelivererChildProcess is the process that TestDelivererKill kills.
func TestDelivererChildProcess(t *testing.T) { //nolint:paralleltest // It runs alone in its process.
	if os.Getenv(childBrokers) == "" {
		t.Skip("runs only as a child of TestDelivererKill")
	}
	c := config(Endpoint{
		Name: "efs", URL: os.Getenv(childURL), Secrets: []string{testSecret}, Scope: Everything(), Start: StartEarliest,
		Timeout: 5 * time.Second, MaxInFlight: 8,
		RetrySchedule: []time.Duration{5 * time.Millisecond},
	})
	c.InstanceID = "one" // So that the successor gets the partitions at once.
	d, err := NewDeliverer(c, testkit.KafkaConfig(strings.Split(os.Getenv(childBrokers), ","), 4), nil, nil)
	require.NoError(t, err)
	require.NoError(t, d.Run(t.Context()))
}

func TestDelivererKill(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 4), testkit.NewReceiver(t, testSecret)
		for i := range 10 {
			r.Fail(orderCode(i), testkit.Failure{Status: 503}, testkit.Failure{Status: 0}, testkit.Failure{Status: 503})
		}
		n := s.publishMany(t, 50, 20)
		child := func() (kill func()) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDelivererChildProcess$")
			cmd.Env = append(os.Environ(), childBrokers+"="+strings.Join(s.brokers, ","), childURL+"="+r.URL())
			require.NoError(t, cmd.Start())
			return func() {
				require.NoError(t, cmd.Process.Kill())
				_ = cmd.Wait() // It reports the kill as an error.
			}
		}
		const kills = 4
		for i := range kills {
			kill := child()
			r.Wait(t, n*(i+1)/(kills+2))
			kill()
		}
		kill := child()
		defer kill()
		r.Wait(t, n)
		s.waitCommitted(t, "orderledger.emitter.efs")
		r.RequireNoViolations(t)
		t.Logf("%d messages, %d kills, %d repeated requests", n, kills, r.Repeats())
	})
}

func TestDelivererCrashBeforeCommit(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
		s.settleStart(t, endpoint("efs", r))
		n := s.publishMany(t, 10, 5)
		var network netfault.LossyDialer
		network.DropRequests(kmsg.OffsetCommit, -1)
		stop := s.start(t, config(endpoint("efs", r)), kgo.Dialer(network.Dial))
		r.Wait(t, n)
		stop()
		require.Zero(t, s.committed(t, "orderledger.emitter.efs"))
		s.start(t, config(endpoint("efs", r)))
		s.waitCommitted(t, "orderledger.emitter.efs")
		require.Equal(t, n, r.Repeats(), "every uncommitted message is sent once more")
		require.Equal(t, n, r.Distinct())
		r.RequireNoViolations(t)
	})
}

func TestDelivererCrashRepeatsPending(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 1), testkit.NewReceiver(t, testSecret)
		r.Fail("stuck", testkit.Failure{Status: 503, Times: -1})
		e := endpoint("efs", r)
		e.RetrySchedule = []time.Duration{time.Hour}
		s.publish(t, s.record("stuck", "SUBORDER_CREATE"))
		n := s.publishMany(t, 20, 5)
		s.publish(t, s.record("stuck", "SUBORDER_CANCEL"), s.record("last", "SUBORDER_CREATE"))
		var network netfault.LossyDialer
		stop := s.start(t, config(e), kgo.Dialer(network.Dial))
		r.Wait(t, n+1)
		testkit.Eventually(t, func() bool {
			return slices.Equal([]span{{1, 1 + int64(n)}, {int64(n) + 2, int64(n) + 3}}, s.completed(t, "orderledger.emitter.efs").spans)
		}, "all messages but those of the stuck suborder are committed as completed")
		require.Zero(t, s.committed(t, "orderledger.emitter.efs"))
		network.DropRequests(kmsg.OffsetCommit, -1) // As after a kill, no commit of the first process arrives any more.
		stop()

		r.ClearFailures("stuck")
		before := len(r.Requests())
		s.start(t, config(e))
		r.Wait(t, n+3)
		s.waitCommitted(t, "orderledger.emitter.efs")
		for _, again := range r.Requests()[before:] {
			require.Equal(t, "stuck", again.OrderCode)
		}
		r.RequireNoViolations(t)
	})
}

// completed returns the committed metadata of partition 0.
func (s *stage) completed(t testing.TB, group string) completedOffsets {
	t.Helper()
	offsets, err := kadm.NewClient(s.client).FetchOffsets(context.WithoutCancel(t.Context()), group)
	require.NoError(t, err)
	o, found := offsets.Lookup(events.TopicSuborders, 0)
	if !found {
		return completedOffsets{}
	}
	c, err := decodeCompleted(o.At, o.Metadata)
	require.NoError(t, err)
	return c
}

func TestDelivererLostCommitReply(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
		var network netfault.LossyDialer
		network.DropReplies(kmsg.OffsetCommit, 3)
		n := s.publishMany(t, 10, 5)
		stop := s.start(t, config(endpoint("efs", r)), kgo.Dialer(network.Dial))
		r.Wait(t, n)
		s.waitCommitted(t, "orderledger.emitter.efs")
		stop()
		require.Positive(t, network.LostReplies(kmsg.OffsetCommit))
		s.start(t, config(endpoint("efs", r)))
		n += s.publishMany(t, 1, 1)
		r.Wait(t, n)
		require.Zero(t, r.Repeats())
		r.RequireNoViolations(t)
	})
}

func TestDelivererRebalance(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		t.Run("joining and leaving members repeat nothing and keep the order", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 6), testkit.NewReceiver(t, testSecret)
			n := s.publishMany(t, 100, 10)
			s.start(t, config(endpoint("efs", r)))
			for range 3 {
				n += s.publishMany(t, 100, 5)
				joined := s.start(t, config(endpoint("efs", r)))
				s.waitMembers(t, 2)
				joined()
				s.waitMembers(t, 1)
			}
			r.Wait(t, n)
			s.waitCommitted(t, "orderledger.emitter.efs")
			r.RequireNoViolations(t)
			require.Zero(t, r.Repeats())
			require.Zero(t, r.Overlaps())
		})

		t.Run("a partition is not released while a request is in flight", func(t *testing.T) {
			t.Parallel()
			s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
			hold := make(chan struct{})
			a, b := s.orderOf(0), s.orderOf(1)
			s.publish(t, s.record(a, "SUBORDER_CREATE"), s.record(b, "SUBORDER_CREATE"))
			r.Fail("", testkit.Failure{Status: 200, Hold: hold, Times: -1})
			d, _ := s.launch(t, config(endpoint("efs", r)), nil)
			r.WaitArrived(t, a, 1)
			r.WaitArrived(t, b, 2)
			s.start(t, config(endpoint("efs", r)))
			waitDraining(t, d)
			s.publish(t, s.record(a, "SUBORDER_CANCEL"), s.record(b, "SUBORDER_CANCEL"))
			r.ClearFailures("")
			close(hold)
			r.Wait(t, 4)
			s.waitMembers(t, 2)
			s.waitCommitted(t, "orderledger.emitter.efs")
			require.Zero(t, r.Repeats())
			require.Zero(t, r.Overlaps())
			r.RequireNoViolations(t)
		})
	})
}

func TestDelivererUnknownMember(t *testing.T) {
	t.Parallel()
	s, r := setup(t, 2), testkit.NewReceiver(t, testSecret)
	hold := make(chan struct{})
	defer close(hold)
	s.publish(t, s.record("a", "SUBORDER_CREATE"))
	r.Fail("a", testkit.Failure{Status: 200, Hold: hold})
	d, _ := s.launch(t, config(endpoint("efs", r)), nil)
	r.WaitArrived(t, "a", 1)
	s.publish(t, s.record("a", "SUBORDER_CANCEL"))
	var readmit atomic.Bool
	s.cluster.ControlKey(int16(kmsg.JoinGroup), func(request kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		answer := request.ResponseKind().(*kmsg.JoinGroupResponse)
		answer.ErrorCode = kerr.CoordinatorNotAvailable.Code
		return answer, nil, !readmit.Load()
	})
	s.cluster.ControlKey(int16(kmsg.Heartbeat), func(request kmsg.Request) (kmsg.Response, error, bool) {
		answer := request.ResponseKind().(*kmsg.HeartbeatResponse)
		answer.ErrorCode = kerr.UnknownMemberID.Code
		return answer, nil, true
	})
	testkit.Eventually(t, func() bool {
		owned := -1
		d.workers[0].do(func() { owned = len(d.workers[0].partitions) + d.workers[0].scheduler.inFlight })
		return owned == 0
	}, "every partition is dropped and every request cancelled")
	readmit.Store(true)
	// Delivery restarts at the committed offset, so both messages arrive.
	r.Wait(t, 2)
	s.waitCommitted(t, "orderledger.emitter.efs")
	require.Equal(t, 1, r.Repeats())
	require.Equal(t, []int64{1, 2}, r.Arrived("a"))
	r.RequireNoViolations(t)
}

func TestDelivererStaticMember(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		s, r := setupOn(t, on, 2), testkit.NewReceiver(t, testSecret)
		c := config(endpoint("efs", r))
		c.InstanceID = "one"
		for i := range 3 {
			n := s.publishMany(t, 5, 2)
			stop := s.start(t, c)
			r.Wait(t, n*(i+1))
			s.waitCommitted(t, "orderledger.emitter.efs")
			stop()
			require.Len(t, testkit.Members(t, s.client, "orderledger.emitter.efs"), 1, "a static member does not leave")
		}
		require.Zero(t, r.Repeats())
		r.RequireNoViolations(t)
	})
}

// orderOf returns an order of the given lane.
func (s *stage) orderOf(lane int32) string {
	for i := 0; ; i++ {
		if events.Lane(orderCode(i), s.lanes) == lane {
			return orderCode(i)
		}
	}
}

// waitMembers waits until the group is stable with n members.
func (s *stage) waitMembers(t testing.TB, n int) {
	t.Helper()
	testkit.WaitMembers(t, s.client, "orderledger.emitter.efs", n)
}
