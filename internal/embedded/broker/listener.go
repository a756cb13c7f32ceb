package broker

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// listener is the broker's listener. It binds the port at once, so that a port in use is reported before the folder is
// touched, but it accepts clients only once it is opened. Until then only dial gets in.
type listener struct {
	ln     net.Listener
	addr   net.Addr
	queue  chan net.Conn
	opened chan struct{}
	closed chan struct{}

	// folder is not used here. The broker's goroutines refer to the listener and not to the Broker: when an owner drops
	// its Broker without closing it, the garbage collector must not close the lock file of the folder under them.
	folder *folder

	opening, closing sync.Once

	mu    sync.Mutex
	conns map[*clientConn]struct{} // Guarded by mu; nil once cut.
}

// clientConn is a connection that leaves the listener's list when it is closed.
type clientConn struct {
	net.Conn

	of *listener
}

// Close implements net.Conn.
func (c *clientConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// track adds a connection to the list. It returns nil if the listener was cut.
func (l *listener) track(conn net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		return nil
	}
	c := &clientConn{Conn: conn, of: l}
	l.conns[c] = struct{}{}
	return c
}

// cut ends all connections at once, so that no answer of the broker gets out any more, and accepts none.
func (l *listener) cut() {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close() // Nothing is to be written any more.
	}
	_ = l.Close() // As above.
}

// advertised is an address as kfake reports it to clients.
type advertised string

func (advertised) Network() string  { return "tcp" }
func (a advertised) String() string { return string(a) }

func listen(ctx context.Context, addr, advertise string) (*listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	l := &listener{
		ln: ln, addr: ln.Addr(),
		queue: make(chan net.Conn), conns: map[*clientConn]struct{}{},
		opened: make(chan struct{}), closed: make(chan struct{}),
	}
	if advertise != "" {
		l.addr = advertised(advertise)
	}
	return l, nil
}

// listenFn replaces net.Listen in kfake.
func (l *listener) listenFn(string, string) (net.Listener, error) { return l, nil }

// Addr implements net.Listener. It returns the advertised address, because kfake reports this one to its clients.
func (l *listener) Addr() net.Addr { return l.addr }

// open starts to accept clients.
func (l *listener) open() {
	l.opening.Do(func() {
		close(l.opened)
		go func() {
			for {
				conn, err := l.ln.Accept()
				if err != nil {
					_ = l.Close()
					return
				}
				l.pass(conn)
			}
		}()
	})
}

func (l *listener) isOpen() bool {
	select {
	case <-l.opened:
		return true
	default:
		return false
	}
}

// dial connects from inside the process, whether the listener is open or not.
func (l *listener) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	l.pass(theirs)
	return ours, nil
}

// pass gives a connection to Accept.
func (l *listener) pass(conn net.Conn) {
	tracked := l.track(conn)
	if tracked == nil {
		_ = conn.Close()
		return
	}
	select {
	case l.queue <- tracked:
	case <-l.closed:
		_ = tracked.Close()
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.queue:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Further calls do nothing.
func (l *listener) Close() (err error) {
	l.closing.Do(func() {
		close(l.closed)
		err = l.ln.Close()
	})
	return err
}
