package peer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const (
	lanes   = 3
	cluster = "orderledger"
	secret  = "a secret of sixteen bytes or more"
)

func secrets(texts ...string) []setting.Secret {
	out := make([]setting.Secret, len(texts))
	for i, text := range texts {
		out[i] = setting.NewSecret(text)
	}
	return out
}

// kafkaOf returns a Kafka with the ledger's topics.
func kafkaOf(t *testing.T) []string {
	t.Helper()
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, lanes)
	return brokers
}

// instance is a journal and the server for its peers.
type instance struct {
	t       *testing.T
	brokers []string
	url     string
	journal *journal.Journal
	reg     *prometheus.Registry
	stop    func() // Stops the journal, once it runs; may be called more than once.
	before  atomic.Pointer[interceptor]
}

// interceptor answers a request in place of the server, or passes it on to that.
type interceptor func(w http.ResponseWriter, r *http.Request, next http.Handler)

// newInstance serves an instance whose journal does not run yet.
func newInstance(t *testing.T, brokers []string, accepted ...string) *instance {
	t.Helper()
	return newInstanceAt(t, brokers, time.Now, accepted...)
}

// newInstanceAt is newInstance with a clock for the journal.
func newInstanceAt(t *testing.T, brokers []string, now func() time.Time, accepted ...string) *instance {
	t.Helper()
	i := &instance{t: t, brokers: brokers, reg: prometheus.NewRegistry()}
	srv := httptest.NewUnstartedServer(nil)
	i.url = "http://" + srv.Listener.Addr().String()
	var err error
	i.journal, err = journal.New(journal.Config{
		Cluster: cluster, StoreDir: t.TempDir(), Lanes: lanes, Advertise: i.url,
	}, journal.Deps{
		Options: kafka.Options(testkit.KafkaConfig(brokers, lanes)), Log: testkit.Logger(t),
		Decode: marketplace.Decode(marketplace.DefaultSettings()), Now: now,
	})
	require.NoError(t, err)
	front, err := httpx.New(testkit.Logger(t), nil)
	require.NoError(t, err)
	server, err := peer.NewServer(peer.Config{URL: i.url, Secrets: secrets(accepted...)}, peer.Deps{
		Journal: i.journal, HTTP: front, Log: testkit.Logger(t), Registerer: i.reg, Cluster: cluster, Lanes: lanes,
		Marketplace: marketplace.DefaultSettings(), MaxBodyBytes: 1 << 20, CommandTimeout: 30 * time.Second,
	})
	require.NoError(t, err)
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if intercept := i.before.Load(); intercept != nil {
			(*intercept)(w, r, server.Handler())
			return
		}
		server.Handler().ServeHTTP(w, r)
	})
	srv.Start()
	t.Cleanup(srv.Close)
	return i
}

// intercept puts a function before the server.
func (i *instance) intercept(fn interceptor) { i.before.Store(&fn) }

// run runs the journal until the test ends or stop is called.
func (i *instance) run() {
	i.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(i.t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = i.journal.Run(ctx)
	}()
	i.stop = func() { cancel(); <-ended }
	i.t.Cleanup(i.stop)
}

// owned returns the lanes that an instance owns, as it says itself.
func (i *instance) owned() []int32 {
	var out []int32
	for lane := range int32(lanes) {
		ctx, cancel := context.WithTimeout(i.t.Context(), time.Second)
		owner, err := i.journal.Owner(ctx, lane)
		cancel()
		if err == nil && owner.Self {
			out = append(out, lane)
		}
	}
	return out
}

// settle waits until every instance has open lanes, and every lane has an owner.
func settle(t *testing.T, instances ...*instance) {
	t.Helper()
	testkit.Eventually(t, func() bool {
		all := 0
		for _, i := range instances {
			owned := i.owned()
			if len(owned) == 0 || i.journal.Ready() != nil {
				return false
			}
			all += len(owned)
		}
		return all == lanes
	}, "the lanes are shared")
}

// create appends the creation of shipments to the inbox, and waits until the instance has decided them.
func (i *instance) create(ids ...string) {
	i.t.Helper()
	inbox, err := journal.NewInbox(lanes, kafka.Options(testkit.KafkaConfig(i.brokers, lanes))...)
	require.NoError(i.t, err)
	defer inbox.Close()
	for _, id := range ids {
		body := `{"eventType":"shipment_created","timestamp":"2024-03-28T18:03:01+05:30","source":"flipkart",
			"shipmentId":"` + id + `","locationId":"LOC1","attributes":{"shipmentType":"NORMAL","orderItems":[
			{"orderItemId":"I-` + id + `","orderId":"OD1","cancellationGroupId":"g","quantity":1}]}}`
		n, err := marketplace.ParseNotification([]byte(body), marketplace.DefaultSettings())
		require.NoError(i.t, err)
		n = n.For(id, "own")
		_, _, err = inbox.Append(i.t.Context(), journal.InboxRecord{
			ShipmentID: id, SellerID: "own", Key: n.Key(), Hash: n.Hash, AuthType: "marketplace", AuthID: n.Source,
			ReceivedAt: time.Now(), Body: []byte(body),
		})
		require.NoError(i.t, err)
	}
	for _, id := range ids {
		testkit.Eventually(i.t, func() bool {
			ctx, cancel := context.WithTimeout(i.t.Context(), time.Second)
			defer cancel()
			s, err := i.journal.State(ctx, id)
			return err == nil && s != nil
		}, "shipment "+id+" exists")
	}
}

// shipmentIn returns an id that lies in a lane.
func shipmentIn(lane int32) string {
	for i := 0; ; i++ {
		if id := fmt.Sprintf("S%d", i); events.Lane(id, lanes) == lane {
			return id
		}
	}
}

// decisions reads n decisions.
func (i *instance) decisions(n int) []*ledgerv1.Decision {
	i.t.Helper()
	client := testkit.Client(i.t, i.brokers, kgo.ConsumeTopics(events.TopicDecisions),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(i.t.Context(), testkit.Limit)
	defer cancel()
	var out []*ledgerv1.Decision
	for len(out) < n {
		fetches := client.PollFetches(ctx)
		require.NoError(i.t, ctx.Err(), "only %d of %d decisions", len(out), n)
		fetches.EachRecord(func(rec *kgo.Record) {
			_, d, _, err := events.DecodeDecision(kafka.EventRecord(rec))
			require.NoError(i.t, err)
			out = append(out, d)
		})
	}
	return out
}

// refusals reads the counter of refused requests.
func (i *instance) refusals() map[string]int {
	i.t.Helper()
	families, err := i.reg.Gather()
	require.NoError(i.t, err)
	out := map[string]int{}
	for _, family := range families {
		if !strings.HasSuffix(family.GetName(), "peer_requests_refused_total") {
			continue
		}
		for _, metric := range family.GetMetric() {
			out[metric.GetLabel()[0].GetValue()] = int(metric.GetCounter().GetValue())
		}
	}
	return out
}

func newClient(t *testing.T, text string) *peer.Client {
	t.Helper()
	c := peer.NewClient(peer.Config{Secrets: secrets(text)}, cluster)
	t.Cleanup(c.Close)
	return c
}
