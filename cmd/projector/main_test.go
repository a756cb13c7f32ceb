package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.RunClickHouse(m)) }

func env(vars map[string]string) []string { return testkit.Environ(vars) }

func readConfig(environ []string) (config, error) {
	return read(setting.NewReader(setting.Environment(environ)))
}

func TestReadConfigReportsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := readConfig(env(map[string]string{
		kafka.EnvLanes: "many", clickhouse.EnvAddr: "nowhere", "ORDERLEDGER_CLICKHOUSE_TLS": "perhaps", clickhouse.EnvSettings: "quorum", service.EnvLogLevel: "loud", envInserters: "-1",
	}))
	for _, name := range []string{kafka.EnvLanes, "nowhere", "ORDERLEDGER_CLICKHOUSE_TLS", clickhouse.EnvSettings, service.EnvLogLevel, envInserters} {
		require.ErrorContains(t, err, name)
	}
}

func TestPrintConfigMasksSecrets(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-print-config"}, env(map[string]string{clickhouse.EnvPassword: "hunter2"}), &out, io.Discard))
	require.NotContains(t, out.String(), "hunter2")
	require.Contains(t, out.String(), "***")
}

func TestRunFillsTablesAndStops(t *testing.T) {
	t.Parallel()
	addr, database := testkit.ClickHouse(t)
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, 1)
	lane := eventstest.NewLane(0)
	client := testkit.Client(t, brokers, kafka.ManualPartitions())
	for _, e := range eventstest.Story(1, eventstest.Start) {
		r := lane.Event(e)
		record := &kgo.Record{
			Topic: r.Topic, Partition: r.Lane, Key: []byte(r.Key), Value: r.Value,
			Headers: kafka.AppendRecordHeaders(nil, r.Headers),
		}
		require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, nil, env(map[string]string{
			kafka.EnvBrokers: brokers[0], kafka.EnvBootURL: "http://127.0.0.1:1/boot", clickhouse.EnvAddr: addr, clickhouse.EnvDatabase: database, envAdmin: "off",
		}), io.Discard, io.Discard)
	}()
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs, cfg.Database = []string{addr}, database
	db, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	defer db.Close()
	testkit.Eventually(t, func() bool {
		var n uint64
		return db.QueryRow(t.Context(), "SELECT count() FROM shipments WHERE status = 'COMPLETED'").Scan(&n) == nil && n == 1
	}, "the shipment is there")
	stop()
	require.NoError(t, <-done)
}
