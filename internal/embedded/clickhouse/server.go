package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// Server is an embedded ClickHouse server. Its methods are safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics

	library *engine.Library
	folder  *folder
	base    *engine.Conn // keeps the engine running and serves the queries of the front itself
	baseMu  sync.Mutex   // a connection runs one statement at a time
	engineInfo

	statements atomic.Int64 // numbers statements
	// ddl counts statements that may have changed a table, and so invalidate cached columns.
	ddl atomic.Int64

	listeners
	clients sync.WaitGroup // connections and requests

	mu sync.Mutex // protects all below
	lifecycle
	open map[*client]struct{}
}

// engineInfo holds the engine's answers to prepare.
type engineInfo struct {
	knownSettings map[string]bool
	timezone      string
	version       [3]int
}

// listeners are the two fronts.
type listeners struct {
	native, web net.Listener
	httpServer  *http.Server
	fronts      sync.WaitGroup // accept loops
	failed      chan error
}

// lifecycle records the calls of Start and Close.
type lifecycle struct {
	started, closing bool
	closed           chan struct{} // closed when Close is done
	err              error         // of Close
}

// New returns a server that does nothing until Start. The registerer may be nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) *Server {
	return &Server{
		cfg: cfg.withDefaults(), log: log, metrics: newMetrics(reg),
		listeners: listeners{failed: make(chan error, 2)},
		lifecycle: lifecycle{closed: make(chan struct{})},
		open:      map[*client]struct{}{},
	}
}

// Start opens the data folder, checks it after an unclean stop, and listens. The server is ready when Start returns.
// After an error nothing stays open. A server starts once.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	if s.started || s.closing {
		s.mu.Unlock()
		return errors.New("start clickhouse: the server was already started or closed")
	}
	s.started = true
	s.mu.Unlock()
	if err := s.start(ctx); err != nil {
		return errors.Join(fmt.Errorf("start clickhouse: %w", err), s.Close())
	}
	return nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.cfg.Validate(); err != nil {
		return err
	}
	if err := s.metrics.register(); err != nil {
		return err
	}
	path := s.cfg.Library
	if path == "" {
		var err error
		if path, err = engine.Locate(); err != nil {
			return err
		}
	}
	var err error
	if s.library, err = engine.Open(path); err != nil {
		return err
	}
	if s.folder, err = openFolder(s.cfg.DataDir, s.cfg.TempDir, s.library.Version()); err != nil {
		return err
	}
	if s.base, err = s.library.Connect(s.folder.engine, s.engineOptions()...); err != nil {
		return err
	}
	if s.folder.unclean {
		if err := check(ctx, s.base, s.log); err != nil {
			return err
		}
	}
	s.folder.checked = true
	if err := s.prepare(); err != nil {
		return err
	}
	return s.listen(ctx)
}

// prepare asks the engine for what the front needs to know, and creates the database.
func (s *Server) prepare() error {
	names, err := rowsOf(s.base, "SELECT name FROM system.settings")
	if err != nil {
		return fmt.Errorf("list the settings: %w", err)
	}
	s.knownSettings = make(map[string]bool, len(names))
	for _, n := range names {
		s.knownSettings[n[0]] = true
	}
	about, err := rowsOf(s.base, "SELECT version(), timezone()")
	if err != nil {
		return fmt.Errorf("read the version: %w", err)
	}
	s.timezone = about[0][1]
	if _, err := fmt.Sscanf(about[0][0], "%d.%d.%d", &s.version[0], &s.version[1], &s.version[2]); err != nil {
		return fmt.Errorf("version %q: %w", about[0][0], err)
	}
	if s.cfg.Database == "" {
		return nil
	}
	if err := s.base.Exec("CREATE DATABASE IF NOT EXISTS " + quoteName(s.cfg.Database)); err != nil {
		return fmt.Errorf("create database %s: %w", s.cfg.Database, err)
	}
	return nil
}

func (s *Server) listen(ctx context.Context) error {
	var lc net.ListenConfig
	var err error
	if s.native, err = lc.Listen(ctx, "tcp", s.cfg.NativeAddr); err != nil {
		return err
	}
	if s.cfg.HTTPAddr != "" {
		if s.web, err = lc.Listen(ctx, "tcp", s.cfg.HTTPAddr); err != nil {
			return err
		}
		s.serveHTTP()
	}
	s.fronts.Go(s.acceptNative)
	s.log.LogAttrs(ctx, slog.LevelInfo, "clickhouse ready", slog.String("version", s.library.Version()),
		slog.String("native", s.NativeAddr()), slog.String("http", s.HTTPAddr()), slog.String("folder", s.folder.dir))
	return nil
}

// EngineVersion returns the version of the engine as its library names it, "" before Start.
func (s *Server) EngineVersion() string {
	if s.library == nil {
		return ""
	}
	return s.library.Version()
}

// NativeAddr returns the address of the native protocol, "" before Start.
func (s *Server) NativeAddr() string { return addrOf(s.native) }

// HTTPAddr returns the address of HTTP, "" before Start and without HTTP.
func (s *Server) HTTPAddr() string { return addrOf(s.web) }

func addrOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// Run starts the server unless it is started, serves until the context ends or HTTP fails, and closes the server.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started {
		if err := s.Start(ctx); err != nil {
			return err
		}
	}
	var err error
	select {
	case <-ctx.Done():
	case <-s.closed:
	case err = <-s.failed:
	}
	return errors.Join(err, s.Close())
}

// Close stops listening, waits for running queries, kills those that take longer than StopTimeout, and closes the
// engine. It may be called at any time and more than once; every call returns the same error.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		<-s.closed
		return s.err
	}
	s.closing = true
	for c := range s.open {
		c.stopIdle()
	}
	s.mu.Unlock()
	s.err = s.stop()
	close(s.closed)
	return s.err
}

// killGrace is how long Close waits for killed queries.
const killGrace = 10 * time.Second

func (s *Server) stop() error {
	var errs []error
	for _, l := range []net.Listener{s.native, s.web} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if s.httpServer != nil {
		// Shutdown ends idle connections at once and the others after their request, for which stop waits below.
		s.fronts.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), s.cfg.StopTimeout)
			defer cancel()
			if err := s.httpServer.Shutdown(ctx); err != nil {
				_ = s.httpServer.Close()
			}
		})
	}
	idle := make(chan struct{})
	go func() {
		s.clients.Wait()
		close(idle)
	}()
	clean := waitFor(idle, s.cfg.StopTimeout)
	if !clean {
		s.killAll()
		clean = waitFor(idle, killGrace)
	}
	s.fronts.Wait()
	if !clean {
		// Closing the engine during a statement would wait for it, or crash.
		errs = append(errs, errors.New("stop clickhouse: a killed query did not end, so the engine stays open"))
	} else if s.base != nil {
		s.base.Close()
	}
	if s.folder != nil {
		errs = append(errs, s.folder.close(clean && s.folder.checked))
	}
	s.metrics.unregister()
	return errors.Join(errs...)
}

func waitFor(done <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func (s *Server) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.abort()
	}
}

// killStatement ends the statement with a number. It does nothing when the statement has just ended.
func (s *Server) killStatement(n int64) {
	s.baseMu.Lock()
	defer s.baseMu.Unlock()
	if err := s.base.Exec("KILL QUERY WHERE startsWith(query, " + quoteText(commentOf(n)) + ") ASYNC"); err != nil {
		s.log.LogAttrs(context.Background(), slog.LevelWarn, "query not killed", slog.Any("err", err))
	}
}
