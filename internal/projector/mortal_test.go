package projector_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// step is a moment at which a process dies, as the network sees it.
type step struct {
	insert bool // An insert into ClickHouse; else a commit of the group's offset.
	after  bool // The server has done it and its answer is lost; else it never hears of it.
	nth    int  // The how-manieth of the process.
}

var errDead = errors.New("the process is dead")

// mortal is the network of one process that dies at a step: from then on nothing comes in or gets out. The zero value
// lives for ever.
type mortal struct {
	at step
	// freeze, when not nil, is what the process waits for at the step instead of dying.
	freeze chan struct{}

	mu      sync.Mutex
	conns   []net.Conn // Guarded by mu, as all below.
	inserts int
	commits int
	dead    chan struct{}
}

func newMortal(at step) *mortal { return &mortal{at: at, dead: make(chan struct{})} }

func (m *mortal) isDead() bool {
	select {
	case <-m.dead:
		return true
	default:
		return false
	}
}

// reached counts a step and tells whether it is the one.
func (m *mortal) reached(insert bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := &m.commits
	if insert {
		n = &m.inserts
	}
	*n++
	return m.at.insert == insert && *n == m.at.nth
}

// die breaks everything off, or freezes the process for a time. It tells whether the process is dead.
func (m *mortal) die() bool {
	m.mu.Lock()
	if !m.isDead() {
		close(m.dead)
	}
	if m.freeze == nil {
		for _, c := range m.conns {
			_ = c.Close()
		}
	}
	m.mu.Unlock()
	if m.freeze == nil {
		return true
	}
	<-m.freeze
	return false
}

func (m *mortal) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if m.isDead() && m.freeze == nil {
		return nil, errDead
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return c, nil
}

// Kafka dials brokers, ClickHouse dials ClickHouse.
func (m *mortal) Kafka(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := m.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	var doomed sync.Map // Correlation ids of commits whose replies the process does not live to see.
	return &netfault.FrameConn{
		Conn: c,
		Request: func(frame []byte) error {
			if netfault.KeyOf(frame) != kmsg.OffsetCommit || !m.reached(false) {
				return nil
			}
			if m.at.after {
				doomed.Store(netfault.RequestID(frame), true)
			} else if m.die() {
				return errDead
			}
			return nil
		},
		Reply: func(frame []byte) error {
			if _, met := doomed.Load(netfault.ReplyID(frame)); met && m.die() {
				return errDead
			}
			return nil
		},
	}, nil
}

func (m *mortal) ClickHouse(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := m.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &clickConn{Conn: c, m: m}, nil
}

// clickConn sees an insert as the query that goes out, and its end as what comes in after the data went out.
type clickConn struct {
	net.Conn
	m      *mortal
	mu     sync.Mutex
	doomed int // 1: the doomed insert's query is out; 2: its data too. Guarded by mu.
}

func (c *clickConn) Write(b []byte) (int, error) {
	insert := bytes.Contains(b, []byte("INSERT INTO"))
	c.mu.Lock()
	if c.doomed == 1 && !insert {
		c.doomed = 2
	}
	c.mu.Unlock()
	if insert && c.m.reached(true) {
		if c.m.at.after {
			c.mu.Lock()
			c.doomed = 1
			c.mu.Unlock()
		} else if c.m.die() {
			return 0, errDead
		}
	}
	return c.Conn.Write(b)
}

func (c *clickConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	doomed := c.doomed == 2
	c.mu.Unlock()
	if doomed && err == nil && c.m.die() {
		return 0, errDead
	}
	return n, err
}
