package peer

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/service"
)

// The paths of the listener for other instances.
const (
	pathCommands = "/peer/v1/commands"
	pathLanes    = "/peer/v1/lanes/"
	pathRelease  = "/release"
)

// refused is the problem for a request without a valid signature. It has no code of the marketplace, because the
// marketplace's clients don't use this listener.
//
//nolint:gochecknoglobals // A constant.
var refused = httpx.Kind{
	Name: "peer_refused", Status: http.StatusUnauthorized, Title: "Invalid signature of a peer",
}

// Server answers other instances.
type Server struct {
	cfg     Config
	deps    Deps
	keys    keys
	refused *prometheus.CounterVec
	handler http.Handler
}

// NewServer returns a server that does nothing until Serve runs; its handler answers from the start. Without secrets it
// refuses every request.
func NewServer(cfg Config, d Deps) (*Server, error) {
	cfg, d = cfg.WithDefaults(), d.withDefaults()
	s := &Server{cfg: cfg, deps: d, keys: keys{d.Cluster, cfg.Secrets}}
	var err error
	if s.refused, err = newRefusedMetric(d.Registerer); err != nil {
		return nil, fmt.Errorf("peer server: %w", err)
	}
	mux := http.NewServeMux()
	on := func(pattern string, limit int64, h signedHandler) {
		mux.Handle(pattern, d.HTTP.Handle(pattern, s.signed(limit, h)))
	}
	on("POST "+pathCommands, d.MaxBodyBytes+maxHeadBytes+4, s.commands)
	on("POST "+pathLanes+"{lane}"+pathRelease, 0, s.release)
	s.handler = mux
	return s, nil
}

// Handler returns the routes for other instances.
func (s *Server) Handler() http.Handler { return s.handler }

// signedHandler answers a request with a valid signature.
type signedHandler func(ctx context.Context, c *httpx.Call, body []byte) error

// signed lets a handler run only for requests that another instance has signed.
func (s *Server) signed(limit int64, h signedHandler) httpx.Handler {
	return func(ctx context.Context, c *httpx.Call) error {
		refuse := func(err error) error {
			s.refused.WithLabelValues(refusalLabel(err)).Inc()
			return refused.New(err.Error()).Because(err)
		}
		if err := s.keys.checkTime(c.Request.Header, s.deps.Now()); err != nil {
			return refuse(err)
		}
		body, err := c.Body(limit)
		if err != nil {
			return err
		}
		if err := s.keys.checkSignature(c.Request.Header, c.Request.Method, c.Request.URL.Path, body); err != nil {
			return refuse(err)
		}
		return h(ctx, c, body)
	}
}

// commands decides the commands of a call whose lanes are here. It forwards none of them: the sender's router knows
// what else to try, and two instances that each take the other for the owner would forward them in circles.
func (s *Server) commands(ctx context.Context, c *httpx.Call, body []byte) error {
	f, err := decodeForward(body)
	if err != nil {
		return httpx.Unreadable.New(err.Error()).Because(err)
	}
	ctx, cancel := context.WithTimeout(ctx, min(f.timeout(), s.deps.CommandTimeout))
	defer cancel()
	c.CorrelationID = httpx.Printable(f.CorrelationID)
	c.Note(slog.String("action", f.Action), slog.Int("items", len(f.Commands)))
	return c.Respond(s.decide(ctx, f))
}

func (s *Server) decide(ctx context.Context, f *forward) []forwardedResult {
	out := make([]forwardedResult, len(f.Commands))
	read, unreadable := marketplace.ReadCall(f.Action, f.PathID, f.body, s.deps.Marketplace)
	var commands []journal.Command
	var at []int
	for i, one := range f.Commands {
		command, err := journal.Command{}, unreadable
		if err == nil {
			command, err = f.command(one, read)
		}
		if err != nil {
			out[i] = forwardedResult{Error: reasonVersions, Detail: err.Error()}
			continue
		}
		commands, at = append(commands, command), append(at, i)
	}
	for n, r := range s.deps.Journal.SubmitAll(ctx, commands) {
		out[at[n]] = toWire(r)
	}
	return out
}

// release finishes a lane that the sender is about to take over.
func (s *Server) release(ctx context.Context, c *httpx.Call, _ []byte) error {
	text := c.Request.PathValue("lane")
	lane, err := strconv.ParseInt(text, 10, 32)
	if err != nil || lane < 0 || int(lane) >= s.deps.Lanes {
		return httpx.NotFound.New("there is no lane " + text)
	}
	c.Note(slog.Int("lane", int(lane)))
	if err := s.deps.Journal.Release(ctx, int32(lane)); err != nil {
		return httpx.Unavailable.New("the lane is not released").Because(err)
	}
	c.Bytes(http.StatusNoContent, nil)
	return nil
}

// Serve listens for other instances until ctx ends.
func (s *Server) Serve(ctx context.Context) error {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.deps.Log.InfoContext(ctx, "peers listening", slog.String("addr", ln.Addr().String()))
	return service.Serve(ctx, &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      s.deps.CommandTimeout + 20*time.Second,
		// Longer than the client's, so that the client ends a connection and never sends into one that is closing.
		IdleTimeout:    2 * idleTimeout,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
	}, service.LimitConnections(ln, s.deps.MaxConnections, s.deps.HTTP.ConnectionRefused))
}

// HandOver waits until ctx ends and then hands the lanes over to other instances, while everything is still served:
// calls that arrive in the meantime go to the new owners. Register it last, so that it is the first unit to stop.
func (s *Server) HandOver(ctx context.Context) error {
	<-ctx.Done()
	s.deps.HTTP.Drain()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.HandOverTimeout)
	defer cancel()
	if err := s.deps.Journal.HandOver(ctx); err != nil {
		// Not fatal: the others take the lanes over when the group misses this instance. That is slower and as safe.
		s.deps.Log.WarnContext(ctx, "lanes not handed over", slog.Any("err", err))
	}
	return nil
}
