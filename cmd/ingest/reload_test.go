package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestRunReloadsSellers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(file, []byte(`[{"id":"a","notificationToken":"notifications-of-a"}]`), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	log, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, nil, environmentOf(map[string]string{
			kafka.EnvBrokers: strings.Join(testkit.Kafka(t), ","), kafka.EnvLanes: "1", envAddr: "127.0.0.1:0",
			envAdmin: "127.0.0.1:0", envData: t.TempDir(), envSellers: file, clickhouse.EnvAddr: "127.0.0.1:1",
		}), io.Discard, out)
		_ = out.Close()
		ended <- err
	}()
	api, _ := listening(t, log)
	go func() { _, _ = io.Copy(io.Discard, log) }()
	send := func(seller string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+api+"/notifications/"+seller, strings.NewReader(
			`{"eventType":"shipment_shipped","timestamp":"2024-03-28T18:03:01Z","shipmentId":"S1","attributes":{}}`))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer notifications-of-"+seller)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, send("a"))
	require.Equal(t, http.StatusUnauthorized, send("b"))
	require.NoError(t, os.WriteFile(file, []byte(`[{"id":"b","notificationToken":"notifications-of-b"}]`), 0o600))
	testkit.Eventually(t, func() bool { return send("b") == http.StatusOK }, "the new seller is known without a restart")
	require.Equal(t, http.StatusUnauthorized, send("a"), "the removed one is not")
	cancel()
	require.NoError(t, <-ended)
}
