package ingest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// metrics are what ingest counts. All of it works without a registerer.
type metrics struct {
	requests      *prometheus.CounterVec
	durations     *prometheus.HistogramVec
	notifications *prometheus.CounterVec
	commands      *prometheus.CounterVec
	packed        *prometheus.CounterVec
	resolved      *prometheus.CounterVec
	forwarded     *prometheus.CounterVec
	forwarding    *prometheus.HistogramVec
	retries       *prometheus.CounterVec
	peerRefused   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_requests_total", Help: "HTTP requests by route and status.",
		}, []string{"route", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orderledger_ingest_request_duration_seconds", Help: "How long HTTP requests took, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_notifications_total", Help: "Notifications by what was done with them: inbox, unresolved or refused.",
		}, []string{"to"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_commands_total", Help: "Items of seller calls by action and result: accepted, repeated, rejected, unreadable or unknown.",
		}, []string{"action", "result"}),
		packed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_packings_total", Help: "Documents rendered by the packing worker, by what the ledger said: accepted, stale or rejected.",
		}, []string{"outcome"}),
		resolved: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_resolved_total", Help: "Notifications of returns by how their shipment was found: at_once, later or never.",
		}, []string{"how"}),
		forwarded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_forwarded_total",
			Help: "Commands handed to the instance that owns their lane, by what came back: answered; not_owner, lane_moving, fenced, in_doubt or invalid; lost, refused or unreachable.",
		}, []string{"result"}),
		forwarding: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orderledger_ingest_forward_seconds", Help: "How long requests to other instances took: answered, lost, refused or unreachable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"result"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_retries_total",
			Help: "Commands that were tried again, by why: not_owner, lane_moving, fenced, in_doubt, lost, refused, unreachable or no_way.",
		}, []string{"reason"}),
		peerRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_peer_requests_refused_total", Help: "Requests at the listener for other instances whose signature was not good: unsigned, old or wrong.",
		}, []string{"reason"}),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.durations, m.notifications, m.commands, m.packed, m.resolved, m.forwarded, m.forwarding, m.retries, m.peerRefused,
	} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
}

// panicError is a panic as an error, with its stack.
type panicError struct {
	value any
	stack []byte
}

func (e panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// limits bounds the calls of each seller. The sellers are those of the configuration, so the map is bounded too.
type limits struct {
	perSecond rate.Limit
	burst     int
	mu        sync.Mutex
	sellers   map[string]*rate.Limiter // Guarded by mu.
}

func newLimits(perSecond float64, burst int) *limits {
	return &limits{perSecond: rate.Limit(perSecond), burst: burst, sellers: map[string]*rate.Limiter{}}
}

// take returns how long the seller must wait; zero means that the call may go on.
func (l *limits) take(sellerID string, now time.Time) time.Duration {
	if l.perSecond <= 0 {
		return 0
	}
	l.mu.Lock()
	limiter := l.sellers[sellerID]
	if limiter == nil {
		limiter = rate.NewLimiter(l.perSecond, l.burst)
		l.sellers[sellerID] = limiter
	}
	l.mu.Unlock()
	r := limiter.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait
	}
	return 0
}
