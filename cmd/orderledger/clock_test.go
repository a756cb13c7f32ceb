package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// upWithoutTables runs the ledger of up on the data of an earlier run, and ends it when use returns.
func upWithoutTables(t *testing.T, o upOptions, use func(l *ledger)) {
	t.Helper()
	log, reg := testkit.Logger(t), prometheus.NewRegistry()
	o.Only, o.KafkaListen, o.Open = onlyKafka, "127.0.0.1:0", true
	s, err := startServers(t.Context(), o, log, reg)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	brokers := kafka.DefaultConfig()
	brokers.Brokers, brokers.Lanes = []string{s.kafka.Addr()}, 1
	l := &ledger{}
	defer func() { require.NoError(t, l.Close()) }()
	require.NoError(t, l.ensureTopics(t.Context(), &brokers, s.kafka))
	require.NoError(t, l.newIngest(o, brokers, kafka.TransactionalPrefix(brokers.Cluster, s.kafka.Boot()), log, reg))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx, log, service.Unit{Name: "journal", Run: l.journal.Run}) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	testkit.Eventually(t, func() bool { return l.ingest.Ready(t.Context()) == nil }, "the ledger serves")
	use(l)
}

// notify posts a shipment's creation, and returns its state once it is decided.
func notify(t *testing.T, l *ledger, shipmentID string) *ledgerv1.Shipment {
	t.Helper()
	body := fmt.Sprintf(`{"eventType":"shipment_created","timestamp":"2024-03-28T18:03:01+05:30","source":"x","version":"v3",
		"locationId":"LOC1","shipmentId":%q,"attributes":{"shipmentType":"NORMAL",
		"orderItems":[{"orderItemId":"I1","orderId":"O1","status":"APPROVED","quantity":1}]}}`, shipmentID)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/notifications/s1", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	l.ingest.Handler().ServeHTTP(answer, req)
	require.Equal(t, http.StatusOK, answer.Code, answer.Body.String())
	var state *ledgerv1.Shipment
	testkit.Eventually(t, func() bool {
		var err error
		state, err = l.journal.State(t.Context(), shipmentID)
		require.NoError(t, err)
		return state != nil
	}, "the notification is decided")
	return state
}

// A clock that ran ten years ahead once closes nothing: the ledger opens, serves, and knows the time.
func TestUpAfterClockRanAhead(t *testing.T) {
	t.Parallel()
	o := upOptions{Data: t.TempDir()}
	ahead := o
	ahead.Now = func() time.Time { return time.Now().AddDate(10, 0, 0) }
	upWithoutTables(t, ahead, func(l *ledger) {
		at := notify(t, l, "S1").GetUpdatedAt().AsTime()
		require.Greater(t, time.Until(at), 9*365*24*time.Hour)
	})
	for _, id := range []string{"S2", "S3"} {
		upWithoutTables(t, o, func(l *ledger) {
			require.Less(t, time.Since(notify(t, l, id).GetUpdatedAt().AsTime()).Abs(), time.Hour)
			old, err := l.journal.State(t.Context(), "S1")
			require.NoError(t, err)
			require.Equal(t, "S1", old.GetShipmentId())
		})
	}
}
