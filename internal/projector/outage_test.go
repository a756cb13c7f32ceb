package projector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// expelled receives the error with which the client loses its membership.
type expelled chan error

func (e expelled) OnGroupManageError(err error) {
	select {
	case e <- err:
	default:
	}
}

// TestProjectorSurvivesLongKafkaOutage has an outage that outlasts the group's session.
func TestProjectorSurvivesLongKafkaOutage(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 2)
		b.stories(5)
		var network netfault.Link
		out := make(expelled, 1)
		b.projector(config(), b.click, kgo.Dialer(network.Dial), kgo.WithHooks(out), kgo.RetryTimeout(300*time.Millisecond))
		b.caughtUp()
		network.Disconnect()
		testkit.Eventually(t, func() bool { return len(out) > 0 }, "the client loses its membership")
		b.stories(5)
		network.Reconnect()
		b.caughtUp()
		b.complete()
	})
}

func TestProjectorEndsIfGroupRefusesIt(t *testing.T) {
	t.Parallel()
	b := setupOn(t, testkit.Backends{Kafka: testkit.Kfake, ClickHouse: testkit.Embedded}, 1)
	cluster, brokers := testkit.KafkaCluster(t)
	b.kafka = testkit.KafkaConfig(brokers, 1)
	testkit.Topics(t, brokers, 1)
	cluster.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return resp, nil, true
	})
	p := projector.New(config(), b.kafka, b.click, testkit.Logger(t), nil)
	require.ErrorIs(t, p.Run(t.Context()), kerr.GroupAuthorizationFailed)
}
