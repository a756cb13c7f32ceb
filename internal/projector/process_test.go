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

// crashPoint is the moment at which a process crashes, as the network sees it.
type crashPoint struct {
	insert bool // At an insert into ClickHouse; else at a commit of the group's offset.
	after  bool // The server executes the request and its response is lost; else the request is lost.
	nth    int  // At which of them, from 1; 0 for never.
}

var errCrashed = errors.New("the process has crashed")

// process is the network of one process that crashes at some point: from then on it receives and sends nothing.
type process struct {
	at crashPoint
	// freeze, if not nil, makes the process wait for it at the crash point, instead of crashing.
	freeze chan struct{}

	mu      sync.Mutex
	conns   []net.Conn // Guarded by mu, as all below.
	inserts int
	commits int
	down    chan struct{}
}

func newProcess(at crashPoint) *process { return &process{at: at, down: make(chan struct{})} }

func (p *process) crashed() bool {
	select {
	case <-p.down:
		return true
	default:
		return false
	}
}

// reached counts a request and reports whether it is the crash point.
func (p *process) reached(insert bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.commits
	if insert {
		n = &p.inserts
	}
	*n++
	return p.at.insert == insert && *n == p.at.nth
}

// crash closes all connections, or freezes the process for a while. It reports whether the process has crashed.
func (p *process) crash() bool {
	p.mu.Lock()
	if !p.crashed() {
		close(p.down)
	}
	if p.freeze == nil {
		for _, c := range p.conns {
			_ = c.Close()
		}
	}
	p.mu.Unlock()
	if p.freeze == nil {
		return true
	}
	<-p.freeze
	return false
}

func (p *process) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p.crashed() && p.freeze == nil {
		return nil, errCrashed
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
	return c, nil
}

// Kafka dials a broker.
func (p *process) Kafka(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := p.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	var last sync.Map // Correlation ids of commits whose replies crash the process.
	return &netfault.FrameConn{
		Conn: c,
		Request: func(frame []byte) error {
			if netfault.KeyOf(frame) != kmsg.OffsetCommit || !p.reached(false) {
				return nil
			}
			if p.at.after {
				last.Store(netfault.RequestID(frame), true)
			} else if p.crash() {
				return errCrashed
			}
			return nil
		},
		Reply: func(frame []byte) error {
			if _, met := last.Load(netfault.ReplyID(frame)); met && p.crash() {
				return errCrashed
			}
			return nil
		},
	}, nil
}

// ClickHouse dials ClickHouse.
func (p *process) ClickHouse(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := p.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &clickConn{Conn: c, process: p}, nil
}

// clickConn recognizes an insert by its query, and its end by the first read after the data was sent.
type clickConn struct {
	net.Conn
	process *process
	mu      sync.Mutex
	last    int // 1: the query of the insert at the crash point is sent; 2: its data too. Guarded by mu.
}

func (c *clickConn) Write(b []byte) (int, error) {
	insert := bytes.Contains(b, []byte("INSERT INTO"))
	c.mu.Lock()
	if c.last == 1 && !insert {
		c.last = 2
	}
	c.mu.Unlock()
	if insert && c.process.reached(true) {
		if c.process.at.after {
			c.mu.Lock()
			c.last = 1
			c.mu.Unlock()
		} else if c.process.crash() {
			return 0, errCrashed
		}
	}
	return c.Conn.Write(b)
}

func (c *clickConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	end := c.last == 2
	c.mu.Unlock()
	if end && err == nil && c.process.crash() {
		return 0, errCrashed
	}
	return n, err
}
