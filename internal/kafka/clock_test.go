package kafka_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// quorumAt lets a broker answer DescribeQuorum as the controller of Apache Kafka does, with its time.
func quorumAt(t *testing.T, cluster *kfake.Cluster, now func() time.Time) {
	t.Helper()
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), testkit.Client(t, cluster.ListenAddrs()))
	require.NoError(t, err)
	quorum := kmsg.ApiVersionsResponseApiKey{ApiKey: int16(kmsg.DescribeQuorum), MaxVersion: 1}
	versions.ApiKeys = append(versions.ApiKeys, quorum)
	cluster.ControlKey(int16(kmsg.ApiVersions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := *versions
		resp.SetVersion(req.GetVersion())
		return &resp, nil, true
	})
	cluster.ControlKey(int16(kmsg.DescribeQuorum), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
		topic := kmsg.NewDescribeQuorumResponseTopic()
		p := kmsg.NewDescribeQuorumResponseTopicPartition()
		p.LeaderID = 1
		voter := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		voter.ReplicaID, voter.LastFetchTimestamp = 1, now().UnixMilli()
		p.CurrentVoters = append(p.CurrentVoters, voter)
		topic.Partitions = append(topic.Partitions, p)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
}

// A clock that is off is measured, warned about and reported, and nothing stops for it.
func TestClockOff(t *testing.T) {
	t.Parallel()
	cluster, _, cfg := faulty(t, 1)
	var behind atomic.Int64
	// While it is set, the controller refuses, and the channel gets a value for each request.
	var away atomic.Pointer[chan struct{}]
	cluster.ControlKey(int16(kmsg.DescribeQuorum), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked := away.Load()
		if asked == nil {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		*asked <- struct{}{}
		return resp, nil, true
	})
	quorumAt(t, cluster, func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) })
	reg := prometheus.NewRegistry()
	c, err := kafka.NewClock(kafka.Options(cfg), testkit.Logger(t), reg)
	require.NoError(t, err)
	require.True(t, c.Good(), "unknown is good")
	kafka.SetClockInterval(c, 10*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	ahead := func() float64 { return kafka.ClockAhead(c) }
	testkit.Eventually(t, func() bool { return ahead() > -1 && ahead() < 1 }, "it is measured")
	require.True(t, c.Good())
	behind.Store(int64(time.Hour))
	testkit.Eventually(t, func() bool { return !c.Good() && ahead() > 3500 }, "it is ahead")
	behind.Store(-int64(time.Minute))
	testkit.Eventually(t, func() bool { return ahead() < -50 }, "it is behind")
	require.False(t, c.Good())
	behind.Store(-int64(7 * time.Second))
	testkit.Eventually(t, func() bool { return ahead() > -8 }, "it is nearly right")
	require.False(t, c.Good(), "the verdict does not swing")
	broken := make(chan struct{}, 1000)
	away.Store(&broken)
	for range 3 {
		<-broken
	}
	require.False(t, c.Good(), "a controller that does not answer says nothing about the clock")
	behind.Store(0)
	away.Store(nil)
	testkit.Eventually(t, c.Good, "it is right again")
	cancel()
	require.NoError(t, <-done)
}

// Only half of the round trip can be attributed to the clock or to the network, so a slow answer proves nothing.
func TestClockSlowController(t *testing.T) {
	t.Parallel()
	cluster, _, cfg := faulty(t, 1)
	// This clock is ahead by less than what counts as off. The controller reads its own when the request arrives, and
	// answers late: the measured difference is 200 ms larger, and counts as off.
	quorumAt(t, cluster, func() time.Time {
		at := time.Now().Add(-9900 * time.Millisecond)
		<-time.After(400 * time.Millisecond)
		return at
	})
	c, err := kafka.NewClock(kafka.Options(cfg), testkit.Logger(t), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	testkit.Eventually(t, func() bool { return kafka.ClockAhead(c) > 10 }, "the measured difference counts as off")
	cancel()
	require.NoError(t, <-done)
	require.True(t, c.Good(), "the difference minus its uncertainty does not")
}

// A broker without a quorum says nothing about the clock.
func TestClockUnknown(t *testing.T) {
	t.Parallel()
	_, _, cfg := faulty(t, 1)
	c, err := kafka.NewClock(kafka.Options(cfg), testkit.Logger(t), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, c.Run(ctx))
	require.True(t, c.Good())
}

// The controller of Apache Kafka answers with its time.
func TestClockOfApacheKafka(t *testing.T) {
	t.Parallel()
	brokers := testkit.ApacheKafka(t)
	c, err := kafka.NewClock(kafka.Options(testkit.KafkaConfig(brokers, 1)), testkit.Logger(t), nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	testkit.Eventually(t, func() bool {
		ahead := kafka.ClockAhead(c)
		return ahead > -10 && ahead < 10
	}, "it is measured")
	cancel()
	require.NoError(t, <-done)
}
