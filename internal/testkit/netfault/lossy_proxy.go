package netfault

import (
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LossyProxy is the network between one program and the brokers of a Kafka. It can lose requests and replies of chosen
// kinds, with the connection they were on, and it can be disabled.
type LossyProxy struct {
	losses
	*BrokerProxy
	t    testing.TB
	lost counter
}

// NewLossyProxy opens a proxy, which is closed when the test ends.
func NewLossyProxy(t testing.TB) *LossyProxy {
	t.Helper()
	p := &LossyProxy{t: t}
	p.BrokerProxy = NewBrokerProxy(p.hooks)
	t.Cleanup(p.Close)
	return p
}

// Brokers returns the addresses under which the program finds these brokers.
func (p *LossyProxy) Brokers(addrs []string) []string {
	p.t.Helper()
	proxies, err := p.Addrs(addrs)
	require.NoError(p.t, err)
	return proxies
}

// Heal ends every loss.
func (p *LossyProxy) Heal() { p.clear() }

// Lost returns how many requests of this kind were chosen to be lost so far, themselves or by their replies.
func (p *LossyProxy) Lost(key kmsg.Key) int { return p.lost.of(key) }

// request is what must be known of a request to handle its reply.
type request struct {
	key     kmsg.Key
	version int16
	doomed  bool // Its reply gets lost.
}

func (p *LossyProxy) hooks() Hooks {
	var mu sync.Mutex
	open := map[uint32]request{} // By correlation id; guarded by mu.
	return Hooks{
		Request: func(frame []byte) ([]byte, error) {
			r := request{key: KeyOf(frame), version: VersionOf(frame)}
			what := p.decide(r.key)
			if what != delivered {
				p.lost.add(r.key)
			}
			if what == requestLost {
				return nil, errRequestLost
			}
			r.doomed = what == replyLost
			mu.Lock()
			defer mu.Unlock()
			open[RequestID(frame)] = r
			return frame, nil
		},
		Reply: func(frame []byte) ([]byte, error) {
			mu.Lock()
			r := open[ReplyID(frame)]
			delete(open, ReplyID(frame))
			mu.Unlock()
			if r.doomed {
				return nil, errReplyLost // Only now: the reply has arrived here, so the broker is done.
			}
			frame, err := p.rewrite(r, frame)
			if err != nil && !errors.Is(err, net.ErrClosed) { // Closed means that the test is over.
				p.t.Errorf("netfault: %v", err)
			}
			return frame, err
		},
	}
}

// rewrite puts the proxy's addresses into a reply that names brokers.
func (p *LossyProxy) rewrite(r request, frame []byte) ([]byte, error) {
	switch r.key {
	case kmsg.Metadata, kmsg.FindCoordinator, kmsg.DescribeCluster, kmsg.Produce, kmsg.Fetch:
	default:
		return frame, nil
	}
	resp, err := DecodeReply(frame, r.key, r.version)
	if err != nil {
		return nil, err
	}
	if err := RewriteBrokers(resp, p.Addr); err != nil {
		return nil, err
	}
	return EncodeReply(resp, frame), nil
}
