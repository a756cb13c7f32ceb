package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// env returns an environment with only these variables.
func env(vars map[string]string) []string { return testkit.Environ(vars) }

func readConfig(environ []string) (config, error) {
	return read(setting.NewReader(setting.Environment(environ)))
}

func TestReadConfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	require.NoError(t, os.WriteFile(file, []byte(`{
		"endpoints": [{"name": "first", "url": "https://a.example/", "sellers": ["s9"], "locations": ["*"]}], "channels": {"default": {"currency": "INR"}}
	}`), 0o600))
	cfg, err := readConfig(env(map[string]string{
		kafka.EnvBrokers: "k1:9092, k2:9092", kafka.EnvCluster: "shop", kafka.EnvLanes: "6", kafka.EnvReplication: "3", kafka.EnvMinISR: "2", kafka.EnvBootURL: "http://127.0.0.1:1/boot",
		envEndpoints: "wms=http://b.example/hook,http://c.example:81/x", envSecrets: secret, envSettings: file,
		envStart: "earliest", envHistory: "true", envForgotten: "start", envSellers: "s1, s2", envLocations: "IN1", envChannels: "*",
		envInstance: "pod-1", envAdmin: "off", service.EnvLogLevel: "debug",
	}))
	require.NoError(t, err)
	require.Equal(t, []string{"k1:9092", "k2:9092"}, cfg.Kafka.Brokers)
	require.Equal(t, "shop", cfg.Kafka.Cluster)
	require.Equal(t, []int{6, 3, 2}, []int{cfg.Kafka.Lanes, int(cfg.Kafka.Replication), cfg.Kafka.MinISR})
	require.Equal(t, kafka.Embedded, cfg.Kafka.Backend())
	require.Empty(t, cfg.Admin.Addr)
	require.Equal(t, slog.LevelDebug, cfg.LogLevel)
	require.Equal(t, "INR", cfg.Emitter.Translate.Channels.Default.Currency)
	require.Equal(t, "pod-1", cfg.Emitter.Translate.InstanceID)
	require.Equal(t, "pod-1", cfg.Emitter.Deliver.InstanceID)
	scope := emitter.Scope{Sellers: []string{"s1", "s2"}, Locations: []string{"IN1"}, Channels: []string{"*"}}
	require.Equal(t, []emitter.Endpoint{
		{Name: "first", URL: "https://a.example/", Scope: emitter.Scope{Sellers: []string{"s9"}, Locations: []string{"*"}}},
		{Name: "wms", URL: "http://b.example/hook", Secrets: []string{secret}, Scope: scope, Start: emitter.StartEarliest, History: true, Forgotten: "start"},
		{Name: "c.example-81-x", URL: "http://c.example:81/x", Secrets: []string{secret}, Scope: scope, Start: emitter.StartEarliest, History: true, Forgotten: "start"},
	}, cfg.Emitter.Deliver.Endpoints)

	cfg, err = readConfig(env(nil))
	require.NoError(t, err, "no variable is required")
	require.Equal(t, []string{"127.0.0.1:9092"}, cfg.Kafka.Brokers)
	require.Equal(t, kafka.Cluster, cfg.Kafka.Backend())
	require.Equal(t, defaultAdmin, cfg.Admin.Addr)
}

func TestReadConfigReportsAllProblems(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), []string{"-check"}, env(map[string]string{
		kafka.EnvBrokers: "nowhere", kafka.EnvLanes: "many", envEndpoints: "hook", envSettings: "/does/not/exist", service.EnvLogLevel: "loud",
	}), io.Discard, io.Discard)
	for _, want := range []string{"nowhere", kafka.EnvLanes, "endpoint", envSettings, service.EnvLogLevel} {
		require.ErrorContains(t, err, want)
	}
}

