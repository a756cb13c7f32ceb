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
)

// headerTimeout is how long an HTTP client may take for its headers.
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
		err := s.httpServer.Serve(s.web)
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
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
		h.fail(refuse(codeTooMany, "Too many simultaneous queries. Maximum: %d", s.cfg.MaxSessions))
		return
	}
	defer s.leave(c)
	err := h.serve(c) //nolint:contextcheck // The engine takes no context; watchRequest kills the statement when it ends.
	s.metrics.served("http", h.kind, err)
	if err != nil {
		h.fail(err)
	}
}

// credentials reads the user and password from the same places as ClickHouse.
func (h *httpQuery) credentials() (user, password string) {
	if u, p, ok := h.r.BasicAuth(); ok {
		return u, p
	}
	if u := h.r.Header.Get("X-ClickHouse-User"); u != "" {
		return u, h.r.Header.Get("X-ClickHouse-Key")
	}
	return h.form.Get("user"), h.form.Get("password")
}

// statuses maps ClickHouse's codes to HTTP statuses as a server does; all other codes are 500.
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

// fail answers with an error. If part of the answer is already sent, fail appends the error in ClickHouse's frame and
// ends the connection without the last chunk, so that the client sees an incomplete answer.
func (h *httpQuery) fail(err error) {
	code := codeOf(err)
	if h.begun {
		message := err.Error()
		_, _ = fmt.Fprintf(h.body, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n",
			exceptionTag, message, len(message)+1, exceptionTag)
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
	anonymous := h.r.Header.Get("Authorization") == "" && h.form.Get("user") == "" &&
		h.r.Header.Get("X-ClickHouse-User") == ""
	if code == codeAuthentication && anonymous {
		header.Set("WWW-Authenticate", `Basic realm="ClickHouse server HTTP API"`)
		status = http.StatusUnauthorized
	}
	h.w.WriteHeader(status)
	_, _ = io.WriteString(h.w, err.Error()+"\n")
}

// exceptionTag frames an exception at the end of an answer that was partly sent.
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
