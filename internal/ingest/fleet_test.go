package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

const peerSecret = "a secret of sixteen bytes or more"

// member is one of several instances of ingest. A test can intercept the requests of the others to it.
type member struct {
	*bundle
	peerURL string
	peers   *httptest.Server
	before  atomic.Pointer[interceptor]
}

// interceptor answers a request in place of a member's peer handler, or passes it on to that.
type interceptor func(w http.ResponseWriter, r *http.Request, next http.Handler)

// fleet is several members on one Kafka.
type fleet struct {
	t       *testing.T
	brokers []string
	members []*member
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, lanes)
	return &fleet{t: t, brokers: brokers}
}

// member returns an instance that others can reach. The test starts it, and calls settle.
func (f *fleet) member(change func(*ingest.Config)) *member {
	f.t.Helper()
	m := &member{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if intercept := m.before.Load(); intercept != nil {
			(*intercept)(w, r, m.ingest.PeerHandler())
			return
		}
		m.ingest.PeerHandler().ServeHTTP(w, r)
	}))
	f.t.Cleanup(srv.Close)
	m.peerURL, m.peers = srv.URL, srv
	m.bundle = newBundle(f.t, f.brokers, nil, func(c *ingest.Config) {
		c.Peers = peer.Config{
			Addr: "127.0.0.1:0", URL: srv.URL, Secrets: secrets(peerSecret), AttemptTimeout: 2 * time.Second, HandOverTimeout: 10 * time.Second,
		}
		if change != nil {
			change(c)
		}
	})
	f.members = append(f.members, m)
	return m
}

// secrets returns secrets that instances share.
func secrets(texts ...string) []setting.Secret {
	out := make([]setting.Secret, len(texts))
	for i, text := range texts {
		out[i] = setting.NewSecret(text)
	}
	return out
}

// pair starts two members and waits until each owns lanes.
func (f *fleet) pair(change func(*ingest.Config)) (a, b *member) {
	f.t.Helper()
	a, b = f.member(change), f.member(change)
	a.start()
	b.start()
	f.settle()
	return a, b
}

// intercept puts a function before the member's peer handler.
func (m *member) intercept(fn interceptor) { m.before.Store(&fn) }

// owned returns the lanes that a member owns, as it says itself.
func (m *member) owned() []int32 {
	var out []int32
	for lane := range int32(lanes) {
		ctx, cancel := context.WithTimeout(m.t.Context(), time.Second)
		owner, err := m.journal.Owner(ctx, lane)
		cancel()
		if err == nil && owner.Self {
			out = append(out, lane)
		}
	}
	return out
}

// settle waits until every member has open lanes, and each lane has one owner.
func (f *fleet) settle() {
	f.t.Helper()
	testkit.Eventually(f.t, func() bool {
		all := 0
		for _, m := range f.members {
			owned := m.owned()
			if len(owned) == 0 || m.journal.Ready() != nil {
				return false
			}
			all += len(owned)
		}
		return all == lanes
	}, "the lanes are shared")
}

// state waits for a state of a shipment, wherever its lane is.
func (f *fleet) state(shipmentID string, want func(*ledgerv1.Shipment) bool) {
	f.t.Helper()
	testkit.Eventually(f.t, func() bool {
		for _, m := range f.members {
			ctx, cancel := context.WithTimeout(f.t.Context(), time.Second)
			s, err := m.journal.State(ctx, shipmentID)
			cancel()
			if err == nil && s != nil && want(s) {
				return true
			}
		}
		return false
	}, "shipment "+shipmentID+" reaches the state")
}

// shipmentIn returns the n-th id that lies in a lane.
func shipmentIn(lane int32, n int) string {
	for i := 0; ; i++ {
		id := fmt.Sprintf("S%d", i)
		if events.Lane(id, lanes) != lane {
			continue
		}
		if n == 0 {
			return id
		}
		n--
	}
}

// create creates shipments, and waits until their owners have decided that.
func (f *fleet) create(by *member, ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		by.notify(created(id))
	}
	for _, id := range ids {
		f.state(id, func(*ledgerv1.Shipment) bool { return true })
	}
}

// labelsOfAll returns the body of one call for several shipments.
func labelsOfAll(ids ...string) string {
	items := make([]string, len(ids))
	for i, id := range ids {
		one := labelsOf(id)
		items[i] = one[strings.Index(one, "[")+1 : strings.LastIndex(one, "]")]
	}
	return `{"shipments":[` + strings.Join(items, ",") + `]}`
}

func (m *member) labelsOfAll(ids ...string) answer {
	m.t.Helper()
	return m.send(http.MethodPost, "/sellers/v3/shipments/labels", labelsOfAll(ids...), bearer(ownToken)...)
}

// counted returns a counter, or the number of observations of a histogram, by the values of its labels.
func (b *bundle) counted(name string, labels ...string) int {
	b.t.Helper()
	families, err := b.reg.Gather()
	require.NoError(b.t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var values []string
			for _, label := range metric.GetLabel() {
				values = append(values, label.GetValue())
			}
			if family.GetName() != name || strings.Join(values, " ") != strings.Join(labels, " ") {
				continue
			}
			if metric.GetHistogram() != nil {
				return int(metric.GetHistogram().GetSampleCount())
			}
			return int(metric.GetCounter().GetValue())
		}
	}
	return 0
}
