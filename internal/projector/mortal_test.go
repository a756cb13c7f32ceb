package projector_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
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
	return &kafkaConn{Conn: c, m: m}, nil
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

// kafkaConn follows requests and replies of commits.
type kafkaConn struct {
	net.Conn
	m      *mortal
	out    []byte
	in     []byte
	mu     sync.Mutex
	doomed map[uint32]bool // Correlation ids of doomed commits. Guarded by mu.
}

func (c *kafkaConn) Write(b []byte) (int, error) {
	c.out = append(c.out, b...)
	for len(c.out) >= 12 {
		size := int(binary.BigEndian.Uint32(c.out)) + 4
		if len(c.out) < size {
			break
		}
		if int16(binary.BigEndian.Uint16(c.out[4:])) == int16(kmsg.OffsetCommit) && c.m.reached(false) {
			if !c.m.at.after {
				if c.m.die() {
					return 0, errDead
				}
			} else {
				c.mu.Lock()
				c.doomed = map[uint32]bool{binary.BigEndian.Uint32(c.out[8:]): true}
				c.mu.Unlock()
			}
		}
		c.out = c.out[size:]
	}
	return c.Conn.Write(b)
}

func (c *kafkaConn) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		head := make([]byte, 8)
		if _, err := readFull(c.Conn, head); err != nil {
			return 0, err
		}
		frame := make([]byte, binary.BigEndian.Uint32(head)+4)
		copy(frame, head)
		if _, err := readFull(c.Conn, frame[8:]); err != nil {
			return 0, err
		}
		c.mu.Lock()
		doomed := c.doomed[binary.BigEndian.Uint32(head[4:])]
		c.mu.Unlock()
		if doomed && c.m.die() {
			return 0, errDead
		}
		c.in = frame
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

func readFull(c net.Conn, b []byte) (n int, err error) {
	for n < len(b) {
		m, err := c.Read(b[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
