package pubsub

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count the outcomes of messages. All Subscribers on one registerer share them.
type metrics struct {
	messages *prometheus.CounterVec
	errors   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_pubsub_messages_total",
			Help: "Messages delivered to handlers, by topic and outcome: acked, nacked, or abandoned with their partition.",
		}, []string{"topic", "outcome"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_pubsub_errors_total",
			Help: "Errors of the Kafka client, by topic and operation: fetch or commit.",
		}, []string{"topic", "operation"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []**prometheus.CounterVec{&m.messages, &m.errors} {
		var registered prometheus.AlreadyRegisteredError
		err := reg.Register(*c)
		if errors.As(err, &registered) {
			if vec, ok := registered.ExistingCollector.(*prometheus.CounterVec); ok {
				*c, err = vec, nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}
