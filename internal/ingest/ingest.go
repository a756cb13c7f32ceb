package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/internal/documents"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/returns"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
)

// Deps are the dependencies of an instance. It closes none of them.
type Deps struct {
	// Options are the broker options of every client, as kafka.Options gives them.
	Options []kgo.Opt
	// Journal decides commands; the caller runs it. It must decode with marketplace.Decode under the same settings, and
	// judge with the policy of the same sellers.
	Journal *journal.Journal
	// Peers asks the other instances. Nil means that there are none: then calls for lanes that are not here are 503.
	Peers *peer.Client
	// ClickHouse is the read model. Nil means that reads answer 503.
	ClickHouse driver.Conn
	// Lookups is the pool of connections with which calls find returns and services. It should be one of its own: slow
	// searches occupy all connections of theirs. Nil means ClickHouse.
	Lookups driver.Conn
	// Disks watches the brokers' disks; the caller runs it. Nil means that nobody does.
	Disks *kafka.Disks
	// Sellers are the sellers in force, for a file that is reloaded. Nil means those of the Config, for ever.
	Sellers *sellers.Live
	// Log gets one line per request and outcome. Nil means none.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
	// Now is the clock for signatures and reception. Nil means time.Now.
	Now func() time.Time
}

// Ingest is one instance. Many goroutines may use its methods.
type Ingest struct {
	cfg       Config
	log       *slog.Logger
	http      *httpx.Server
	journal   *journal.Journal
	states    states
	inbox     *journal.Inbox
	producer  *kgo.Client
	peers     *peer.Server
	returns   *returns.Returns
	documents *documents.Documents
	guard     *tablesGuard
	disks     *disks
	handler   http.Handler
	// operations are the routes of HandleOperations.
	operations map[string]httpx.Handler
	patterns   []string // Of the routes of handler, for the test that goes through all of them.

	listening chan struct{} // Closed once addr is valid.
	addr      string
	closing   sync.Once
}

