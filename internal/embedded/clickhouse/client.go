package clickhouse

import (
	"net"
	"sync"
)

// client is a native connection or a running HTTP request, with what stopping the server needs.
type client struct {
	conn net.Conn // nil for an HTTP request, which is always busy

	mu       sync.Mutex // protects all below
	session  *session   // nil before the hello
	busy     bool       // a statement is running
	stopping bool
}

// enter registers a client, or reports false when the server is full or stopping.
func (s *Server) enter(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || len(s.open) >= s.cfg.MaxSessions {
		return false
	}
	s.open[c] = struct{}{}
	s.clients.Add(1)
	s.metrics.clients.Inc()
	return true
}

// leave removes a client and closes its session.
func (s *Server) leave(c *client) {
	c.mu.Lock()
	ses := c.session
	c.session = nil
	c.mu.Unlock()
	if ses != nil {
		ses.close()
	}
	s.mu.Lock()
	delete(s.open, c)
	s.mu.Unlock()
	s.metrics.clients.Dec()
	s.clients.Done()
}

func (c *client) adopt(ses *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = ses
}

// begin records the start of a statement. It reports false when the server is stopping.
func (c *client) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = !c.stopping
	return c.busy
}

// end records the end of the statement. It reports false when the server is stopping.
func (c *client) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	return !c.stopping
}

// stopIdle ends an idle client now, and a busy one after its statement.
func (c *client) stopIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	if !c.busy && c.conn != nil {
		_ = c.conn.Close()
	}
}

// abort ends the client at once and kills its statement.
func (c *client) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		c.session.kill()
	}
	if c.conn != nil {
		_ = c.conn.Close()
	}
}
