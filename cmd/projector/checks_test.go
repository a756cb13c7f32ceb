package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestCheckPassesAndChangesNothing(t *testing.T) {
	t.Parallel()
	addr, database := testkit.ClickHouse(t)
	cluster, brokers := testkit.KafkaCluster(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-check"}, env(map[string]string{
		kafka.EnvBrokers: brokers[0], clickhouse.EnvAddr: addr, clickhouse.EnvDatabase: database, envAdmin: "off",
	}), &out, io.Discard), out.String())
	for _, want := range []string{"ok    kafka topics", "this program waits until ingest creates them", "ok    clickhouse settings", "are not applied yet: they are applied at start"} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "FAIL")
	require.Nil(t, cluster.TopicInfo("orders.events.v1"))
}

func TestRunNeverPrintsOrLogsSecrets(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ledger", "sssh-kafka"))
	addr, database := testkit.ClickHouse(t)
	vars := map[string]string{
		kafka.EnvBrokers: brokers[0], kafka.EnvSASL: "plain", kafka.EnvUser: "ledger", kafka.EnvPassword: "sssh-kafka",
		clickhouse.EnvAddr: addr, clickhouse.EnvDatabase: database, clickhouse.EnvPassword: "sssh-clickhouse",
		envAdmin: "off", service.EnvLogLevel: "DEBUG",
	}
	cfg, err := readConfig(env(vars))
	require.NoError(t, err)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		fmt.Fprintf(&out, verb+verb, cfg, &cfg)
	}
	require.NoError(t, json.NewEncoder(&out).Encode(cfg))
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).InfoContext(t.Context(), "shown", slog.Any("config", cfg))
	}
	require.NoError(t, run(t.Context(), []string{"-print-config"}, env(vars), &out, &out))
	require.Error(t, run(t.Context(), []string{"-check"}, env(vars), &out, &out), "the server has no such password")
	require.Contains(t, out.String(), "ORDERLEDGER_CLICKHOUSE_PASSWORD")

	ctx, stop := context.WithCancel(t.Context())
	log := &watched{until: "clickhouse not reached yet", seen: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, nil, env(vars), io.Discard, log) }()
	<-log.seen
	stop()
	require.NoError(t, <-ended)
	require.NotContains(t, out.String()+log.String(), "sssh")
}

// watched is a log that closes seen once it contains a text.
type watched struct {
	bytes.Buffer
	until string
	seen  chan struct{}
	found bool
}

func (w *watched) Write(line []byte) (int, error) {
	if !w.found && bytes.Contains(line, []byte(w.until)) {
		w.found = true
		close(w.seen)
	}
	return w.Buffer.Write(line)
}
