package emitter

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// session follows the session of a group member: until it expires, Kafka gives the member's partitions to no other
// member.
type session struct {
	timeout   time.Duration
	renewedAt atomic.Int64  // In Unix nanoseconds; when the broker, as far as it has confirmed, last heard of the member.
	renewals  chan struct{} // Buffers one: the session was renewed.
}

func newSession(timeout time.Duration) *session {
	return &session{timeout: timeout, renewals: make(chan struct{}, 1)}
}

// outlasts reports whether the session cannot expire before the given time.
func (s *session) outlasts(end time.Time) bool {
	return end.UnixNano() < s.renewedAt.Load()+int64(s.timeout)
}

// OnBrokerE2E implements kgo.HookBrokerE2E. It does not look for a group error in the response: after one the client
// soon calls OnPartitionsLost.
func (s *session) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if e2e.Err() != nil {
		return
	}
	at := time.Now()
	switch kmsg.Key(key) {
	case kmsg.Heartbeat, kmsg.ConsumerGroupHeartbeat:
		// The broker restarts the session when it receives the request, which is not before the client wrote it.
		at = at.Add(-e2e.DurationE2E())
	case kmsg.JoinGroup, kmsg.SyncGroup:
		// The broker restarts the session when it responds.
	default:
		return
	}
	s.renew(at)
}

func (s *session) renew(at time.Time) {
	s.renewedAt.Store(at.UnixNano())
	select {
	case s.renewals <- struct{}{}:
	default:
	}
}
