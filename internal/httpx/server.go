package httpx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
)

// Handler answers through the call, or returns why it cannot.
type Handler func(ctx context.Context, c *Call) error

// Server runs handlers. Several listeners of a process may share one; they also share its metrics.
type Server struct {
	log      *slog.Logger
	metrics  *metrics
	bodies   bodyBudget
	refused  string // The label of bodies beyond the budget.
	draining *atomic.Bool
}

// New returns a server that logs to log and exports its metrics to reg. Nil for either means none.
func New(log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	s := &Server{log: log, metrics: m, refused: "bodies", draining: new(atomic.Bool)}
	s.bodies.limit.Store(DefaultBodyBytes)
	return s, nil
}

// LimitBodies sets the memory that all bodies together may take. Zero means DefaultBodyBytes.
func (s *Server) LimitBodies(bytes int64) { s.bodies.limit.Store(cmp.Or(bytes, DefaultBodyBytes)) }

// ForPeers returns a server for requests of other instances. It shares everything with s, except for the memory of
// bodies, of which it has as much again: clients that fill that of s must not cut the instances off from each other.
func (s *Server) ForPeers() *Server {
	p := &Server{log: s.log, metrics: s.metrics, refused: "peer_bodies", draining: s.draining}
	p.bodies.limit.Store(s.bodies.limit.Load())
	return p
}

// bodyRefused counts a body that did not fit into the budget.
func (s *Server) bodyRefused() { s.metrics.refused.WithLabelValues(s.refused).Inc() }

// ConnectionRefused counts a connection that a listener of this server did not take.
func (s *Server) ConnectionRefused() { s.metrics.refused.WithLabelValues("connections").Inc() }

// Drain ends every connection with its next answer, so that clients turn to other instances before this one closes its
// listener. It may be called more than once.
func (s *Server) Drain() { s.draining.Store(true) }

// Draining reports whether Drain was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// Handle wraps a handler. route is the pattern that it is registered under; it labels the request in logs and metrics.
// The path would not do: callers could make any number of labels with it.
func (s *Server) Handle(route string, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		c := &Call{
			Writer: w, Request: r,
			CorrelationID: Printable(r.Header.Get(HeaderCorrelationID)),
			TraceParent:   Printable(r.Header.Get("traceparent")),
			body:          reservation{budget: &s.bodies, refused: s.bodyRefused},
		}
		defer c.body.release()
		if c.CorrelationID == "" {
			c.CorrelationID = uuid.NewString()
		}
		w.Header().Set(HeaderCorrelationID, c.CorrelationID)
		if s.Draining() {
			w.Header().Set("Connection", "close")
		}
		ctx := r.Context()
		// A busy instance would write thousands of lines a second about requests with which nothing is wrong. The metrics
		// count them, and the ledger has their correlation ids.
		level := slog.LevelDebug
		if err := run(ctx, h, c); err != nil {
			p := asProblem(err)
			c.status = p.Status
			c.Note(p.attrs()...)
			level = slog.LevelInfo
			// A client that has left ends its request; that is not a fault of the service.
			left := errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, context.Canceled)
			switch {
			case left:
			case p.Status == http.StatusInternalServerError:
				level = slog.LevelError // A mistake of ours.
			case p.Status > http.StatusInternalServerError:
				level = slog.LevelWarn // A server is away, or something is not there yet: a repeat helps.
			}
			p.write(w, c.CorrelationID)
		}
		took := time.Since(started)
		s.metrics.request(route, c.status, took)
		c.Note(
			slog.String("route", route), slog.Int("status", c.status), slog.Int64("duration_ms", took.Milliseconds()),
			slog.String("correlation_id", c.CorrelationID),
		)
		s.log.LogAttrs(ctx, level, "request handled", c.attrs...)
	})
}

// run calls a handler and turns a panic into an error: one request must not end the process and all others with it.
func run(ctx context.Context, h Handler, c *Call) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // It is a sentinel that net/http compares so.
				panic(v)
			}
			err = Internal.New("see the log of this request").Because(panicError{v, debug.Stack()})
		}
	}()
	return h(ctx, c)
}

// panicError is a panic as an error, with its stack.
type panicError struct {
	value any
	stack []byte
}

func (e panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }
