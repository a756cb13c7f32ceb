package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/time/rate"

	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/service"
)

// Deps are what an instance is given. It closes none of them.
type Deps struct {
	// Options are the broker options of every client, as kafka.Options gives them.
	Options []kgo.Opt
	// Journal decides commands; its own Run is the caller's. It must decode with Decode and judge with the policy of the
	// same sellers.
	Journal *journal.Journal
	// Peers asks the other instances. Nil means that there are none: then calls for lanes that are not here are 503.
	Peers *Peers
	// ClickHouse is the read model. Nil means that reads answer 503.
	ClickHouse driver.Conn
	// Log gets one line per request and outcome. Nil means none.
	Log *slog.Logger
	// Registerer gets the metrics. Nil means none.
	Registerer prometheus.Registerer
	// Now is the clock for signatures and reception. Nil means time.Now.
	Now func() time.Time
}

// Ingest is one instance. Its methods may be used by many goroutines.
type Ingest struct {
	cfg       Config
	log       *slog.Logger
	now       func() time.Time
	metrics   *metrics
	limits    *limits
	sellers   *Sellers
	journal   *journal.Journal
	inbox     *journal.Inbox
	producer  *kgo.Client
	admin     *kadm.Client
	watcher   *watcher
	states    states
	documents *documents
	options   []kgo.Opt
	reg       prometheus.Registerer
	router    *router
	handler   http.Handler
	peers     http.Handler
	peerKeys  peerKeys
	handing   atomic.Bool // Lanes are being given to other instances.

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
	m, err := newMetrics(d.Registerer)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	inbox, err := journal.NewInbox(cfg.Lanes, d.Options...)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	producer, err := kgo.NewClient(append(append([]kgo.Opt{}, d.Options...), kafka.ManualPartitions())...)
	if err != nil {
		inbox.Close()
		return nil, fmt.Errorf("ingest client: %w", err)
	}
	g := &Ingest{
		cfg: cfg, log: d.Log, now: d.Now, metrics: m, limits: newLimits(cfg.RatePerSecond, cfg.Burst),
		sellers: NewSellers(cfg.Sellers), journal: d.Journal, inbox: inbox, producer: producer, admin: kadm.NewClient(producer),
		states: states{d.ClickHouse}, documents: &documents{dir: cfg.BlobDir, currency: cfg.Marketplace.Currency},
		options: d.Options, reg: d.Registerer, listening: make(chan struct{}),
	}
	g.watcher = newWatcher(g.admin, cfg.Cluster)
	g.router = &router{
		journal: d.Journal, peers: d.Peers, self: cfg.Peers.URL, lanes: cfg.Lanes, patient: cfg.Peers.AttemptTimeout,
		log: d.Log, metrics: m, seldom: rate.Sometimes{Interval: time.Second},
	}
	g.peerKeys = peerKeys{cfg.Cluster, cfg.Peers.Secrets}
	g.handler, g.peers = g.routes(), g.peerRoutes()
	return g, nil
}

// Handler returns everything that is served.
func (g *Ingest) Handler() http.Handler { return g.handler }

// PeerHandler returns what is served to other instances; without secrets it refuses everything.
func (g *Ingest) PeerHandler() http.Handler { return g.peers }

// Units returns the instance's units in the order of their start, which is the reverse of that of their stopping: lanes
// are handed over while everything is served, then HTTP ends, then the workers, then what other instances ask. The
// journal must run before and stop after all of them.
func (g *Ingest) Units() []service.Unit {
	var units []service.Unit
	several := g.cfg.Peers.Addr != ""
	if several {
		units = append(units, service.Unit{Name: "peers", Run: g.servePeers})
	}
	if g.cfg.Workers {
		packing := &packer{g: g}
		aliases := &aliaser{g: g}
		resolving := &resolver{g: g}
		units = append(units,
			service.Unit{Name: "packing", Run: packing.Run},
			service.Unit{Name: "aliases", Run: aliases.Run},
			service.Unit{Name: "resolver", Run: resolving.Run},
		)
	}
	units = append(units, service.Unit{Name: "http", Run: g.serve})
	if several {
		units = append(units, service.Unit{Name: "handover", Run: g.handOver})
	}
	return units
}

// member are the options of a worker in its group. The client's own session timeout, 45 seconds, would keep what a
// killed instance was working on from the others for as long.
func (g *Ingest) member(group string) []kgo.Opt {
	opts := []kgo.Opt{kgo.ConsumerGroup(group), kgo.SessionTimeout(g.cfg.SessionTimeout)}
	if g.cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(g.cfg.InstanceID))
	}
	return opts
}

