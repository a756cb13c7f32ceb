package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// AdminConfig says where the admin server listens.
type AdminConfig struct {
	// Addr is host:port to listen on. Empty serves nothing; port 0 takes a free one.
	Addr string
	// MaxConnections bounds the open connections. Zero means no bound, for an address that only operators reach.
	MaxConnections int
}

// Admin serves /metrics, /healthz, /readyz and /version, and the handlers that are mounted beside them. /healthz
// answers as soon as the process runs; only /readyz, and the checks of HandleReady, say whether it can work.
type Admin struct {
	cfg       AdminConfig
	log       *slog.Logger
	mux       *http.ServeMux
	rest      http.Handler  // Nil without one.
	listening chan struct{} // Closed once addr is valid.
	addr      string
}

// NewAdmin returns an admin server for the metrics of a gatherer. Ready returns an error that says why the program
// can't work now. Both may be nil.
func NewAdmin(
	cfg AdminConfig, log *slog.Logger, metrics prometheus.Gatherer, ready func(context.Context) error,
) *Admin {
	a := &Admin{cfg: cfg, log: log, mux: http.NewServeMux(), listening: make(chan struct{})}
	if metrics != nil {
		a.mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	}
	a.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	a.mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, Version()) })
	a.HandleReady("/readyz", func(r *http.Request) error {
		if ready == nil {
			return nil
		}
		return ready(r.Context())
	})
	return a
}

// HandleReady mounts a readiness check: 200, or 503 with the error. A program that does several things mounts one for
// each, so that a load balancer asks only about what it sends. It must be called before Run.
func (a *Admin) HandleReady(path string, ready func(*http.Request) error) {
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		// A server that hangs is not ready. Whoever asks would give up without learning the reason.
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := ready(r.WithContext(ctx)); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		text(w, http.StatusOK, "ok")
	})
}

// readyTimeout bounds a readiness check. Compose and Kubernetes wait 5 seconds or less.
const readyTimeout = 2 * time.Second

// Handle mounts a handler beside the others. It must be called before Run.
func (a *Admin) Handle(pattern string, h http.Handler) { a.mux.Handle(pattern, h) }

// HandleRest makes a handler answer every path that has no endpoint here, so that an API can share the address. It must
// be called before Run. Mounted at "/" of the same mux, it would also answer the wrong methods of our own paths, and
// say that nothing is there.
func (a *Admin) HandleRest(h http.Handler) { a.rest = h }

// HandleProfiles mounts /debug/pprof/, for an address that only operators reach: a profile costs CPU time. A profile
// contains names of functions, never customer data.
func (a *Admin) HandleProfiles() {
	a.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	a.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	a.mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// Handler returns all endpoints as one handler.
func (a *Admin) Handler() http.Handler {
	if a.rest == nil {
		return a.mux
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.serves(r) {
			a.mux.ServeHTTP(w, r) // Or answers 405, with the methods of the path in Allow.
			return
		}
		a.rest.ServeHTTP(w, r)
	})
}

// serves reports whether the path of a request has an endpoint here, with whatever method.
func (a *Admin) serves(r *http.Request) bool {
	for _, method := range []string{r.Method, http.MethodGet, http.MethodPost} {
		other := *r
		other.Method = method
		if _, pattern := a.mux.Handler(&other); pattern != "" {
			return true
		}
	}
	return false
}

// Unit returns the server as a unit named "admin".
func (a *Admin) Unit() Unit { return Unit{Name: "admin", Run: a.Run} }

// Addr waits for the server to listen and returns its address.
func (a *Admin) Addr(ctx context.Context) (string, error) {
	select {
	case <-a.listening:
		return a.addr, nil
	case <-ctx.Done():
		return "", fmt.Errorf("admin address: %w", ctx.Err())
	}
}

// Run serves until ctx ends, then gives open requests five seconds to finish. It may be called once.
func (a *Admin) Run(ctx context.Context) error {
	if a.cfg.Addr == "" {
		<-ctx.Done()
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	a.addr = ln.Addr().String()
	close(a.listening)
	a.log.InfoContext(ctx, "admin listening", slog.String("addr", a.addr))
	return Serve(ctx, &http.Server{
		Handler: a.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		// orderledger up serves its API here. A request that is refused before its body was read must not hold its
		// connection for as long as the client sends.
		ReadTimeout: 30 * time.Second,
	}, LimitConnections(ln, a.cfg.MaxConnections, nil))
}

// Serve runs an HTTP server on a listener until ctx ends, then stops accepting and gives open requests five seconds to
// finish. The contexts of requests end only after that, so that their work is not cut off.
func Serve(ctx context.Context, srv *http.Server, ln net.Listener) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv.BaseContext = func(net.Listener) context.Context { return base }
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(base, 5*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		cut()
		err = srv.Close()
	}
	<-served //nolint:errcheck // The error only says that the server was shut down.
	if err != nil {
		return fmt.Errorf("stop serving %s: %w", ln.Addr(), err)
	}
	return nil
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body+"\n") // A client that is gone needs no answer.
}
