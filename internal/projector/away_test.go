package projector_test

import (
	"context"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
)

// outage is a network on which brokers can be away: connections break, and new ones are refused.
type outage struct {
	mu    sync.Mutex
	away  bool
	conns []net.Conn
}

func (o *outage) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		o.conns = append(o.conns, conn)
	}
	return conn, err
}

func (o *outage) set(away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = away
	for _, c := range o.conns {
		_ = c.Close()
	}
	o.conns = nil
}

// expelled sees the client fall out of the group.
type expelled chan error

func (e expelled) OnGroupManageError(err error) {
	select {
	case e <- err:
	default:
	}
}

func TestBrokersThatAreAwayUntilTheMembershipIsGoneAreWaitedFor(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 2)
		b.stories(5)
		var network outage
		out := make(expelled, 1)
		b.projector(config(), b.click, kgo.Dialer(network.dial), kgo.WithHooks(out), kgo.RetryTimeout(300*time.Millisecond))
		b.caughtUp()
		network.set(true)
		testkit.Eventually(t, func() bool { return len(out) > 0 }, "the client gives its membership up")
		b.stories(5)
		network.set(false)
		b.caughtUp()
		b.complete()
	})
}

func TestAGroupThatRefusesTheProjectorEndsItWithTheReason(t *testing.T) {
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
