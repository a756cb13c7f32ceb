package netfault

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	// errReplyLost is what a client sees in place of a lost reply.
	errReplyLost = errors.New("netfault: the connection broke before the reply")
	// errRequestLost is what a client sees in place of a request that never left.
	errRequestLost = errors.New("netfault: the connection broke before the request")
)

// LossyDialer is a network that can lose requests and replies of Kafka. Use it with kgo.Dialer(d.Dial). The zero value
// loses nothing.
type LossyDialer struct {
	losses
	lost counter
}

// LostReplies returns how many replies of this kind were lost so far. The broker had handled each of the requests.
func (d *LossyDialer) LostReplies(key kmsg.Key) int { return d.lost.of(key) }

// Dial has the signature that kgo.Dialer takes.
func (d *LossyDialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	var doomed sync.Map // Correlation ids of requests whose replies get lost, with their kinds.
	return &FrameConn{
		Conn: conn,
		Request: func(frame []byte) error {
			switch key := KeyOf(frame); d.decide(key) {
			case requestLost:
				_ = conn.Close()
				return errRequestLost
			case replyLost:
				doomed.Store(RequestID(frame), key)
			case delivered:
			}
			return nil
		},
		Reply: func(frame []byte) error {
			key, lost := doomed.Load(ReplyID(frame))
			if !lost {
				return nil
			}
			// Only now: the reply has arrived here, so the broker is done.
			d.lost.add(key.(kmsg.Key))
			_ = conn.Close()
			return errReplyLost
		},
	}, nil
}
