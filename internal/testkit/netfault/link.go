package netfault

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// errCut is what a client sees of a network that was cut.
var errCut = errors.New("netfault: the network is cut")

// Link is the network of one process. A test can pause it at a certain request: nothing gets out or in, as if the
// process slept there, until the link resumes. Then the request is sent, however late. Give the process's Kafka
// clients kgo.Dialer(l.Dial), and reach its servers through Proxy. The zero value lets everything pass.
//
// It relies on clients that write one request at a time, as kgo does.
type Link struct {
	mu      sync.Mutex
	trigger *trigger        // Guarded by mu, as all below.
	paused  chan struct{}   // Closed when the link resumes; nil while it runs.
	delayed []chan struct{} // The same for single requests.
	cut     bool
	refused bool
	conns   map[net.Conn]bool
}

// trigger is what happens before the next request that matches.
type trigger struct {
	match func(request []byte) bool
	pause bool
	do    func()
}

// Before calls a function once, before the next request of this kind is sent. It may pause or cut the link, or hold the
// request by not returning.
func (l *Link) Before(key kmsg.Key, do func()) { l.arm(&trigger{match: IsKind(key), do: do}) }

// PauseAt pauses the link at the next request that matches, before it is sent. The channel is closed when that has
// happened.
func (l *Link) PauseAt(match func(request []byte) bool) <-chan struct{} {
	met := make(chan struct{})
	l.arm(&trigger{match: match, pause: true, do: func() { close(met) }})
	return met
}

// DelayAt holds back only the next request that matches, and later ones on its connection, until the link resumes. The
// rest of the process continues. The channel is closed when the request is met.
func (l *Link) DelayAt(match func(request []byte) bool) <-chan struct{} {
	met, resumed := make(chan struct{}), make(chan struct{})
	l.arm(&trigger{match: match, do: func() {
		close(met)
		<-resumed
	}})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delayed = append(l.delayed, resumed)
	return met
}

func (l *Link) arm(t *trigger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trigger = t
}

// Pause stops everything at once.
func (l *Link) Pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pause()
}

func (l *Link) pause() {
	if l.paused == nil {
		l.paused = make(chan struct{})
	}
}

// Resume lets everything pass again, and forgets a PauseAt or DelayAt that was not met.
func (l *Link) Resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trigger = nil
	if l.paused != nil {
		close(l.paused)
		l.paused = nil
	}
	for _, resumed := range l.delayed {
		close(resumed)
	}
	l.delayed = nil
}

// Disconnect breaks every connection and refuses new ones, as hosts do whose programs are down, until Reconnect.
func (l *Link) Disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = true
	l.closeAll()
}

// Reconnect ends what Disconnect began.
func (l *Link) Reconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = false
}

// Cut ends the process as others see it: its connections break, and it gets no new ones. There is no way back.
func (l *Link) Cut() {
	l.mu.Lock()
	l.cut = true
	l.closeAll()
	l.mu.Unlock()
	l.Resume() // A goroutine that waits would wait for ever.
}

func (l *Link) closeAll() {
	for c := range l.conns {
		_ = c.Close()
	}
	clear(l.conns)
}

// Proxy returns an address whose connections lead to another one over the link, so that a server of the process pauses
// and ends with it. The proxy closes when the test ends.
func (l *Link) Proxy(t testing.TB, to string) (addr string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	return Serve(t, func(from net.Conn) {
		inside, err := l.Dial(ctx, "tcp", to)
		if err != nil {
			return
		}
		defer inside.Close()
		go func() {
			_, _ = io.Copy(inside, from) // Until one of them is closed.
			_ = inside.Close()
		}()
		_, _ = io.Copy(from, inside)
	})
}

// Dial has the signature that kgo.Dialer takes.
func (l *Link) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	l.wait()
	l.mu.Lock()
	refused := l.refused
	l.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut || l.refused {
		_ = conn.Close()
		return nil, errCut
	}
	if l.conns == nil {
		l.conns = map[net.Conn]bool{}
	}
	l.conns[conn] = true
	return &linkConn{conn, l}, nil
}

func (l *Link) wait() {
	l.mu.Lock()
	paused := l.paused
	l.mu.Unlock()
	if paused != nil {
		<-paused
	}
}

// pass returns when a request may be sent.
func (l *Link) pass(request []byte) {
	l.mu.Lock()
	t := l.trigger
	if t == nil || !t.match(request) {
		t = nil
	} else {
		l.trigger = nil
		if t.pause {
			l.pause() // Under the lock, so that no other request slips through.
		}
	}
	l.mu.Unlock()
	if t != nil {
		t.do()
	}
	l.wait()
}

type linkConn struct {
	net.Conn
	link *Link
}

func (c *linkConn) Write(b []byte) (int, error) {
	c.link.pass(b)
	return c.Conn.Write(b)
}

func (c *linkConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.link.wait()
	return n, err
}
