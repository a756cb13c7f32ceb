package main

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestCheckReportsAllProblems(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cluster, brokers := testkit.KafkaCluster(t)
	require.NoError(t, cluster.CreateTopic("orders.events.v1", 2, map[string]string{"retention.ms": "1000"}))
	err := run(t.Context(), []string{"-check"}, environmentOf(map[string]string{
		kafka.EnvBrokers: brokers[0], kafka.EnvLanes: "2", clickhouse.EnvAddr: "127.0.0.1:1",
		envAddr: "127.0.0.1:0", envAdmin: "off", envData: t.TempDir(),
	}), &out, io.Discard)
	require.ErrorContains(t, err, "start-up checks that failed: 3")
	for _, want := range []string{
		"ok    configuration", "FAIL  kafka topics           topic orders.events.v1: retention.ms is \"1000\", want \"-1\"",
		"-> kafka-configs.sh --alter", "FAIL  clickhouse servers     127.0.0.1:1: ", "skip  clickhouse rights",
		"warn  intake                 no seller has a credential: every notification is refused",
	} {
		require.Contains(t, out.String(), want)
	}
	require.Nil(t, cluster.TopicInfo("orders.inbox.v1"), "a check must not create it")
}

func TestRunRefusesALedgerThatLosesRecords(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	require.NoError(t, cluster.CreateTopic("orders.events.v1", 2, map[string]string{"retention.ms": "1000"}))
	env := environmentOf(map[string]string{kafka.EnvBrokers: brokers[0], kafka.EnvLanes: "2", envData: t.TempDir()})
	err := run(t.Context(), nil, env, io.Discard, io.Discard)
	require.ErrorContains(t, err, `kafka topics: topic orders.events.v1: retention.ms is "1000"`)
	require.Nil(t, cluster.TopicInfo("orders.inbox.v1"), "it creates no other topic")
	require.Nil(t, cluster.TopicInfo("orders.layout.v1"))
}

// It looks at every address and every folder of the program, and at the names of the variables.
func TestCheckLooksAtItsMachine(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	env := map[string]string{
		kafka.EnvBrokers: testkit.Kafka(t)[0], kafka.EnvLanes: "2", clickhouse.EnvAddr: "127.0.0.1:1",
		envPeerURL: "http://127.0.0.1:1", envPeerSecret: "a secret of instances", "ORDERLEDGER_INGEST_ADR": ":1",
		envData: filepath.Join(file, "data"), envDocuments: filepath.Join(file, "documents"),
	}
	want := []string{
		"no program reads ORDERLEDGER_INGEST_ADR", envData + ": stat " + file + "/data/lanes: not a directory",
		envData + ": stat " + file + "/data/resolver: not a directory", envDocuments + ": stat " + file + "/documents: not a directory",
	}
	for _, variable := range []string{envAddr, envPeerAddr, envAdmin} {
		taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = taken.Close() })
		env[variable] = taken.Addr().String()
		want = append(want, variable+": listen tcp "+taken.Addr().String())
	}
	var out bytes.Buffer
	require.Error(t, run(t.Context(), []string{"-check"}, environmentOf(env), &out, io.Discard))
	for _, problem := range want {
		require.Regexp(t, "FAIL  (variables|addresses|folders) +"+regexp.QuoteMeta(problem), out.String())
	}
}