func TestPrintConfigMasksSecrets(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"endpoints": [{
		"name": "first", "url": "https://user:hidden1@a.example/?key=hidden2", "sellers": ["s1"], "secrets": ["`+secret+`"],
		"headers": {"Authorization": "Bearer hidden3"}
	}]}`), 0o600))
	vars := env(map[string]string{envSettings: file})
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-print-config"}, vars, &out, io.Discard))
	require.Contains(t, out.String(), "a.example")
	require.Contains(t, out.String(), "Authorization")
	require.Regexp(t, `"Sellers":\s*\[\s*"s1"\s*\]`, strings.ReplaceAll(out.String(), "\n# ", "\n"))
	require.NotContains(t, out.String(), "hidden")
	require.NotContains(t, out.String(), "MfKQ9r8")
	cfg, err := readConfig(vars)
	require.NoError(t, err)
	_ = fmt.Sprintf("%+v", cfg)
	require.Equal(t, secret, cfg.Emitter.Deliver.Endpoints[0].Secrets[0], "masking changes a copy")
}

func TestRunPrintsVersion(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-version"}, env(nil), &out, io.Discard))
	require.NotEmpty(t, out.String())
}

// The program waits for a ledger, says so, and creates none.
func TestRunWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	log, out := io.Pipe()
	go func() {
		ran <- run(ctx, nil, env(map[string]string{
			kafka.EnvBrokers: brokers[0], envAdmin: "127.0.0.1:0", kafka.EnvBootURL: "http://127.0.0.1:1/boot",
		}), io.Discard, out)
		_ = out.Close()
	}()
	lines := bufio.NewScanner(log)
	var addr string
	for waits := false; addr == "" || !waits; {
		require.True(t, lines.Scan())
		var line struct{ Msg, Addr, Missing string }
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line), lines.Text())
		if line.Msg == "admin listening" {
			addr = line.Addr
		}
		waits = waits || line.Msg == "ledger awaited" && line.Missing == events.TopicLayout
	}
	go func() { _, _ = io.Copy(io.Discard, log) }()
	ready := func() (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/readyz", http.NoBody)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	status, body := ready()
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, body, "no ledger on this kafka yet: missing: orders.layout.v1; ingest creates it")
	require.Nil(t, cluster.TopicInfo(events.TopicEvents))
	require.Nil(t, cluster.TopicInfo(events.TopicLayout))
	testkit.Topics(t, brokers, 2)
	testkit.Eventually(t, func() bool { status, _ := ready(); return status == http.StatusOK }, "it is ready")
	stop()
	require.NoError(t, <-ran)
}

func TestRunDeliversAnEventToAnEndpoint(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, 2)
	receiver := testkit.NewReceiver(t, secret)
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	var log bytes.Buffer
	go func() {
		ran <- run(ctx, nil, env(map[string]string{
			kafka.EnvBrokers: brokers[0], envEndpoints: "wms=" + receiver.URL(), envSecrets: secret, envAdmin: "127.0.0.1:0",
			envStart: "earliest", envSellers: "*", envLocations: "*", envChannels: "*",
			// The boot URL marks the broker as embedded; the broker of the test has the settings of one.
			kafka.EnvBootURL: "http://127.0.0.1:1/boot", service.EnvLogLevel: "DEBUG",
		}), io.Discard, &log)
	}()

	s := &ledgerv1.Shipment{ShipmentId: "s1", Version: 1, Items: []*ledgerv1.Item{{OrderItemId: "i1", Ordered: 1}}}
	e := &ledgerv1.Event{After: s, Body: &ledgerv1.Event_ShipmentCreated{ShipmentCreated: &ledgerv1.ShipmentCreated{}}}
	value, err := e.MarshalVT()
	require.NoError(t, err)
	envelope := events.Envelope{
		ID: events.EventID("s1", 1), Type: events.TypeOf(e), ShipmentID: "s1", Version: 1, LaneSeq: 1,
		RecordedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), InboxOffset: events.NoInboxOffset,
	}
	r := &kgo.Record{
		Topic: events.TopicEvents, Partition: events.Lane("s1", 2), Key: []byte("s1"), Value: value, Timestamp: envelope.RecordedAt,
		Headers: kafka.AppendRecordHeaders(nil, envelope.AppendHeaders(nil)),
	}
	require.NoError(t, testkit.Client(t, brokers, kafka.ManualPartitions()).ProduceSync(t.Context(), r).FirstErr())

	testkit.Eventually(t, func() bool { return len(receiver.Requests()) > 0 }, "the message arrives")
	require.Contains(t, string(receiver.Requests()[0].Body), `"eventType":"SUBORDER_CREATE"`)
	stop()
	require.NoError(t, <-ran)
	require.Contains(t, log.String(), `"level":"DEBUG"`)
	require.NotContains(t, log.String(), "MfKQ9r8", "the log does not contain the secret")
}

func TestReadConfigNamesChannelOfWrongCurrency(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"channels": {
		"default": {"currency": "VES"}, "sellers": {"s1": {"currency": "INX"}, "s2": {"currency": "SLE"}}}}`), 0o600))
	_, err := readConfig(env(map[string]string{envSettings: file}))
	require.EqualError(t, err, envSettings+": "+file+`: channel of seller s1: "INX" is no currency: `+
		"want the three capital letters of ISO 4217, such as INR")
}
