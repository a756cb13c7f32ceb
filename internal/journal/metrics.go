package journal

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// metrics holds one field for each metric, and so more fields than other structs.
type metrics struct {
	batches    *prometheus.CounterVec // By result: committed, aborted, unknown.
	inputs     prometheus.Histogram
	commit     prometheus.Histogram
	decisions  *prometheus.CounterVec // By outcome.
	tooLarge   prometheus.Counter
	leftOut    prometheus.Counter
	events     prometheus.Counter
	takeovers  *prometheus.CounterVec // By result: opened, failed.
	takeover   prometheus.Histogram
	releases   *prometheus.CounterVec // By result: asked, unanswered.
	followed   prometheus.Gauge
	standbyLag *prometheus.GaugeVec
	rebuilds   prometheus.Counter
	repaired   *prometheus.CounterVec // By how: voided, restored, marker.
	open       prometheus.Gauge
	owned      prometheus.Gauge
	inboxLag   *prometheus.GaugeVec
	waiting    *prometheus.GaugeVec
	damaged    *prometheus.GaugeVec
	// waitingReads counts reads of the decisions for the content of waiting inputs.
	waitingReads prometheus.Counter
	collectors   []prometheus.Collector
}

const namespace = "orderledger_journal"

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		batches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "batches_total", Help: "Transactions of lanes, by result.",
		}, []string{"result"}),
		inputs: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "batch_inputs", Help: "Inputs decided in one transaction.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 12),
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "commit_seconds",
			Help:    "Time from the first record of a transaction to its confirmed commit.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16),
		}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "decisions_total", Help: "Decisions recorded, by outcome.",
		}, []string{"outcome"}),
		tooLarge: counter("too_large_total",
			"Notifications quarantined because the shipment would be too large to be recorded."),
		leftOut: counter("left_out_total", "Parts of notifications that were left out because they make no sense."),
		events:  counter("events_total", "Events recorded."),
		takeovers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "takeovers_total", Help: "Attempts to take a lane over, by result.",
		}, []string{"result"}),
		takeover: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "takeover_seconds",
			Help:    "Time from asking the last owner to release a lane, or from the fence, to the open lane.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 16),
		}),
		releases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "releases_asked_total",
			Help: "Requests to last owners to release a lane before its fence, by result.",
		}, []string{"result"}),
		followed: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "standby_lanes", Help: "Lanes of other instances that have a standby here.",
		}),
		standbyLag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Name: "standby_lag", Help: "Offsets of a lane's events that its standby has not read yet.",
		}, []string{"lane"}),
		rebuilds: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "store_rebuilds_total", Help: "Lane stores rebuilt from the lane.",
		}),
		repaired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "torn_decisions_total",
			Help: "Decisions of torn transactions repaired, and lost markers written.",
		}, []string{"how"}),
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "lanes_open", Help: "Lanes that this instance serves.",
		}),
		owned: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "lanes_assigned", Help: "Lanes that the group assigns to this instance.",
		}),
		inboxLag: laneGauge("inbox_lag", "Inbox records of a lane that are not decided yet."),
		waiting:  laneGauge("waiting", "Facts of a lane whose shipment is not known yet."),
	}
	m.damaged = laneGauge("damaged", "1 for a lane that this instance found damaged: it waits for orderledger lane retry.")
	m.waitingReads = counter("waiting_reads_total", "Reads of the decisions for facts that waited.")
	m.createSeries()
	m.collectors = []prometheus.Collector{
		m.batches, m.inputs, m.commit, m.decisions, m.tooLarge, m.leftOut, m.events, m.takeovers, m.takeover, m.releases,
		m.followed, m.standbyLag, m.rebuilds, m.repaired, m.open, m.owned, m.inboxLag, m.waiting,
		m.damaged, m.waitingReads,
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range m.collectors {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// createSeries makes all series of the labels whose values are known. Alerts watch their increase, which misses the
// first step of a series that appears late.
func (m *metrics) createSeries() {
	for _, o := range []ledgerv1.Outcome{1, 2, 3, 4, 5, 6, 7} {
		m.decisions.WithLabelValues(outcomeLabel(o))
	}
	for _, result := range []string{"aborted", "unknown", "committed"} {
		m.batches.WithLabelValues(result)
	}
	for _, result := range []string{"opened", "failed"} {
		m.takeovers.WithLabelValues(result)
	}
	for _, how := range []string{"marker", "voided", "restored"} {
		m.repaired.WithLabelValues(how)
	}
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func laneGauge(name, help string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, []string{"lane"})
}

func outcomeLabel(o ledgerv1.Outcome) string {
	switch o {
	case ledgerv1.Outcome_OUTCOME_ACCEPTED:
		return "accepted"
	case ledgerv1.Outcome_OUTCOME_REJECTED:
		return "rejected"
	case ledgerv1.Outcome_OUTCOME_APPLIED:
		return "applied"
	case ledgerv1.Outcome_OUTCOME_DUPLICATE:
		return "duplicate"
	case ledgerv1.Outcome_OUTCOME_STALE:
		return "stale"
	case ledgerv1.Outcome_OUTCOME_WAITING:
		return "waiting"
	case ledgerv1.Outcome_OUTCOME_QUARANTINED:
		return "quarantined"
	case ledgerv1.Outcome_OUTCOME_UNSPECIFIED:
	}
	return "unspecified"
}
