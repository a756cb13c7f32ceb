package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// watched gives an instance a watch of the brokers' disks, which runs until the test ends.
func watched(t *testing.T) func(*ingest.Deps) {
	t.Helper()
	return func(d *ingest.Deps) {
		var err error
		d.Disks, err = kafka.NewDisks(d.Options, d.Log, d.Registerer)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		var run sync.WaitGroup
		run.Go(func() { _ = d.Disks.Run(ctx) })
		t.Cleanup(func() { cancel(); run.Wait() })
	}
}

func requireDiskFull(t *testing.T, a answer, what string) {
	t.Helper()
	require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
	require.Equal(t, "urn:orderledger:problem:disk_full", a.member(t, "type"), "%s", a.body)
	require.Equal(t, "10", a.header.Get("Retry-After"))
	require.Contains(t, a.member(t, "detail"), what)
	require.Contains(t, a.member(t, "detail"), "free space or enlarge it")
}

// While the disk of an embedded Kafka is full, notifications and calls get an answer that says so. When there is space
// again they are taken, and everything that was acknowledged is decided.
func TestIngestNamesFullDiskOfKafka(t *testing.T) {
	t.Parallel()
	dir := testkit.SmallDisk(t, "24m")
	b := onBroker(t, dir)
	b.start()
	ready := func() bool { return b.ingest.Ready(t.Context()) == nil }
	testkit.Eventually(t, ready, "all lanes are open")
	var acknowledged []string
	notify := func() answer {
		id := fmt.Sprint("S", len(acknowledged))
		a := b.send(http.MethodPost, "/notifications/own", created(id))
		if a.status == http.StatusOK {
			acknowledged = append(acknowledged, id)
		}
		return a
	}
	require.Equal(t, http.StatusOK, notify().status)
	b.state("S0", status(ledgerv1.Status_STATUS_APPROVED))

	free := testkit.Fill(t, dir, 600<<10)
	testkit.Eventually(t, func() bool { return notify().status != http.StatusOK }, "the disk is noticed")
	requireDiskFull(t, notify(), dir)
	requireDiskFull(t, b.labels("S0", ownToken), dir)
	require.ErrorContains(t, b.ingest.Ready(t.Context()), dir)
	require.InDelta(t, 1, gauge(t, b.reg, "orderledger_ingest_disk_full"), 0)
	refused := b.send(http.MethodPost, "/notifications/own", "{")
	require.Equal(t, http.StatusBadRequest, refused.status, "no body gets better by waiting")

	free()
	testkit.Eventually(t, func() bool { return ready() && notify().status == http.StatusOK }, "notifications are taken")
	require.InDelta(t, 0, gauge(t, b.reg, "orderledger_ingest_disk_full"), 0)
	for _, id := range acknowledged {
		b.state(id, status(ledgerv1.Status_STATUS_APPROVED))
	}
	require.Equal(t, "SUCCESS", b.labels("S0", ownToken).member(t, "shipments", 0, "status"))
}

// onBroker returns an instance on an embedded broker with its data in a folder.
func onBroker(t *testing.T, dir string) *bundle {
	t.Helper()
	server := broker.New(broker.Config{Addr: "127.0.0.1:0", DataDir: dir}, testkit.Logger(t))
	require.NoError(t, server.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	brokers := []string{server.Addr()}
	testkit.Topics(t, brokers, lanes)
	return newBundle(t, brokers, nil, func(c *ingest.Config) {
		c.NotificationTimeout, c.CommandTimeout = 2*time.Second, 2*time.Second
	}, watched(t))
}

// The disks of an instance hold its lane stores, the pending store and documents.
func TestIngestNamesFullDiskOfItsOwn(t *testing.T) {
	t.Parallel()
	dir := testkit.SmallDisk(t, "4m")
	lines := &testkit.LogLines{}
	b := setup(t, nil, func(c *ingest.Config) { c.ResolverDir = filepath.Join(dir, "resolver") }, loggedTo(lines))
	require.ElementsMatch(t, []string{b.journal.StoreDir(), b.cfg.ResolverDir, b.cfg.BlobDir}, b.ingest.Folders())
	b.notify(created("S1"))
	free := testkit.Fill(t, dir, 100<<10)
	testkit.Eventually(t, func() bool { return b.ingest.Ready(t.Context()) != nil }, "it is not ready")
	requireDiskFull(t, b.send(http.MethodPost, "/notifications/own", created("S2")), dir)
	requireDiskFull(t, b.labels("S1", ownToken), dir)
	free()
	testkit.Eventually(t, func() bool { return b.ingest.Ready(t.Context()) == nil }, "it is ready again")
	b.notify(created("S2"))
	b.state("S2", status(ledgerv1.Status_STATUS_APPROVED))
	full := lines.With(t, "disk full, notifications and calls refused")
	require.Len(t, full, 1, "not a line for each input")
	require.Contains(t, full[0]["err"], dir)
	require.Len(t, lines.With(t, "notifications and calls taken again, the disk has space"), 1)
}

func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
