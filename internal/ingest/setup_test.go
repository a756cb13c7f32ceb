package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const lanes = 3

const (
	ownToken   = "token-of-own"
	otherToken = "token-of-other"
)

// bundle is one instance of ingest under test: Kafka, journal and HTTP.
type bundle struct {
	t       *testing.T
	brokers []string
	url     string
	journal *journal.Journal
	ingest  *ingest.Ingest
	reg     *prometheus.Registry
	blobs   string

	cfg  ingest.Config
	deps ingest.Deps
	stop func() // Stops it before the end of the test; may be called more than once.
}

func testSellers() sellers.Config {
	return sellers.Config{Open: true, Sellers: []sellers.Seller{
		{ID: "own", Token: ownToken, PolicyConfig: sellers.PolicyConfig{Own: true}, Name: "Own Goods", GSTIN: "29ABC"},
		{ID: "other", Tokens: []string{otherToken}, PolicyConfig: sellers.PolicyConfig{Own: true}},
	}}
}

// setup starts a bundle. change may alter the configuration, and deps the dependencies; conn may be nil.
func setup(t *testing.T, conn driver.Conn, change func(*ingest.Config), deps ...func(*ingest.Deps)) *bundle {
	t.Helper()
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, lanes)
	b := newBundle(t, brokers, conn, change, deps...)
	b.start()
	testkit.Eventually(t, func() bool { return b.ingest.Ready(t.Context()) == nil }, "all lanes are open")
	return b
}

// newBundle returns an instance on brokers that have the topics. Call start to run it.
func newBundle(
	t *testing.T, brokers []string, conn driver.Conn, change func(*ingest.Config), changeDeps ...func(*ingest.Deps),
) *bundle {
	t.Helper()
	b := &bundle{t: t, brokers: brokers, reg: prometheus.NewRegistry(), blobs: t.TempDir()}
	options := kafka.Options(testkit.KafkaConfig(brokers, lanes))
	cfg := ingest.DefaultConfig()
	cfg.Addr, cfg.Lanes, cfg.Sellers, cfg.RatePerSecond = "", lanes, testSellers(), 0
	cfg.BlobDir, cfg.ResolverDir = b.blobs, t.TempDir()
	if change != nil {
		change(&cfg)
	}
	log := testkit.Logger(t)
	directory := sellers.New(cfg.Sellers)
	b.cfg = cfg
	b.deps = ingest.Deps{
		Options: options, ClickHouse: conn, Log: log, Registerer: b.reg, Peers: peer.NewClient(cfg.Peers, cfg.Cluster),
	}
	deps := journal.Deps{Options: options, Decode: marketplace.Decode(cfg.Marketplace), Policy: directory.Policy, Log: log}
	if b.deps.Peers != nil {
		deps.AskRelease = b.deps.Peers.AskRelease
	}
	var err error
	b.journal, err = journal.New(journal.Config{
		Cluster: cfg.Cluster, StoreDir: t.TempDir(), Lanes: lanes, Advertise: cfg.Peers.URL,
	}, deps)
	require.NoError(t, err)
	b.deps.Journal = b.journal
	for _, change := range changeDeps {
		change(&b.deps)
	}
	b.ingest, err = ingest.New(cfg, b.deps)
	require.NoError(t, err)
	return b
}

// start runs the journal and the units, and serves the API, until the test ends or stop is called.
func (b *bundle) start() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = b.journal.Run(ctx) })
	for _, unit := range b.ingest.Units() {
		running.Go(func() {
			if err := unit.Run(ctx); err != nil && ctx.Err() == nil {
				b.t.Errorf("unit %s: %v", unit.Name, err)
			}
		})
	}
	srv := httptest.NewServer(b.ingest.Handler())
	b.stop = sync.OnceFunc(func() {
		srv.Close()
		cancel()
		running.Wait()
		b.ingest.Close()
		b.deps.Peers.Close()
	})
	b.t.Cleanup(b.stop)
	b.url = srv.URL
}

// serve serves an instance whose units do not run.
func serve(t *testing.T, in *ingest.Ingest) string {
	t.Helper()
	srv := httptest.NewServer(in.Handler())
	t.Cleanup(srv.Close)
	return srv.URL
}

