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

// cluster is a ledger with several instances of ingest, each on a link of its own.
type cluster struct {
	testing.TB
	on      testkit.KafkaBackend
	brokers []string
	lanes   int
	session time.Duration
	log     *slog.Logger
	asker   *kgo.Client
	built   string // The program, once it is.
}

func newCluster(t testing.TB, on testkit.KafkaBackend, lanes int) *cluster {
	t.Helper()
	_, brokers := on.Open(t)
	asker, kind := testkit.Client(t, brokers), kafka.Cluster
	if on == testkit.Kfake {
		kind = kafka.Embedded
	}
	_, err := kafka.EnsureTopics(t.Context(), asker, testkit.KafkaConfig(brokers, lanes), kind)
	require.NoError(t, err)
	return &cluster{
		TB: t, on: on, brokers: brokers, asker: asker, lanes: lanes, session: 6 * time.Second,
		log: slog.New(warnings{testkit.Logger(t).Handler()}),
	}
}

// warnings leaves out what is said of each call.
type warnings struct{ slog.Handler }

func (warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// node is one instance: what a process is, in this one.
type node struct {
	c       *cluster
	name    string
	url     string // Where callers reach it.
	journal *journal.Journal
	link    *netfault.Link
	cancel  context.CancelFunc
	done    chan error

	mu   sync.Mutex
	hurt chan struct{} // Closed when it is dead or asleep, or was so a moment ago; guarded by mu.
}

// start starts an instance; its name makes it a static member.
func (c *cluster) start(name string) *node {
	c.Helper()
	n := &node{c: c, name: name, link: &netfault.Link{}, done: make(chan error, 1), hurt: make(chan struct{})}
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
		SessionTimeout: c.session, Advertise: cfg.Peers.URL,
	}, journal.Deps{
		Options: options, Decode: marketplace.Decode(cfg.Marketplace), Policy: directory.Policy, Log: c.log.With(slog.String("node", name)),
		AskRelease: peers.AskRelease,
	})
	require.NoError(c, err)
	in, err := ingest.New(cfg, ingest.Deps{
		Options: options, Journal: n.journal, Peers: peers, Log: c.log.With(slog.String("node", name)), Registerer: prometheus.NewRegistry(),
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

// leave ends an instance in order, as SIGTERM does.
func (n *node) leave() {
	n.c.Helper()
	n.cancel()
	require.NoError(n.c, <-n.done)
}

// kill ends an instance as others see it: nothing of it is heard any more.
func (n *node) kill() {
	n.harm()
	n.link.Cut()
	n.cancel()
}

// sleep stops an instance, with everything that it has in hand, until it wakes.
func (n *node) sleep() {
	n.harm()
	n.link.Pause()
}

func (n *node) wake() { n.link.Resume() }

// trouble is closed when the instance is dead or asleep.
func (n *node) trouble() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hurt
}

func (n *node) harm() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.hurt:
	default:
		close(n.hurt)
	}
}

// well says that the instance is as good as any again.
func (n *node) well() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.hurt:
		n.hurt = make(chan struct{})
	default:
	}
}

// owned returns how many lanes the instances say they own.
func (c *cluster) owned(nodes ...*node) map[string]int {
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

// spread waits until each lane has an owner among the instances and each of them has one.
func (c *cluster) spread(nodes ...*node) {
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
