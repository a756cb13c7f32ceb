package projector

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
)

// Every counter that an alert watches exists before anything has gone wrong.
func TestMetricsOfAlertsExist(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := newMetrics(reg)
	require.NoError(t, err)
	missing, checked := testkit.MissingOfAlerts(t, testkit.Exposition(t, reg), "orderledger_projector_")
	require.Equal(t, []string{"orderledger_projector_lag_records"}, missing, "a partition has a lag after its first batch")
	m.applied(events.TopicEvents, 0, 0, 1)
	missing, _ = testkit.MissingOfAlerts(t, testkit.Exposition(t, reg), "orderledger_projector_")
	require.Empty(t, missing)
	require.Equal(t, 12, checked)
}
