package projector

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/events"
)

// metrics holds the projector's metrics. Run creates and registers them, so that New has no effect on the registry.
type metrics struct {
	rows         *prometheus.CounterVec
	batches      *prometheus.CounterVec
	insert       *prometheus.HistogramVec
	insertErrors *prometheus.CounterVec
	retries      *prometheus.CounterVec
	lag          *prometheus.GaugeVec
	queryable    prometheus.Histogram
	deadLetters  *prometheus.CounterVec
	lost         prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		opts := prometheus.CounterOpts{Namespace: "orderledger", Subsystem: "projector", Name: name, Help: help}
		return prometheus.NewCounterVec(opts, labels)
	}
	m := &metrics{
		rows:    counter("rows_total", "Rows inserted, including repetitions that ClickHouse dropped.", "table"),
		batches: counter("batches_total", "Batches written to all tables.", "topic"),
		insert: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "orderledger", Subsystem: "projector", Name: "insert_seconds", Help: "Duration of inserts.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 13),
		}, []string{"table"}),
		insertErrors: counter("insert_errors_total", "Inserts that failed and were retried.", "table"),
		retries:      counter("retries_total", "Steps that failed and were retried.", "step"),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "orderledger", Subsystem: "projector", Name: "lag_records",
			Help: "Offsets between the position and the end of a partition.",
		}, []string{"topic", "partition"}),
		queryable: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "orderledger", Subsystem: "projector", Name: "event_to_queryable_seconds",
			Help:    "Time from the recording of the oldest event of a batch until the batch is in all tables.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 16),
		}),
		deadLetters: counter("dead_letters_total", "Records that could not be decoded.", "topic"),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "orderledger", Subsystem: "projector", Name: "partitions_lost_total",
			Help: "Partitions lost while a batch was being written, because the broker refused the commit.",
		}),
	}
	// Alerts watch the increase of these series, which misses the first step of a series that appears late.
	for _, write := range newBatch().writes() {
		m.insertErrors.WithLabelValues(write.table.Name)
	}
	for _, topic := range []string{events.TopicEvents, events.TopicDecisions} {
		m.deadLetters.WithLabelValues(topic)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{
		m.rows, m.batches, m.insert, m.insertErrors, m.retries, m.lag, m.queryable, m.deadLetters, m.lost,
	} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) inserted(table string, rows int, took time.Duration) {
	m.rows.WithLabelValues(table).Add(float64(rows))
	m.insert.WithLabelValues(table).Observe(took.Seconds())
}

func (m *metrics) applied(topic string, partition int32, dead int, lag int64) {
	m.batches.WithLabelValues(topic).Inc()
	m.deadLetters.WithLabelValues(topic).Add(float64(dead))
	m.lag.WithLabelValues(topic, strconv.Itoa(int(partition))).Set(float64(lag))
}
