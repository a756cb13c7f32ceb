package clickhouse

import (
	"errors"
	"os"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// killAgain is the pause before a running statement is killed again: a kill before the engine has listed the statement
// finds nothing.
const killAgain = 100 * time.Millisecond

// watch observes the connection while a statement runs, and kills the statement when the client cancels or disconnects.
// The returned function stops that and reports whether the client is gone. watch consumes no byte.
func (n *nativeConn) watch() (stop func() (gone bool)) {
	stopped := make(chan struct{})
	result := make(chan bool, 1)
	go func() {
		b, err := n.raw.Peek(1)
		gone := err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
		if gone || err == nil && proto.ClientCode(b[0]) == proto.ClientCodeCancel {
			n.session.killUntil(stopped)
		}
		result <- gone
	}()
	return func() bool {
		close(stopped)
		// A deadline in the past wakes the reader without losing a byte.
		_ = n.client.conn.SetReadDeadline(time.Unix(1, 0))
		gone := <-result
		_ = n.client.conn.SetReadDeadline(time.Time{})
		return gone
	}
}

// killUntil kills the running statement again and again until it has stopped.
func (s *session) killUntil(stopped <-chan struct{}) {
	tick := time.NewTicker(killAgain)
	defer tick.Stop()
	for {
		s.kill()
		select {
		case <-stopped:
			return
		case <-tick.C:
		}
	}
}
