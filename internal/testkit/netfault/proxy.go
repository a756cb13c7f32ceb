package netfault

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Serve listens on loopback and calls fn with each connection in a goroutine of its own; the connection is closed when
// fn returns. It accepts no more when the test ends.
func Serve(t testing.TB, fn func(net.Conn)) (addr string) {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	go accept(ln, fn)
	return ln.Addr().String()
}

// accept runs until the listener is closed.
func accept(ln net.Listener, fn func(net.Conn)) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			fn(conn)
		}()
	}
}

// FreeAddr returns a loopback address that nobody listens on now.
func FreeAddr(t testing.TB) string {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// Proxy is an address that leads to another one. Disabling it breaks its connections and refuses new ones: to its
// clients the server is down.
type Proxy struct {
	// Addr is where clients connect, always the same.
	Addr string

	to    string
	mu    sync.Mutex
	ln    net.Listener          // Nil while it is disabled. Guarded by mu.
	conns map[net.Conn]struct{} // Guarded by mu.
}

// NewProxy returns an enabled proxy, which is disabled when the test ends.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	p := &Proxy{Addr: FreeAddr(t), to: to, conns: map[net.Conn]struct{}{}}
	require.NoError(t, p.Enable())
	t.Cleanup(p.Disable)
	return p
}

// Enable takes connections again. It does nothing to an enabled proxy.
func (p *Proxy) Enable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", p.Addr) // Disable ends it.
	if err != nil {
		return err
	}
	p.ln = ln
	go accept(ln, p.carry)
	return nil
}

// Disable refuses connections and breaks the open ones. It does nothing to a disabled proxy.
func (p *Proxy) Disable() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln == nil {
		return
	}
	_ = p.ln.Close()
	p.ln = nil
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// keep notes a connection for Disable, and reports whether the proxy is still enabled.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln == nil {
		return false
	}
	p.conns[conn] = struct{}{}
	return true
}

func (p *Proxy) drop(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
	_ = conn.Close()
}

func (p *Proxy) carry(in net.Conn) {
	defer p.drop(in)
	out, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.to) // Disable ends it.
	if err != nil {
		return
	}
	defer p.drop(out)
	if !p.keep(in) || !p.keep(out) {
		return
	}
	go func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
		_ = in.Close()
	}()
	_, _ = io.Copy(in, out)
}
