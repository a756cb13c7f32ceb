package pubsub

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what became of messages. All Subscribers on one registerer
// share them.
type metrics struct {
	messages *prometheus.CounterVec
	errors   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orderledger_pubsub_messages_total",
			Help: "Messages handed out, by topic and by what became of them: acked, nacked, or abandoned with their partition.",
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
		var there prometheus.AlreadyRegisteredError
		err := reg.Register(*c)
		if errors.As(err, &there) {
			if vec, ok := there.ExistingCollector.(*prometheus.CounterVec); ok {
				*c, err = vec, nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}
