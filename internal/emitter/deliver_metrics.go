package emitter

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const metricsPrefix = "orderledger_emitter_"

// deliverMetrics counts what happens; levels are asked for when somebody scrapes (levelCollector), so that keeping them
// costs the hot path nothing.
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
			Name: metricsPrefix + "attempts_total", Help: "Requests sent, by endpoint and what the answer meant.",
		}, []string{"endpoint", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: metricsPrefix + "attempt_duration_seconds", Help: "Time from sending a request to its answer.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"endpoint"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "deliveries_total", Help: "Messages that got through, by endpoint and event type.",
		}, []string{"endpoint", "event_type"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "skipped_total",
			Help: "Records read and not sent: not taken by the endpoint, delivered before, a repeat, or malformed.",
		}, []string{"endpoint", "reason"}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "commits_total", Help: "Commits of partitions, by endpoint and result.",
		}, []string{"endpoint", "result"}),
		outcomesLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricsPrefix + "outcomes_lost_total", Help: "Attempts that could not be written to the deliveries topic.",
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

// levels is one look at an endpoint's state.
type levels struct {
	lag                               int64
	pending, inFlight, ready, waiting int
	oldest                            time.Duration
}

// levelCollector asks the couriers of a deliverer for their levels.
type levelCollector struct {
	of                                             *Deliverer
	lag, pending, inFlight, ready, waiting, oldest *prometheus.Desc
}

func newLevelCollector(of *Deliverer) *levelCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(metricsPrefix+name, help, []string{"endpoint"}, nil)
	}
	return &levelCollector{
		of:       of,
		lag:      desc("lag_records", "Offsets between what is done without gaps and the end of the log."),
		pending:  desc("pending", "Messages in memory that are not delivered yet."),
		inFlight: desc("in_flight", "Requests without an answer yet."),
		ready:    desc("lanes_ready", "Suborders that wait for a slot."),
		waiting:  desc("lanes_waiting", "Suborders that wait to be tried again."),
		oldest:   desc("oldest_waiting_seconds", "How long the longest failing suborder has been failing."),
	}
}

// Describe implements prometheus.Collector.
func (l *levelCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{l.lag, l.pending, l.inFlight, l.ready, l.waiting, l.oldest} {
		out <- desc
	}
}

// Collect implements prometheus.Collector. An endpoint that does not run has no levels.
func (l *levelCollector) Collect(out chan<- prometheus.Metric) {
	for _, c := range l.of.couriers {
		var now levels
		if !c.running.Load() || !c.do(func() { now = c.levels(time.Now()) }) {
			continue
		}
		gauge := func(desc *prometheus.Desc, value float64) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, c.endpoint.Name)
		}
		gauge(l.lag, float64(now.lag))
		gauge(l.pending, float64(now.pending))
		gauge(l.inFlight, float64(now.inFlight))
		gauge(l.ready, float64(now.ready))
		gauge(l.waiting, float64(now.waiting))
		gauge(l.oldest, now.oldest.Seconds())
	}
}
