package demo_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/demo"
)

func TestHistories(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	a, b := demo.Histories(1, 400, now), demo.Histories(1, 400, now)
	require.Equal(t, a, b)
	require.NotEqual(t, a, demo.Histories(2, 400, now))

	kinds := map[string]int{}
	created := map[string]bool{}
	early := 0
	for i, n := range a {
		require.False(t, n.At.After(now), "nothing is reported before it happens")
		require.False(t, i > 0 && n.At.Before(a[i-1].At), "in the order of sending")
		var envelope struct{ EventType, ShipmentID string }
		require.NoError(t, json.Unmarshal(n.Body, &envelope))
		kinds[envelope.EventType]++
		if envelope.EventType == "shipment_created" {
			created[envelope.ShipmentID] = true
		} else if envelope.ShipmentID != "" && !created[envelope.ShipmentID] {
			early++
		}
	}
	require.Len(t, created, 400)
	require.Positive(t, early, "some notifications arrive before the creation")
	for _, kind := range []string{
		"shipment_created", "shipment_hold", "shipment_unhold", "shipment_packed", "shipment_ready_to_dispatch", "shipment_pickup_complete",
		"shipment_shipped", "shipment_delivered", "shipment_dispatch_dates_changed", "shipment_cancelled", "shipment_form_failed",
		"return_created", "return_picked_up", "return_completed", "return_cancelled",
	} {
		require.Positive(t, kinds[kind], kind)
	}
}
