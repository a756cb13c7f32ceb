package clickhouse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
)

// The protocol revisions: the server announces serverRevision. Later revisions add packets that clients don't need;
// clients older than minRevision send queries in another form.
const (
	serverRevision = 54460
	minRevision    = 54429
)

// helloTimeout is how long a client may take for its hello.
const helloTimeout = 30 * time.Second

// acceptPause is the pause after a failed accept, which mostly means that the process has no free descriptors.
const acceptPause = 50 * time.Millisecond

func (s *Server) acceptNative() {
	for {
		conn, err := s.native.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.log.LogAttrs(context.Background(), slog.LevelWarn, "connection not accepted", slog.Any("err", err))
			<-time.After(acceptPause) // Closing the listener ends the next Accept.
			continue
		}
		c := &client{conn: conn}
		if !s.enter(c) {
			s.turnAway(conn)
			continue
		}
		go s.serveNative(c)
	}
}

// turnAway refuses a client because there are too many.
func (s *Server) turnAway(conn net.Conn) {
	go func() {
		defer func() { _ = conn.Close() }()
		_ = conn.SetDeadline(time.Now().Add(helloTimeout))
		n := newNativeConn(s, &client{conn: conn})
		if _, err := n.packet.hello(); err == nil {
			_ = n.exception(refuse(codeTooMany, "Too many simultaneous sessions. Maximum: %d", s.cfg.MaxSessions))
		}
	}()
}

func (s *Server) serveNative(c *client) {
	defer s.leave(c)
	defer func() { _ = c.conn.Close() }()
	n := newNativeConn(s, c)
	defer n.spool.reset()
	err := n.serve()
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
	default:
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "client dropped",
			slog.String("client", c.conn.RemoteAddr().String()), slog.Any("err", err))
	}
}

// nativeConn serves one native connection.
type nativeConn struct {
	server   *Server
	client   *client
	session  *session
	revision revision

	raw    *bufio.Reader // the bytes from the client
	packet packetReader  // reads packets from raw
	blocks *bufio.Reader // the content of compressed frames in raw
	out    proto.Buffer  // packets that are not sent yet

	compressor *compress.Writer
	result     []byte // a block for the client, before compression
	toEngine   *walker
	toClient   *walker
	spool      spool
	samples    sampleCache
}

func newNativeConn(s *Server, c *client) *nativeConn {
	raw := bufio.NewReaderSize(c.conn, decodeBuffer)
	n := &nativeConn{server: s, client: c, raw: raw, packet: packetReader{r: raw}}
	n.spool.limit = s.cfg.MaxMemoryInsertBytes
	if s.folder != nil {
		n.spool.tmp = s.folder.tmp
	}
	return n
}

func (n *nativeConn) serve() error {
	if err := n.hello(); err != nil {
		return err
	}
	n.toEngine, n.toClient = newWalker(n.revision, 0), newWalker(0, n.revision)
	for {
		code := n.packet.uvarint()
		if n.packet.err != nil {
			return n.packet.err
		}
		var err error
		switch proto.ClientCode(code) {
		case proto.ClientCodePing:
			proto.ServerCodePong.Encode(&n.out)
			err = n.flush()
		case proto.ClientCodeQuery:
			if !n.client.begin() {
				return nil
			}
			err = n.query()
			if !n.client.end() {
				return err
			}
		case proto.ClientCodeCancel:
			// The query to cancel has already ended.
		default:
			err = fmt.Errorf("unexpected packet %d", code)
		}
		if err != nil {
			return err
		}
	}
}

func (n *nativeConn) hello() error {
	// A silent client must not hold a session for ever.
	if err := n.client.conn.SetDeadline(time.Now().Add(helloTimeout)); err != nil {
		return err
	}
	h, err := n.packet.hello()
	if err != nil {
		return err
	}
	if h.revision < minRevision {
		return errors.Join(n.exception(refuse(codeNotImplemented, "The client's protocol is too old")), io.EOF)
	}
	n.revision = revision(min(serverRevision, h.revision))
	if err := n.server.authenticate(h.user, h.password); err != nil {
		return errors.Join(n.exception(err), io.EOF)
	}
	if n.session, err = n.server.newSession(h.database); err != nil {
		return errors.Join(n.exception(err), io.EOF)
	}
	n.client.adopt(n.session)
	answer := proto.ServerHello{
		Name: "ClickHouse", DisplayName: "orderledger", Timezone: n.server.timezone, Revision: serverRevision,
		Major: n.server.version[0], Minor: n.server.version[1], Patch: n.server.version[2],
	}
	answer.EncodeAware(&n.out, int(n.revision))
	if err := n.flush(); err != nil {
		return err
	}
	if proto.FeatureAddendum.In(int(n.revision)) {
		n.packet.str(maxField) // the quota key
	}
	if n.packet.err != nil {
		return n.packet.err
	}
	return n.client.conn.SetDeadline(time.Time{})
}

func (n *nativeConn) flush() error {
	_, err := n.client.conn.Write(n.out.Buf)
	n.out.Reset()
	return err
}

// exception answers with an error.
func (n *nativeConn) exception(err error) error {
	proto.ServerCodeException.Encode(&n.out)
	(&proto.Exception{Code: proto.Error(codeOf(err)), Name: "DB::Exception", Message: err.Error()}).
		EncodeAware(&n.out, int(n.revision))
	return n.flush()
}
