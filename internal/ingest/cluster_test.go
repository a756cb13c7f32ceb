package ingest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// cluster is a ledger with several instances of ingest. Each has its own link to the network, which a test can cut.
type cluster struct {
	testing.TB
	on      testkit.KafkaBackend
	brokers []string
	lanes   int
	session time.Duration
	log     *slog.Logger
	client  *kgo.Client
	program string // The path of cmd/ingest, once it is built.
}

func newCluster(t testing.TB, on testkit.KafkaBackend, lanes int) *cluster {
	t.Helper()
	_, brokers := on.Open(t)
	client, kind := testkit.Client(t, brokers), kafka.Cluster
	if on == testkit.Kfake {
		kind = kafka.Embedded
	}
	_, err := kafka.EnsureTopics(t.Context(), client, testkit.KafkaConfig(brokers, lanes), kind)
	require.NoError(t, err)
	return &cluster{
		TB: t, on: on, brokers: brokers, client: client, lanes: lanes, session: 6 * time.Second,
		log: slog.New(warnings{testkit.Logger(t).Handler()}),
	}
}

// warnings drops lines below warning level: there is one for each call.
type warnings struct{ slog.Handler }

func (warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// instance is ingest and its journal, as in one process.
type instance struct {
	c       *cluster
	name    string
	url     string // Where callers reach it.
	journal *journal.Journal
	link    *netfault.Link
	cancel  context.CancelFunc
	done    chan error

	mu    sync.Mutex
	fault chan struct{} // Closed while it is dead or frozen, and for a moment after; guarded by mu.
}

// start starts an instance as a static member under its name.
func (c *cluster) start(name string) *instance {
	c.Helper()
	n := &instance{c: c, name: name, link: &netfault.Link{}, done: make(chan error, 1), fault: make(chan struct{})}
	peerAddr := freeAddr(c)
	options := append(kafka.Options(testkit.KafkaConfig(c.brokers, c.lanes)), kgo.Dialer(n.link.Dial))
	cfg := ingest.DefaultConfig()
	cfg.Addr, cfg.Lanes, cfg.Sellers, cfg.Workers = "127.0.0.1:0", c.lanes, testSellers(), false
	cfg.BlobDir, cfg.ResolverDir = c.TempDir(), c.TempDir()
	cfg.Peers = peer.Config{
		Addr: peerAddr, URL: "http://" + n.link.Proxy(c, peerAddr), Secrets: secrets(peerSecret),
	}
	directory := sellers.New(cfg.Sellers)
	peers := peer.NewClient(cfg.Peers, cfg.Cluster)
	var err error
	n.journal, err = journal.New(journal.Config{
		Cluster: cfg.Cluster, StoreDir: c.TempDir(), Lanes: c.lanes, InstanceID: name, CacheBytes: 8 << 20,
		SessionTimeout: c.session, Advertise: cfg.Peers.URL, Standbys: 1,
	}, journal.Deps{
		Options: options, Decode: marketplace.Decode(cfg.Marketplace), Policy: directory.Policy,
		Log: c.log.With(slog.String("instance", name)), AskRelease: peers.AskRelease,
	})
	require.NoError(c, err)
	in, err := ingest.New(cfg, ingest.Deps{
		Options: options, Journal: n.journal, Peers: peers,
		Log: c.log.With(slog.String("instance", name)), Registerer: prometheus.NewRegistry(),
	})
	require.NoError(c, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.Context()))
	n.cancel = cancel
	go func() {
		n.done <- service.Run(ctx, c.log, append([]service.Unit{{Name: "journal", Run: n.journal.Run}}, in.Units()...)...)
		in.Close()
		peers.Close()
		close(n.done)
	}()
	c.Cleanup(func() {
		n.link.Resume()
		n.cancel()
		for range n.done {
		}
	})
	addr, err := in.Addr(ctx)
	require.NoError(c, err)
	n.url = "http://" + n.link.Proxy(c, addr)
	return n
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// leave stops an instance in order, as SIGTERM does.
func (n *instance) leave() {
	n.c.Helper()
	n.cancel()
	require.NoError(n.c, <-n.done)
}

// kill ends an instance as others see it: its connections are cut and it sends nothing more.
func (n *instance) kill() {
	n.setFaulty()
	n.link.Cut()
	n.cancel()
}

// freeze stops the traffic of an instance, in the middle of whatever it does, until thaw.
func (n *instance) freeze() {
	n.setFaulty()
	n.link.Pause()
}

func (n *instance) thaw() { n.link.Resume() }

// faulty returns a channel that is closed while the instance is dead or frozen.
func (n *instance) faulty() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fault
}

func (n *instance) setFaulty() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.fault:
	default:
		close(n.fault)
	}
}

// setHealthy makes callers wait for the instance again as for any other.
func (n *instance) setHealthy() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.fault:
		n.fault = make(chan struct{})
	default:
	}
}

// owned returns how many lanes each instance owns, as it says itself.
func (c *cluster) owned(nodes ...*instance) map[string]int {
	c.Helper()
	out := map[string]int{}
	for _, n := range nodes {
		for lane := range int32(c.lanes) {
			ctx, cancel := context.WithTimeout(c.Context(), time.Second)
			owner, err := n.journal.Owner(ctx, lane)
			cancel()
			if err == nil && owner.Self {
				out[n.name]++
			}
		}
	}
	return out
}

// spread waits until each lane has an owner among the instances and each instance has a lane.
func (c *cluster) spread(nodes ...*instance) {
	c.Helper()
	testkit.Eventually(c, func() bool {
		sum, all := 0, true
		owned := c.owned(nodes...)
		for _, n := range nodes {
			sum += owned[n.name]
			all = all && owned[n.name] > 0 && n.journal.Ready() == nil
		}
		return all && sum == c.lanes
	}, fmt.Sprintf("%d lanes are spread over %d instances", c.lanes, len(nodes)))
}