// Addr returns the address in use, once there is one.
func (g *Ingest) Addr(ctx context.Context) (string, error) {
	select {
	case <-g.listening:
		return g.addr, nil
	case <-ctx.Done():
		return "", fmt.Errorf("ingest address: %w", ctx.Err())
	}
}

// Ready returns nil when the instance can take notifications and commands, and is not about to stop.
func (g *Ingest) Ready(ctx context.Context) error {
	if g.handing.Load() {
		return errHanding
	}
	if err := g.journal.Ready(); err != nil {
		return err
	}
	if g.states.conn != nil {
		if err := g.states.conn.Ping(ctx); err != nil {
			return fmt.Errorf("read model: %w", err)
		}
	}
	return nil
}

// Close gives clients back. The units must have ended. It may be called more than once.
func (g *Ingest) Close() {
	g.closing.Do(func() {
		g.inbox.Close()
		g.producer.Close()
	})
}

// serve listens until ctx ends, then finishes the requests in hand.
func (g *Ingest) serve(ctx context.Context) error {
	if g.cfg.Addr == "" {
		<-ctx.Done()
		return nil
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", g.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	g.addr = ln.Addr().String()
	close(g.listening)
	g.log.InfoContext(ctx, "ingest listening", slog.String("addr", g.addr))
	return service.Serve(ctx, &http.Server{
		Handler: g.handler,
		// Bodies are small: who needs longer for one holds a connection and nothing else.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		// Above the longest answer, so that a problem document can still be written.
		WriteTimeout:   g.cfg.CommandTimeout + g.cfg.PositionTimeout + 20*time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}, ln)
}

// routes is the table of what is served. Paths are the marketplace's own, below /sellers, so that its clients work with
// another base URL; where its pages disagree on a method, both are served.
func (g *Ingest) routes() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, h handler) { mux.Handle(pattern, g.handle(pattern, h)) }
	onSeller := func(pattern string, h handler) { on(pattern, g.asSeller(h)) }
	onRead := func(pattern string, h handler) { onSeller(pattern, g.reading(h)) }

	on("POST /notifications", g.notify)
	on("POST /notifications/{seller}", g.notify)

	for _, action := range marketplace.Actions() {
		onSeller("POST /sellers"+action.Path, g.act(action))
	}
	onSeller("POST /sellers/v3/shipments/{id}/update", g.update)

	onRead("GET /sellers/v3/shipments", g.find)
	onRead("POST /sellers/v3/shipments/filter", g.search)
	onRead("POST /sellers/v3/shipments/filter/{$}", g.search)
	onRead("GET /sellers/v3/shipments/filter", g.next)
	onRead("GET /sellers/v3/shipments/filter/{$}", g.next)
	onRead("GET /sellers/v3/shipments/{ids}", g.details)
	onRead("GET /sellers/v3/shipments/{ids}/labels", g.labels(marketplace.MaxShipmentIDs))
	onRead("POST /sellers/v3/shipments/{ids}/labelOnly/pdf", g.labels(marketplace.MaxLabelOnlyIDs))
	onRead("GET /sellers/v3/shipments/{ids}/labelOnly/pdf", g.labels(marketplace.MaxLabelOnlyIDs))
	onRead("POST /sellers/v3/shipments/{ids}/labelOnly", g.labelOnly)
	onRead("GET /sellers/v3/shipments/{ids}/labelOnly", g.labelOnly)
	onRead("GET /sellers/v3/shipments/{ids}/invoices", g.invoices)
	onRead("GET /sellers/v3/shipments/{ids}/forms", g.forms)
	onRead("POST /sellers/v3/shipments/{ids}/forms", g.forms)

	on("GET /progress", g.progress)
	on("GET /decisions/summary", g.summary)
	on("/", func(_ context.Context, c *call) error {
		if allowed := otherMethods(mux, c.r); len(allowed) > 0 {
			c.w.Header().Set("Allow", strings.Join(allowed, ", "))
			return newProblem(problemMethod, c.r.URL.Path+" takes "+strings.Join(allowed, " and "))
		}
		return newProblem(problemNotFound, "nothing is served at "+c.r.Method+" "+c.r.URL.Path)
	})
	return mux
}

// otherMethods are those that the path is served with.
func otherMethods(mux *http.ServeMux, r *http.Request) []string {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	return allowed
}
