package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// listening reads log lines until the API and the admin server have logged their addresses.
func listening(t *testing.T, log io.Reader) (api, admin string) {
	t.Helper()
	lines := bufio.NewScanner(log)
	for (api == "" || admin == "") && lines.Scan() {
		var line struct{ Msg, Addr string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), "%s", lines.Text())
		switch line.Msg {
		case "ingest listening":
			api = line.Addr
		case "admin listening":
			admin = line.Addr
		}
	}
	require.NotEmpty(t, api)
	return api, admin
}

func TestRunAcceptsNotificationAndStops(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	ctx, cancel := context.WithCancel(t.Context())
	log, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, nil, environmentOf(map[string]string{
			kafka.EnvBrokers: strings.Join(brokers, ","), kafka.EnvLanes: "2", envAddr: "127.0.0.1:0", envAdmin: "127.0.0.1:0",
			envData: t.TempDir(), envOpen: "true",
			// Nothing listens there: notifications and commands need no read model.
			clickhouse.EnvAddr: "127.0.0.1:1",
		}), io.Discard, out)
		_ = out.Close()
		ended <- err
	}()
	api, admin := listening(t, log)
	go func() { _, _ = io.Copy(io.Discard, log) }()

	do := func(method, url, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	status, body := do(http.MethodPost, "http://"+api+"/notifications",
		`{"eventType":"shipment_shipped","timestamp":"2024-03-28T18:03:01Z","shipmentId":"S1","attributes":{}}`)
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, body, `"inboxOffset":0`)
	ready := func(path string) int {
		status, _ := do(http.MethodGet, "http://"+admin+"/readyz"+path, "")
		return status
	}
	testkit.Eventually(t, func() bool { return ready("") == http.StatusOK }, "ClickHouse does not count for intake")
	require.Equal(t, http.StatusServiceUnavailable, ready("/reads"), "it cannot read")
	testkit.Eventually(t, func() bool { return ready("/lanes/1") == http.StatusOK }, "the lane is open")
	require.Equal(t, http.StatusServiceUnavailable, ready("/lanes/2"), "there is no such lane")
	require.Equal(t, http.StatusServiceUnavailable, ready("/lanes/x"))
	for lane, want := range map[string]int{"1": http.StatusOK, "2": http.StatusBadRequest, "x": http.StatusBadRequest} {
		status, body = do(http.MethodPost, "http://"+admin+"/lanes/"+lane+"/retry", "")
		require.Equal(t, want, status, "lane %s: %s", lane, body)
		status, _ = do(http.MethodPost, "http://"+api+"/lanes/"+lane+"/retry", "")
		require.Equal(t, http.StatusNotFound, status, "it is for operators only")
	}
	_, body = do(http.MethodGet, "http://"+admin+"/metrics", "")
	missing, checked := testkit.MissingOfAlerts(t, body,
		"orderledger_ingest_", "orderledger_journal_", "orderledger_kafka_")
	require.Equal(t, []string{"orderledger_journal_damaged", "orderledger_journal_standby_lag"}, missing,
		"every series of an alert exists, except for those of lanes that are damaged or have a standby here")
	require.Greater(t, checked, 15)
	require.Contains(t, body, `orderledger_ingest_notifications_total{to="inbox"} 1`)

	cancel()
	require.NoError(t, <-ended)
}