type answer struct {
	status int
	header http.Header
	body   []byte
	last   bool // It closed the connection.
}

// member returns a member of the JSON answer by its path.
func (a answer) member(t *testing.T, path ...any) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(a.body, &v), "%s", a.body)
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			require.True(t, ok, "%v in %s", path, a.body)
			v = m[step]
		case int:
			l, ok := v.([]any)
			require.True(t, ok && step < len(l), "%v in %s", path, a.body)
			v = l[step]
		}
	}
	return v
}

// send sends a request; headers are pairs of name and value.
func (b *bundle) send(method, path, body string, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, bytes.NewReader([]byte(body)))
	require.NoError(b.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header[headers[i]] = []string{headers[i+1]} // Not canonical: some names have underscores.
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b.t, err)
	return answer{resp.StatusCode, resp.Header, text, resp.Close}
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

func (b *bundle) notify(body string) answer {
	b.t.Helper()
	a := b.send(http.MethodPost, "/notifications/own", body, "X-Correlation-Id", "story")
	require.Equal(b.t, http.StatusOK, a.status, "%s", a.body)
	return a
}

// state waits for a state of a shipment.
func (b *bundle) state(shipmentID string, want func(*ledgerv1.Shipment) bool) *ledgerv1.Shipment {
	b.t.Helper()
	var last *ledgerv1.Shipment
	testkit.Eventually(b.t, func() bool {
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		s, err := b.journal.State(ctx, shipmentID)
		if err == nil && s != nil {
			last = s
		}
		return last != nil && want(last)
	}, "shipment "+shipmentID+" reaches the state")
	return last
}

func status(want ledgerv1.Status) func(*ledgerv1.Shipment) bool {
	return func(s *ledgerv1.Shipment) bool { return s.GetStatus() == want }
}

// decisions reads decisions until it has n of them.
func (b *bundle) decisions(n int) []*ledgerv1.Decision {
	b.t.Helper()
	client := testkit.Client(b.t, b.brokers, kgo.ConsumeTopics(events.TopicDecisions),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(b.t.Context(), testkit.Limit)
	defer cancel()
	var out []*ledgerv1.Decision
	for len(out) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(b.t, ctx.Err(), "only %d of %d decisions", len(out), n)
		fetches.EachRecord(func(rec *kgo.Record) {
			_, d, _, err := events.DecodeDecision(kafka.EventRecord(rec))
			require.NoError(b.t, err)
			out = append(out, d)
		})
	}
	return out
}

// created returns a shipment_created with one item of two units.
func created(shipmentID string) string {
	return `{"eventType":"shipment_created","timestamp":"2024-03-28T18:03:01+05:30","source":"flipkart","version":"v3",
	"locationId":"LOC1","shipmentId":"` + shipmentID + `","attributes":{"dispatchByDate":"2024-04-10T10:00:00+05:30",
	"dispatchAfterDate":"2024-03-28T19:00:00+05:30","updatedAt":"2024-03-28T18:03:01+05:30","hold":false,"mps":false,
	"shipmentType":"NORMAL","subShipments":[{"subShipmentId":"SS-1","packages":[]}],
	"orderItems":[{"orderItemId":"I-` + shipmentID + `","orderId":"OD1","cancellationGroupId":"grp-` + shipmentID + `",
	"orderDate":"2024-03-28T17:00:00+05:30","paymentType":"COD","status":"APPROVED","quantity":2,"sku":"SKU-1","title":"Phone",
	"priceComponents":{"sellingPrice":199.90,"shippingCharge":0.10,"totalPrice":200}}],"forms":[]}}`
}

func labelsOf(shipmentID string) string {
	return `{"shipments":[{"shipmentId":"` + shipmentID + `","locationId":"LOC1","taxItems":[{"orderItemId":"I-` + shipmentID + `","taxRate":18,"quantity":2}],
	"invoices":[{"orderId":"OD1","invoiceDate":"2024-03-29","invoiceNumber":""}],
	"subShipments":[{"subShipmentId":"SS-1","dimensions":{"length":1,"breadth":2,"height":3,"weight":0.5}}]}]}`
}
