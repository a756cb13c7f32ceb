package testkit

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errCut is what a client sees of a network that was cut.
var errCut = errors.New("testkit: the network is cut")

// Gate is the network of one process, which a test can stop at a certain request: from then on nothing goes out and
// nothing comes in, as if the process slept there, until the gate is opened. Then the request goes out, however late.
// Use it with kgo.Dialer(g.Dial). The zero value is open.
type Gate struct {
	mu    sync.Mutex
	match func(request []byte) bool // What stops the process; nil for nothing. Guarded by mu, as all below.
	one   bool                      // Only that request is stopped.
	held  chan struct{}             // Closed when it was met.
	shut  chan struct{}             // Closed when the gate opens again; nil while it is open.
	late  chan struct{}             // The same for the one request.
	cut   bool
	conns []net.Conn
}

// Request returns a match for requests of a kind.
func Request(key kmsg.Key) func([]byte) bool {
	return func(request []byte) bool { return KeyOf(request) == key }
}

// KeyOf returns the kind of a request, as it is on the wire.
func KeyOf(request []byte) kmsg.Key {
	if len(request) < 6 {
		return -1
	}
	return kmsg.Key(binary.BigEndian.Uint16(request[4:]))
}

// Hold stops the process at the next request that matches, before it goes out. What it returns is closed when that has
// happened.
func (g *Gate) Hold(match func(request []byte) bool) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.match, g.held, g.one = match, make(chan struct{}), false
	return g.held
}

// Delay stops only the request, and with it what comes after it on its connection: the process lives on.
func (g *Gate) Delay(match func(request []byte) bool) <-chan struct{} {
	held := g.Hold(match)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.one = true
	return held
}

// Shut stops the process at once.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

// Open lets the process go on.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.match = nil
	for _, stopped := range []*chan struct{}{&g.shut, &g.late} {
		if *stopped != nil {
			close(*stopped)
			*stopped = nil
		}
	}
}

// Cut ends the process as others see it: its connections break, and it gets no new ones.
func (g *Gate) Cut() {
	g.mu.Lock()
	g.cut = true
	for _, c := range g.conns {
		_ = c.Close()
	}
	g.mu.Unlock()
	g.Open() // Nothing waits for ever.
}

// Door returns an address whose connections lead to another one through the gate: what the process serves stops with
// it, and ends with it. It is closed when the test ends.
func (g *Gate) Door(t testing.TB, to string) (addr string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	return Serve(t, func(from net.Conn) { g.lead(ctx, from, to) })
}

// Serve listens on this machine and hands each connection to fn, which runs beside the others; then it is closed. No
// new ones are taken when the test ends.
func Serve(t testing.TB, fn func(net.Conn)) (addr string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				fn(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func (g *Gate) lead(ctx context.Context, from net.Conn, to string) {
	inside, err := g.Dial(ctx, "tcp", to)
	if err != nil {
		return
	}
	defer inside.Close()
	go func() {
		_, _ = io.Copy(inside, from) // Until one of them is closed.
		_ = inside.Close()
	}()
	_, _ = io.Copy(from, inside)
}

// Dial connects as kgo.Dialer wants.
func (g *Gate) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	g.wait()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cut {
		_ = conn.Close()
		return nil, errCut
	}
	g.conns = append(g.conns, conn)
	return &gatedConn{conn, g}, nil
}

func (g *Gate) wait() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (g *Gate) pass(request []byte) {
	var late chan struct{}
	g.mu.Lock()
	if g.match != nil && g.match(request) {
		stopped := make(chan struct{})
		if g.one {
			late, g.late = stopped, stopped
		} else {
			g.shut = stopped
		}
		g.match = nil
		close(g.held)
	}
	g.mu.Unlock()
	if late != nil {
		<-late
	}
	g.wait()
}

// gatedConn relies on the client writing one request at a time.
type gatedConn struct {
	net.Conn
	gate *Gate
}

func (c *gatedConn) Write(b []byte) (int, error) {
	c.gate.pass(b)
	return c.Conn.Write(b)
}

func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.gate.wait()
	return n, err
}
