package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
)

// The API of up judges requests by a changed sellers file without a restart, and keeps the sellers beside the file.
func TestUpReloadsSellers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"id":"a","notificationToken":"notifications-of-a"}]`), 0o600))
	o := upOptions{
		Data: t.TempDir(), Only: onlyKafka, KafkaListen: "127.0.0.1:0", SellersFile: file,
		Sellers: []sellers.Seller{{ID: "demo", NotificationToken: "notifications-of-demo"}},
	}
	log, reg := testkit.Logger(t), prometheus.NewRegistry()
	s, err := startServers(t.Context(), o, log, reg)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	brokers := kafka.DefaultConfig()
	brokers.Brokers, brokers.Lanes = []string{s.kafka.Addr()}, 1
	l := &ledger{}
	defer func() { require.NoError(t, l.Close()) }()
	require.NoError(t, l.ensureTopics(t.Context(), &brokers, s.kafka))
	require.NoError(t, l.newIngest(o, brokers, kafka.TransactionalPrefix(brokers.Cluster, s.kafka.Boot()), log, reg))
	require.NoError(t, l.newEmitter(o, brokers, log, reg))
	l.admin = service.NewAdmin(service.AdminConfig{Addr: "127.0.0.1:0"}, log, reg, nil)
	// The others are those of a whole ledger; without tables only these can run.
	units := slices.DeleteFunc(l.units(), func(u service.Unit) bool { return u.Name != "journal" && u.Name != "sellers" })
	require.Len(t, units, 2)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx, log, units...) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	testkit.Eventually(t, func() bool { return l.ingest.Ready(t.Context()) == nil }, "the ledger serves")

	send := func(seller string) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/notifications/"+seller, strings.NewReader(
			`{"eventType":"shipment_shipped","timestamp":"2024-03-28T18:03:01Z","shipmentId":"S1","attributes":{}}`))
		req.Header.Set("Authorization", "Bearer notifications-of-"+seller)
		answer := httptest.NewRecorder()
		l.ingest.Handler().ServeHTTP(answer, req)
		return answer.Code
	}
	require.Equal(t, http.StatusOK, send("a"))
	require.Equal(t, http.StatusUnauthorized, send("b"))
	require.NoError(t, os.WriteFile(file, []byte(`[{"id":"b","notificationToken":"notifications-of-b"}]`), 0o600))
	testkit.Eventually(t, func() bool { return send("b") == http.StatusOK }, "the new seller is known without a restart")
	require.Equal(t, http.StatusUnauthorized, send("a"), "the removed one is not")
	require.Equal(t, http.StatusOK, send("demo"), "the sellers beside the file stay")
}
