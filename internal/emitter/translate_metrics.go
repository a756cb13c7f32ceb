package emitter

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

type translateMetrics struct {
	messages    *prometheus.CounterVec
	ignored     prometheus.Counter
	written     prometheus.Counter
	deadLetters *prometheus.CounterVec
	notes       *prometheus.CounterVec
}

func newTranslateMetrics(reg prometheus.Registerer) (*translateMetrics, error) {
	m := &translateMetrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "translated_total",
			Help: "Messages written, repeats included, by event type of the suborder.",
		}, []string{"event_type"}),
		ignored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricsPrefix + "ignored_total", Help: "Events that make no message.",
		}),
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricsPrefix + "already_written_total",
			Help: "Events read again whose message a predecessor had written; it is not written again.",
		}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "dead_letters_total", Help: "Events written to the dead letters, by reason.",
		}, []string{"reason"}),
		notes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricsPrefix + "message_notes_total", Help: "Deviations of messages from the contract, by note.",
		}, []string{"note"}),
	}
	// An alert watches the increase of these series, which misses the first step of a series that appears late.
	for _, reason := range []string{"unknown_type", "undecodable", "no_laneseq", "too_large", "failed"} {
		m.deadLetters.WithLabelValues(reason)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.messages, m.ignored, m.written, m.deadLetters, m.notes} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register translation metrics: %w", err)
		}
	}
	return m, nil
}
