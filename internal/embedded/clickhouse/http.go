package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// headerTimeout is how long an HTTP client may take over its headers.
const headerTimeout = 30 * time.Second

// serveHTTP starts the HTTP front on its listener.
func (s *Server) serveHTTP() {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Ok.\n") }
	mux.HandleFunc("/ping", ok)
	mux.HandleFunc("/replicas_status", ok) // there are no replicas to lag
	mux.HandleFunc("/{$}", s.handleQuery)
	s.httpServer = &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout}
	s.fronts.Go(func() {
		if err := s.httpServer.Serve(s.web); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.failed <- fmt.Errorf("serve clickhouse http: %w", err)
		}
	})
}

// handleQuery serves one request: one session, one statement.
func (s *Server) handleQuery(w http.ResponseWriter, r *http.Request) {
	h := &httpQuery{server: s, w: w, r: r, form: r.URL.Query()}
	if h.form.Get("query") == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	c := new(client)
	if !s.enter(c) {
		h.fail(refuse(codeTooMany, fmt.Sprintf("Code: 202. DB::Exception: Too many simultaneous queries. Maximum: %d. (TOO_MANY_SIMULTANEOUS_QUERIES)", s.cfg.MaxSessions)))
		return
	}
	defer s.leave(c)
	err := h.serve(c) //nolint:contextcheck // It outlives the context on purpose.
	s.metrics.served("http", h.kind, err)
	if err != nil {
		h.fail(err)
	}
}

// credentials takes the name and password from wherever ClickHouse takes them.
func (h *httpQuery) credentials() (user, password string) {
	if u, p, ok := h.r.BasicAuth(); ok {
		return u, p
	}
	if u := h.r.Header.Get("X-ClickHouse-User"); u != "" {
		return u, h.r.Header.Get("X-ClickHouse-Key")
	}
	return h.form.Get("user"), h.form.Get("password")
}

// statuses maps ClickHouse's codes to HTTP as a server does; all others are 500.
var statuses = map[int]int{ //nolint:gochecknoglobals // A table, or set once.
	codeAuthentication: http.StatusForbidden,
	codeTooMany:        http.StatusServiceUnavailable,
	codeNotImplemented: http.StatusNotImplemented,
	codeSyntax:         http.StatusBadRequest,
	6:                  http.StatusBadRequest, // can't parse text
	27:                 http.StatusBadRequest, // can't parse input
	38:                 http.StatusBadRequest, // can't parse date
	41:                 http.StatusBadRequest, // can't parse date and time
	47:                 http.StatusBadRequest, // unknown identifier
	50:                 http.StatusBadRequest, // unknown type
	53:                 http.StatusBadRequest, // type mismatch
	60:                 http.StatusNotFound,   // unknown table
	73:                 http.StatusNotFound,   // unknown format
	81:                 http.StatusNotFound,   // unknown database
	115:                http.StatusNotFound,   // unknown setting
	456:                http.StatusBadRequest, // unknown parameter
}

// fail answers with an error. When the answer has begun already, the error goes at its end, framed as ClickHouse does,
// and the connection ends without the mark of a whole answer.
func (h *httpQuery) fail(err error) {
	code := 1001
	var refused *engine.Error
	if errors.As(err, &refused) {
		code = refused.Code
	}
	if h.begun {
		message := err.Error()
		_, _ = fmt.Fprintf(h.body, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", exceptionTag, message, len(message)+1, exceptionTag)
		_ = h.finish() // The connection ends here anyway.
		_ = http.NewResponseController(h.w).Flush()
		panic(http.ErrAbortHandler)
	}
	header := h.w.Header()
	header.Del("Content-Encoding")
	header.Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	header.Set("Content-Type", "text/plain; charset=UTF-8")
	status, ok := statuses[code]
	if !ok {
		status = http.StatusInternalServerError
	}
	if code == codeAuthentication && h.r.Header.Get("Authorization") == "" && h.form.Get("user") == "" && h.r.Header.Get("X-ClickHouse-User") == "" {
		header.Set("WWW-Authenticate", `Basic realm="ClickHouse server HTTP API"`)
		status = http.StatusUnauthorized
	}
	h.w.WriteHeader(status)
	_, _ = io.WriteString(h.w, err.Error()+"\n")
}

// exceptionTag marks an exception at the end of an answer that had begun.
const exceptionTag = "orderledgerexcpt" // 16 bytes

// watchRequest kills the session's statement when the client goes away.
func (h *httpQuery) watchRequest(ses *session) (stop func()) {
	stopped := make(chan struct{})
	unwatch := context.AfterFunc(h.r.Context(), func() { ses.killUntil(stopped) })
	return func() {
		unwatch()
		close(stopped)
	}
}
