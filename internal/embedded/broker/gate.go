package broker

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// gate is the broker's listener. The port is bound at once, so that a port in
// use is told before anything is touched, but strangers wait outside until it
// is opened; until then only dial gets in.
type gate struct {
	ln     net.Listener
	addr   net.Addr
	conns  chan net.Conn
	opened chan struct{}
	closed chan struct{}

	// folder is not used here. The broker's goroutines hold the gate and not
	// the Broker; an owner that lets go of its Broker without closing it must
	// not have the garbage collector close the folder's lock under them.
	folder *folder

	opening, closing sync.Once
}

// hostport is an address as clients are told it.
type hostport string

func (hostport) Network() string  { return "tcp" }
func (h hostport) String() string { return string(h) }

func listen(ctx context.Context, addr, advertise string) (*gate, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	g := &gate{
		ln: ln, addr: ln.Addr(),
		conns: make(chan net.Conn), opened: make(chan struct{}), closed: make(chan struct{}),
	}
	if advertise != "" {
		g.addr = hostport(advertise)
	}
	return g, nil
}

// listener is what kfake calls in place of net.Listen.
func (g *gate) listener(string, string) (net.Listener, error) { return g, nil }

// Addr implements net.Listener. It is the advertised address: kfake tells its
// clients this one.
func (g *gate) Addr() net.Addr { return g.addr }

// open lets strangers in.
func (g *gate) open() {
	g.opening.Do(func() {
		close(g.opened)
		go func() {
			for {
				conn, err := g.ln.Accept()
				if err != nil {
					_ = g.Close()
					return
				}
				g.hand(conn)
			}
		}()
	})
}

func (g *gate) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}

// dial connects from inside, whether the gate is open or not.
func (g *gate) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	g.hand(theirs)
	return ours, nil
}

func (g *gate) hand(conn net.Conn) {
	select {
	case g.conns <- conn:
	case <-g.closed:
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (g *gate) Accept() (net.Conn, error) {
	select {
	case conn := <-g.conns:
		return conn, nil
	case <-g.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. Further calls do nothing.
func (g *gate) Close() (err error) {
	g.closing.Do(func() {
		close(g.closed)
		err = g.ln.Close()
	})
	return err
}
