package clickhouse

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// metrics counts the work of the server. With a nil registerer nobody reads them.
type metrics struct {
	reg        prometheus.Registerer
	queries    *prometheus.CounterVec
	rows       prometheus.Counter
	clients    prometheus.Gauge
	collectors []prometheus.Collector
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		reg: reg,
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_embedded_clickhouse_queries_total",
			Help: "Statements by protocol front end (native, http), kind, and result (ok, refused, broken).",
		}, []string{"front", "kind", "result"}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "orderledger_embedded_clickhouse_inserted_rows_total",
			Help: "Rows written, including those of materialized views.",
		}),
		clients: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "orderledger_embedded_clickhouse_clients",
			Help: "Open native connections and running HTTP requests.",
		}),
	}
	m.collectors = []prometheus.Collector{m.queries, m.rows, m.clients}
	return m
}

// register is called when the server starts, so that New has no effect.
func (m *metrics) register() error {
	if m.reg == nil {
		return nil
	}
	var errs []error
	for _, c := range m.collectors {
		errs = append(errs, m.reg.Register(c))
	}
	return errors.Join(errs...)
}

func (m *metrics) unregister() {
	if m.reg == nil {
		return
	}
	for _, c := range m.collectors {
		m.reg.Unregister(c)
	}
}

// served counts a statement by its outcome.
func (m *metrics) served(front string, k kind, err error) {
	result := "ok"
	var refused *engine.Error
	switch {
	case errors.As(err, &refused):
		result = "refused"
	case err != nil:
		result = "broken"
	}
	m.queries.WithLabelValues(front, k.String(), result).Inc()
}
