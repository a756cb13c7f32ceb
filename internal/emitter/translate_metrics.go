package emitter

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type translateMetrics struct {
	messages    *prometheus.CounterVec
	untold      prometheus.Counter
	deadLetters *prometheus.CounterVec
	notes       *prometheus.CounterVec
}

func newTranslateMetrics(reg prometheus.Registerer) (*translateMetrics, error) {
	m := &translateMetrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "translated_total",
			Help: "Messages made of events, repeats included, by event type of the suborder.",
		}, []string{"event_type"}),
		untold: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricsPrefix + "untold_total", Help: "Events that make no message.",
		}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "dead_letters_total", Help: "Events set aside because they make no sense, by reason.",
		}, []string{"reason"}),
		notes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "message_notes_total", Help: "Messages that are less than the contract asks for, by what is missing.",
		}, []string{"note"}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.messages, m.untold, m.deadLetters, m.notes} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register translation metrics: %w", err)
		}
	}
	return m, nil
}
