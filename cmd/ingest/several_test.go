package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// instance is the program, running inside the test as one of several.
type instance struct {
	api   string
	stop  func()
	ended chan error

	mu  sync.Mutex
	log []string // The lines; guarded by mu.
}

// logged reports whether a line of the log contains a text.
func (i *instance) logged(msg string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, line := range i.log {
		if strings.Contains(line, msg) {
			return true
		}
	}
	return false
}

// startInstance runs the program with a listener for others, and returns once its API listens.
func startInstance(t *testing.T, brokers []string, sellers string) *instance {
	t.Helper()
	// The program advertises the port, so the port must be known before the program listens.
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	peer := ln.Addr().String()
	require.NoError(t, ln.Close())

	ctx, cancel := context.WithCancel(t.Context())
	log, out := io.Pipe()
	i := &instance{ended: make(chan error, 1), stop: cancel}
	go func() {
		err := run(ctx, nil, environmentOf(map[string]string{
			kafka.EnvBrokers: strings.Join(brokers, ","), kafka.EnvLanes: "2", envAddr: "127.0.0.1:0", envAdmin: "127.0.0.1:0",
			envData: t.TempDir(), envSellers: sellers, clickhouse.EnvAddr: "127.0.0.1:1",
			envPeerAddr: peer, envPeerURL: "http://" + peer, envPeerSecret: "a secret that instances share",
		}), io.Discard, out)
		_ = out.Close()
		i.ended <- err
	}()
	api := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			var line struct{ Msg, Addr string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ingest listening" {
				api <- line.Addr
			}
			i.mu.Lock()
			i.log = append(i.log, lines.Text())
			i.mu.Unlock()
		}
	}()
	select {
	case i.api = <-api:
	case err := <-i.ended:
		require.NoError(t, err)
		require.FailNow(t, "it ended")
	}
	return i
}

func TestRunTwoInstancesHandOver(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	sellers := filepath.Join(t.TempDir(), "sellers.json")
	require.NoError(t, os.WriteFile(sellers, []byte(`[{"id":"s1","token":"tok"}]`), 0o600))
	first, second := startInstance(t, brokers, sellers), startInstance(t, brokers, sellers)
	testkit.Eventually(t, func() bool { return first.logged("lane opened") && second.logged("lane opened") }, "each has a lane")

	// One unknown shipment in each lane: only the lane's owner can answer that it does not exist.
	var ids []string
	for _, id := range []string{"A", "B", "C", "D", "E", "F"} {
		if events.Lane(id, 2) == int32(len(ids)) {
			ids = append(ids, id)
		}
		if len(ids) == 2 {
			break
		}
	}
	require.Len(t, ids, 2)
	call := func(i *instance) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+i.api+"/sellers/v3/shipments/dispatch",
			strings.NewReader(`{"shipmentIds":["`+ids[0]+`","`+ids[1]+`"],"locationId":"LOC1"}`))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer tok")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s", text)
		require.Equal(t, 2, strings.Count(string(text), "INVALID_SHIPMENTS"), "%s", text)
	}
	call(first)
	call(second)
	second.stop()
	require.NoError(t, <-second.ended)
	require.True(t, second.logged("lanes handed over"))
	call(first)
	require.False(t, first.logged("a secret that instances share"))
	first.stop()
	require.NoError(t, <-first.ended)
}
