package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/filelock"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestRunRefusesFolderInUse(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	data := filepath.Join(t.TempDir(), "data")
	env := environmentOf(map[string]string{
		kafka.EnvBrokers: brokers[0], kafka.EnvLanes: "2", envData: data, envAddr: "127.0.0.1:0", envAdmin: "off",
	})
	check := func() string {
		var out bytes.Buffer
		require.Error(t, run(t.Context(), []string{"-check"}, env, &out, io.Discard), "there is no ClickHouse")
		return out.String()
	}
	require.Contains(t, check(), "ok    folders                no process uses "+data)
	require.NoDirExists(t, data, "a check creates nothing")

	// A store of the process that holds the lock. Another process that uses the folder would remove it.
	store := filepath.Join(data, "lanes", "lane-0")
	require.NoError(t, os.MkdirAll(store, 0o755))
	lock, err := filelock.Try(filepath.Join(data, "LOCK"))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // Where it starts, it serves until the context ends.
	defer cancel()
	err = run(ctx, nil, env, io.Discard, io.Discard)
	require.EqualError(t, err, "data folder "+data+": another process uses it; "+
		"stop that process, or give this one a folder of its own with ORDERLEDGER_DATA")
	require.DirExists(t, store)
	require.Nil(t, cluster.TopicInfo("orders.layout.v1"), "it creates no ledger either")
	require.Contains(t, check(), "FAIL  folders                another process uses "+data)

	require.NoError(t, lock.Release())
	require.Contains(t, check(), "ok    folders                no process uses "+data)
}
