package peer

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type routerMetrics struct {
	forwarded  *prometheus.CounterVec
	forwarding *prometheus.HistogramVec
	retries    *prometheus.CounterVec
}

func newRouterMetrics(reg prometheus.Registerer) (*routerMetrics, error) {
	m := &routerMetrics{
		forwarded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_forwarded_total",
			Help: "Commands forwarded to the instance that owns their lane, by result: answered; not_owner, lane_moving, " +
				"fenced, in_doubt, invalid or versions; lost, refused or unreachable.",
		}, []string{"result"}),
		forwarding: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "orderledger_ingest_forward_seconds",
			Help:    "Duration of requests to other instances, by result: answered, lost, refused or unreachable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"result"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_retries_total",
			Help: "Retries of commands by reason: not_owner, lane_moving, fenced, in_doubt, versions, lost, refused, " +
				"unreachable or owner_unreachable.",
		}, []string{"reason"}),
	}
	// Alerts watch the increase of these series, which misses the first step of a series that appears late.
	for _, reason := range []string{
		"not_owner", "lane_moving", "fenced", "in_doubt", "versions", "lost", "refused", "unreachable", "owner_unreachable",
	} {
		m.retries.WithLabelValues(reason)
	}
	if reg == nil {
		return m, nil
	}
	err := errors.Join(reg.Register(m.forwarded), reg.Register(m.forwarding), reg.Register(m.retries))
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

func newRefusedMetric(reg prometheus.Registerer) (*prometheus.CounterVec, error) {
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "orderledger_ingest_peer_requests_refused_total",
		Help: "Requests of other instances refused for their signature, by reason: unsigned, old or wrong.",
	}, []string{"reason"})
	for _, reason := range []string{"unsigned", "old", "wrong"} {
		refused.WithLabelValues(reason)
	}
	if reg == nil {
		return refused, nil
	}
	if err := reg.Register(refused); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return refused, nil
}
