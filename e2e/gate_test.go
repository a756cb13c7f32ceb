package e2e

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// gate is an address that leads to another one and can be shut: then connections are refused, and those that are open
// are cut. It stands before what the tests can't kill.
type gate struct {
	addr, to string

	mu    sync.Mutex
	ln    net.Listener          // Nil while it is shut; guarded by mu.
	conns map[net.Conn]struct{} // Guarded by mu.
}

// newGate opens a gate, which is shut when the test ends.
func newGate(t testing.TB, to string) *gate {
	t.Helper()
	g := &gate{addr: freeAddr(t), to: to, conns: map[net.Conn]struct{}{}}
	require.NoError(t, g.open())
	t.Cleanup(g.shut)
	return g
}

func (g *gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ln != nil {
		return nil
	}
	ln, err := net.Listen("tcp", g.addr)
	if err != nil {
		return err
	}
	g.ln = ln
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go g.carry(conn)
		}
	}()
	return nil
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ln == nil {
		return
	}
	_ = g.ln.Close()
	g.ln = nil
	for conn := range g.conns {
		_ = conn.Close()
	}
}

// keep notes a connection that shut must cut, and reports whether the gate is open.
func (g *gate) keep(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ln == nil {
		_ = conn.Close()
		return false
	}
	g.conns[conn] = struct{}{}
	return true
}

func (g *gate) drop(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, conn)
	_ = conn.Close()
}

func (g *gate) carry(in net.Conn) {
	out, err := net.Dial("tcp", g.to)
	if err != nil {
		_ = in.Close()
		return
	}
	if !g.keep(in) || !g.keep(out) {
		_ = in.Close()
		_ = out.Close()
		return
	}
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		done <- struct{}{}
	}
	go pass(in, out)
	go pass(out, in)
	<-done
	g.drop(in)
	g.drop(out)
	<-done
}
