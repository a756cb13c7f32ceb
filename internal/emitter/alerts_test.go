package emitter

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

// Every series that an alert watches exists before anything has gone wrong.
func TestMetricsOfAlertsExist(t *testing.T) {
	t.Parallel()
	cfg, reg := DefaultConfig(), prometheus.NewRegistry()
	cfg.Deliver.Endpoints = []Endpoint{{Name: "wms", URL: "http://127.0.0.1:1", Scope: Everything(), Start: StartEarliest}}
	_, err := New(cfg, testkit.KafkaConfig(testkit.Kafka(t), 1), testkit.Logger(t), reg)
	require.NoError(t, err)
	missing, checked := testkit.MissingOfAlerts(t, testkit.Exposition(t, reg), "orderledger_emitter_")
	require.Equal(t, []string{"orderledger_emitter_oldest_waiting_seconds", "orderledger_emitter_lag_records"}, missing,
		"levels of an endpoint exist once it runs")
	require.Equal(t, 7, checked)

	running := prometheus.NewRegistry()
	setup(t, 1).startWith(t, config(cfg.Deliver.Endpoints...), running)
	testkit.Eventually(t, func() bool {
		missing, _ = testkit.MissingOfAlerts(t, testkit.Exposition(t, running), "orderledger_emitter_")
		return len(missing) == 5
	}, "levels of an endpoint")
	for _, name := range missing {
		require.Contains(t, name, "orderledger_emitter_dead_letters_total{", "the translator has those")
	}
}