// New returns an instance that does nothing until its units run; its handler answers from the start.
func New(cfg Config, d Deps) (*Ingest, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Journal == nil {
		return nil, errors.New("ingest: a journal is needed")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Lookups == nil {
		d.Lookups = d.ClickHouse
	}
	server, err := httpx.New(d.Log, d.Registerer)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	server.LimitBodies(cfg.BodyBytes)
	inbox, err := journal.NewInbox(cfg.Lanes, d.Options...)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	producer, err := kgo.NewClient(append(slices.Clone(d.Options), kafka.ManualPartitions(), kafka.BoundedProducer())...)
	if err != nil {
		inbox.Close()
		return nil, fmt.Errorf("ingest client: %w", err)
	}
	i := &Ingest{
		cfg: cfg, log: d.Log, http: server, journal: d.Journal, states: states{d.ClickHouse},
		inbox: inbox, producer: producer, listening: make(chan struct{}),
	}
	if err := i.wire(d); err != nil {
		i.Close()
		return nil, fmt.Errorf("ingest: %w", err)
	}
	return i, nil
}

// wire makes the parts and the handlers that use them.
func (i *Ingest) wire(d Deps) error {
	cfg, live, admin := i.cfg, d.Sellers, kadm.NewClient(i.producer)
	if live == nil {
		live = sellers.NewLive(cfg.Sellers)
	}
	m, err := newMetrics(d.Registerer)
	if err != nil {
		return err
	}
	peers := peer.Deps{
		Journal: d.Journal, Client: d.Peers, HTTP: i.http.ForPeers(), Log: d.Log, Registerer: d.Registerer, Now: d.Now,
		Cluster: cfg.Cluster, Lanes: cfg.Lanes, Marketplace: cfg.Marketplace,
		MaxBodyBytes: cfg.MaxBodyBytes, CommandTimeout: cfg.CommandTimeout, MaxConnections: cfg.MaxConnections,
	}
	router, err := peer.NewRouter(cfg.Peers, peers)
	if err != nil {
		return err
	}
	if i.peers, err = peer.NewServer(cfg.Peers, peers); err != nil {
		return err
	}
	if i.returns, err = returns.New(returns.Config{
		Cluster: cfg.Cluster, Lanes: cfg.Lanes, Dir: cfg.ResolverDir, Limit: cfg.UnresolvedLimit,
		AppendTimeout: cfg.NotificationTimeout, InstanceID: cfg.InstanceID, SessionTimeout: cfg.SessionTimeout,
		Marketplace: cfg.Marketplace,
	}, returns.Deps{
		Options: d.Options, Producer: i.producer, Inbox: i.inbox, Log: d.Log, Registerer: d.Registerer, Now: d.Now,
	}); err != nil {
		return err
	}
	if i.documents, err = documents.New(documents.Config{
		Cluster: cfg.Cluster, Dir: cfg.BlobDir, Currency: cfg.Marketplace.Currency, SubmitTimeout: cfg.CommandTimeout,
		InstanceID: cfg.InstanceID, SessionTimeout: cfg.SessionTimeout,
	}, documents.Deps{
		Options: d.Options, Submitter: router, Sellers: live, Log: d.Log, Registerer: d.Registerer,
	}); err != nil {
		return err
	}
	a := &access{
		sellers: live, operators: cfg.OperatorToken, perSecond: rate.Limit(cfg.RatePerSecond), burst: cfg.Burst,
		limiters: map[string]*rate.Limiter{},
	}
	i.guard = &tablesGuard{admin: admin, conn: d.ClickHouse, cluster: cfg.Cluster, ledgerID: cfg.LedgerID}
	i.disks = &disks{kafka: d.Disks, folders: []string{d.Journal.StoreDir(), cfg.ResolverDir, cfg.BlobDir}, log: d.Log}
	if err := i.disks.register(d.Registerer); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	parts := newWatcher(admin, cfg.Cluster, cfg.Lanes, cfg.PositionTimeout, i.guard)
	h := &handlers{
		access: a, disks: i.disks,
		notifications: &notifications{
			disks: i.disks, live: live, inbox: i.inbox, returns: i.returns, settings: cfg.Marketplace, maxBody: cfg.MaxBodyBytes,
			timeout: cfg.NotificationTimeout, window: cfg.SignatureWindow, publicURL: cfg.PublicURL, now: d.Now,
			counted: m.notifications,
		},
		commands: &commands{
			access: a, disks: i.disks, router: router, states: states{d.Lookups}, settings: cfg.Marketplace,
			maxBody: cfg.MaxBodyBytes, timeout: cfg.CommandTimeout, readTimeout: cfg.ReadTimeout, watcher: parts,
			lookupTimeout: cfg.LookupTimeout, log: d.Log, counted: m.commands,
		},
		reads: &reads{
			states: i.states, documents: i.documents, settings: cfg.Marketplace, maxBody: cfg.MaxBodyBytes,
			timeout: cfg.ReadTimeout, watcher: parts,
		},
		progress: &progress{admin: admin, cluster: cfg.Cluster, lanes: cfg.Lanes, guard: i.guard},
	}
	i.handler, i.operations, i.patterns = h.routes(i.http), h.operations(), h.patterns
	switch directory := live.Current(); {
	case directory.Open():
		i.log.Warn("intake open, notifications need no credential")
	case !directory.Protects():
		i.log.Warn("notifications refused, no seller has a credential")
	}
	return nil
}

// Handler returns all routes.
func (i *Ingest) Handler() http.Handler { return i.handler }

// PeerHandler returns the routes for other instances. Without secrets it refuses every request.
func (i *Ingest) PeerHandler() http.Handler { return i.peers.Handler() }

// Units returns the instance's units in the order in which to start them; they stop in the reverse order. So an
// instance hands its lanes over while it still serves everything, then ends HTTP, then the workers, then the listener
// for other instances. Run the journal before all of them and stop it after.
func (i *Ingest) Units() []service.Unit {
	var units []service.Unit
	several := i.cfg.Peers.Addr != ""
	if several {
		units = append(units, service.Unit{Name: "peers", Run: i.peers.Serve})
	}
	if i.cfg.Workers {
		units = append(units, i.documents.Units()...)
		units = append(units, i.returns.Units()...)
	}
	units = append(units, service.Unit{Name: "http", Run: i.serve})
	if several {
		units = append(units, service.Unit{Name: "handover", Run: i.peers.HandOver})
	}
	return units
}

// Addr returns the address of the listener, once it listens. It returns an error if ctx ends before.
func (i *Ingest) Addr(ctx context.Context) (string, error) {
	select {
	case <-i.listening:
		return i.addr, nil
	case <-ctx.Done():
		return "", fmt.Errorf("ingest address: %w", ctx.Err())
	}
}

// errHandingOver is the readiness of an instance that is about to stop.
var errHandingOver = errors.New("handing over: other instances are taking the lanes")

var errNoReadModel = errors.New("this instance has no read model")

// Ready returns nil if the instance can take notifications and commands, and is not about to stop. The read model does
// not count: without it notifications and most commands are taken.
func (i *Ingest) Ready(ctx context.Context) error {
	if i.http.Draining() {
		return errHandingOver
	}
	if err := i.disks.check(ctx); err != nil {
		return err
	}
	return i.journal.Accepting()
}

// ReadyReads returns nil if the instance can answer reads, and is not about to stop.
func (i *Ingest) ReadyReads(ctx context.Context) error {
	switch {
	case i.http.Draining():
		return errHandingOver
	case i.states.conn == nil:
		return errNoReadModel
	}
	if err := i.states.conn.Ping(ctx); err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	if err := i.guard.state(ctx); err != nil {
		return fmt.Errorf("read model: %w", err)
	}
	return nil
}

// HandleReadiness mounts the checks besides /readyz: /readyz/reads, and /readyz/lanes/N for each lane.
func (i *Ingest) HandleReadiness(a *service.Admin) {
	a.HandleReady("/readyz/reads", func(r *http.Request) error { return i.ReadyReads(r.Context()) })
	a.HandleReady("/readyz/lanes/{lane}", func(r *http.Request) error {
		lane, err := strconv.ParseInt(r.PathValue("lane"), 10, 32)
		if err != nil {
			return fmt.Errorf("lane %q: want a number", r.PathValue("lane"))
		}
		return i.journal.LaneReady(int32(lane))
	})
}

// HandleOperations mounts GET /progress and GET /decisions/summary, which ask for no token there, and POST
// /lanes/{lane}/retry. Use it for an address that only operators reach.
func (i *Ingest) HandleOperations(a *service.Admin) {
	i.handleLanes(a)
	for pattern, fn := range i.operations {
		a.Handle(pattern, i.http.Handle(pattern, problems(fn)))
	}
}

// Close closes the clients. The units must have ended. It may be called more than once.
func (i *Ingest) Close() {
	i.closing.Do(func() {
		i.inbox.Close()
		i.producer.Close()
	})
}

// serve listens until ctx ends, and then finishes the requests in hand.
func (i *Ingest) serve(ctx context.Context) error {
	if i.cfg.Addr == "" {
		<-ctx.Done()
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", i.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	i.addr = ln.Addr().String()
	close(i.listening)
	i.log.InfoContext(ctx, "ingest listening", slog.String("addr", i.addr))
	return service.Serve(ctx, &http.Server{
		Handler: i.handler,
		// Bodies are small, so a client that needs longer only holds a connection.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		// More than the slowest answer takes, so that a problem document can still be written.
		WriteTimeout:   i.cfg.CommandTimeout + i.cfg.PositionTimeout + i.cfg.ReadTimeout + 20*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(i.log.Handler(), slog.LevelDebug),
	}, service.LimitConnections(ln, i.cfg.MaxConnections, i.http.ConnectionRefused))
}
