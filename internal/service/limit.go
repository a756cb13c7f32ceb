package service

import (
	"io"
	"net"
	"sync"
	"time"
)

// LimitConnections returns a listener that keeps at most limit connections of another one open. It answers those beyond
// with 503 and Retry-After, and closes them: left in the kernel's queue they would wait without an answer, and without
// any limit they would use up memory and file descriptors, which Kafka and the lane stores need too. refused is called
// for each of them; nil means that nobody counts. A limit of zero means none.
func LimitConnections(ln net.Listener, limit int, refused func()) net.Listener {
	if limit <= 0 {
		return ln
	}
	if refused == nil {
		refused = func() {}
	}
	return &limitedListener{
		Listener: ln, open: make(chan struct{}, limit), parting: make(chan struct{}, maxParting), refused: refused,
	}
}

// limitedListener is the listener of LimitConnections.
type limitedListener struct {
	net.Listener

	open    chan struct{} // A token for each open connection.
	parting chan struct{} // A token for each refused connection whose client is still reading the answer.
	refused func()
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.open <- struct{}{}:
			return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.open })}, nil
		default:
			l.refused()
			l.refuse(conn)
		}
	}
}

// The answer to a connection beyond the limit, and how long its client may take to read it. It is the problem document
// of a server that has read nothing of a request, so that other instances know that nothing was executed.
const (
	tooManyConnections = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n" +
		"Retry-After: 1\r\nConnection: close\r\nContent-Length: 168\r\n\r\n" + tooManyBody
	tooManyBody = `{"type":"urn:orderledger:problem:unavailable","title":"Temporarily unavailable","status":503,` +
		`"detail":"too many connections","errorCode":"DEPENDENT_SYSTEM_CALL_FAILED"}`
	partingTime = 500 * time.Millisecond
	maxParting  = 64
)

// refuse answers a connection and closes it. It does not block.
func (l *limitedListener) refuse(conn net.Conn) {
	// So short an answer fits into the kernel's buffer.
	_ = conn.SetDeadline(time.Now().Add(partingTime))
	_, _ = io.WriteString(conn, tooManyConnections)
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		_ = conn.Close()
		return
	}
	select {
	case l.parting <- struct{}{}:
	default:
		_ = conn.Close() // In a flood the answer is a courtesy that some do not get.
		return
	}
	// Closing while the request is still unread resets the connection, and its client would lose the answer.
	go func() {
		defer func() { <-l.parting }()
		_ = tcp.CloseWrite()
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 64<<10))
		_ = conn.Close()
	}()
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn

	release func()
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite lets net/http end the connection so that its client reads the last answer.
func (c *limitedConn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}
