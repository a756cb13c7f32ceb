package ingest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The headers of our own.
const (
	HeaderCorrelationID  = "X-Correlation-ID"
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderPosition       = "Ledger-Position"
	HeaderIfPosition     = "If-Position-At-Least"
)

// call is one request on its way through: what every handler needs of it, and what its log line will say.
type call struct {
	w http.ResponseWriter
	r *http.Request
	// seller is who calls; nil for notifications.
	seller        *seller
	correlationID string
	traceParent   string
	status        int
	attrs         []slog.Attr
}

type handler func(ctx context.Context, c *call) error

// note adds an attribute to the log line of the request.
func (c *call) note(attrs ...slog.Attr) { c.attrs = append(c.attrs, attrs...) }

// json answers with a JSON document.
func (c *call) json(status int, body []byte) {
	c.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	c.bytes(status, body)
}

func (c *call) bytes(status int, body []byte) {
	c.status = status
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // A caller that has gone needs no answer.
}

// body reads the whole body, up to the limit.
func (c *call) body(limit int64) ([]byte, error) {
	var buf bytes.Buffer
	// What the caller says of the length is believed as far as it costs little: reading into a slice that grows copies
	// each body three times.
	buf.Grow(int(min(max(c.r.ContentLength, 0), maxBodyAhead)) + bytes.MinRead)
	if _, err := buf.ReadFrom(http.MaxBytesReader(c.w, c.r.Body, limit)); err != nil {
		if p := problemOf(err); p.Type == problemTooLarge {
			return nil, p
		}
		return nil, newProblem(problemUnreadable, "the body ended early").because(err)
	}
	return buf.Bytes(), nil
}

// maxBodyAhead is the most that is allocated for a body before any of it has come.
const maxBodyAhead = 64 << 10

// handle wraps a handler: correlation, one log line, metrics, problems and the end of a panic. route is the pattern,
// for labels: never the path itself, which callers make.
func (g *Ingest) handle(route string, h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		c := &call{w: w, r: r, correlationID: printable(r.Header.Get(HeaderCorrelationID)), traceParent: printable(r.Header.Get("traceparent"))}
		if c.correlationID == "" {
			c.correlationID = uuid.NewString()
		}
		w.Header().Set(HeaderCorrelationID, c.correlationID)
		if g.handing.Load() {
			w.Header().Set("Connection", "close") // The next request finds another instance, and not a door that closes.
		}
		ctx := r.Context()
		level := slog.LevelInfo
		if err := g.guarded(ctx, h, c); err != nil {
			p := problemOf(err)
			c.status = p.Status
			c.note(p.attrs()...)
			if p.Status >= http.StatusInternalServerError {
				level = slog.LevelError
			}
			p.write(w, c.correlationID)
		}
		took := time.Since(started)
		g.metrics.request(route, c.status, took)
		c.note(
			slog.String("route", route), slog.Int("status", c.status), slog.Int64("duration_ms", took.Milliseconds()),
			slog.String("correlation_id", c.correlationID),
		)
		if c.seller != nil {
			c.note(slog.String("seller_id", c.seller.ID))
		}
		g.log.LogAttrs(ctx, level, "request handled", c.attrs...)
	})
}

// guarded runs a handler and turns a panic into an error: one request must not end the process and all others with it.
func (g *Ingest) guarded(ctx context.Context, h handler, c *call) (err error) {
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // It is a sentinel that net/http compares so.
				panic(v)
			}
			err = newProblem(problemInternal, "see the log of this request").because(panicError{v, debug.Stack()})
		}
	}()
	return h(ctx, c)
}

// asSeller lets a handler run for the seller whose token the request bears.
func (g *Ingest) asSeller(h handler) handler {
	return func(ctx context.Context, c *call) error {
		scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return newProblem(problemUnauthorized, "an Authorization header with a bearer token is needed")
		}
		if c.seller = g.sellers.authenticate(strings.TrimSpace(token)); c.seller == nil {
			return newProblem(problemUnauthorized, "the token is not valid")
		}
		if wait := g.limits.take(c.seller.ID, time.Now()); wait > 0 {
			return newProblem(problemBusy, "the seller's rate is used up").retryAfter(wait)
		}
		return h(ctx, c)
	}
}

// printable returns a header that may go on into logs and records: bounded, and without control characters.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r > 0x7e {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 128)]
}
