package ingest

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the counters of this package; httpx, peer, returns and documents have their own.
type metrics struct {
	notifications *prometheus.CounterVec
	commands      *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_notifications_total",
			Help: "Notifications by destination: inbox, unresolved or refused.",
		}, []string{"to"}),
		commands: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_ingest_commands_total",
			Help: "Items of seller calls by action and result: accepted or rejected.",
		}, []string{"action", "result"}),
	}
	if reg == nil {
		return m, nil
	}
	if err := errors.Join(reg.Register(m.notifications), reg.Register(m.commands)); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}
