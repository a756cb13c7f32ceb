package emitter

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const metricsPrefix = "orderledger_emitter_"

// deliverMetrics holds the counters. Gauges are computed when they are scraped (levelCollector), so they cost nothing
// on the hot path.
type deliverMetrics struct {
	attempts     *prometheus.CounterVec
	duration     *prometheus.HistogramVec
	deliveries   *prometheus.CounterVec
	skipped      *prometheus.CounterVec
	commits      *prometheus.CounterVec
	outcomesLost prometheus.Counter
}

func newDeliverMetrics(reg prometheus.Registerer, levels prometheus.Collector) (*deliverMetrics, error) {
	m := &deliverMetrics{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "attempts_total", Help: "Requests sent, by endpoint and outcome.",
		}, []string{"endpoint", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: metricsPrefix + "attempt_duration_seconds", Help: "Time from sending a request to the end of its response.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"endpoint"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "deliveries_total", Help: "Messages answered with 2xx, by endpoint and event type.",
		}, []string{"endpoint", "event_type"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "skipped_total",
			Help: "Records read but not sent: out of the endpoint's scope, of a shipment imported as history, of a suborder " +
				"before its start, not taken by its filter, delivered before, repeated, or malformed.",
		}, []string{"endpoint", "reason"}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "commits_total", Help: "Commits of positions, by endpoint and result.",
		}, []string{"endpoint", "result"}),
		outcomesLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricsPrefix + "outcomes_lost_total",
			Help: "Outcomes of attempts that could not be written to suborders.deliveries.v1.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.attempts, m.duration, m.deliveries, m.skipped, m.commits, m.outcomesLost, levels,
	} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register delivery metrics: %w", err)
		}
	}
	return m, nil
}

// levels are the current values of the gauges of one endpoint.
type levels struct {
	lag                               int64
	pending, inFlight, ready, waiting int
	oldest                            time.Duration
}

// levelCollector collects the levels of the endpoint workers.
type levelCollector struct {
	deliverer                                                    *Deliverer
	lag, pending, inFlight, ready, waiting, oldest, startPending *prometheus.Desc
}

func newLevelCollector(d *Deliverer) *levelCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(metricsPrefix+name, help, []string{"endpoint"}, nil)
	}
	return &levelCollector{
		deliverer: d,
		lag:       desc("lag_records", "Offsets from the watermark to the end of the log."),
		pending:   desc("pending", "Messages in memory that are not delivered yet."),
		inFlight:  desc("in_flight", "Requests in flight."),
		ready:     desc("queues_ready", "Suborder queues that wait for a slot."),
		waiting:   desc("queues_waiting", "Suborder queues that wait for a retry."),
		startPending: desc("start_pending",
			"1 while the endpoint gets nothing because its start is not committed: see the log; otherwise 0."),
		oldest: desc("oldest_waiting_seconds", "How long the suborder that has been failing longest has been failing."),
	}
}

// Describe implements prometheus.Collector.
func (l *levelCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{l.lag, l.pending, l.inFlight, l.ready, l.waiting, l.oldest, l.startPending} {
		out <- desc
	}
}

// Collect implements prometheus.Collector. A worker that is not running has no levels.
func (l *levelCollector) Collect(out chan<- prometheus.Metric) {
	for _, w := range l.deliverer.workers {
		var now levels
		if !w.running.Load() || !w.do(func() { now = w.levels(time.Now()) }) {
			continue
		}
		gauge := func(desc *prometheus.Desc, value float64) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, w.endpoint.Name)
		}
		gauge(l.lag, float64(now.lag))
		gauge(l.pending, float64(now.pending))
		gauge(l.inFlight, float64(now.inFlight))
		gauge(l.ready, float64(now.ready))
		gauge(l.waiting, float64(now.waiting))
		gauge(l.oldest, now.oldest.Seconds())
		pending := 0.0
		if w.startState.problem.Load() != nil {
			pending = 1
		}
		gauge(l.startPending, pending)
	}
}
