package ingest_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
	"github.com/orderledger/orderledger/projections"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// slowServer is a ClickHouse that never answers the queries that come while it is stalled.
type slowServer struct {
	addr     string
	stalled  atomic.Bool
	queries  atomic.Int32 // Connections with a query that came while it was stalled.
	canceled atomic.Int32 // Connections on which a client canceled one, or hung up: the server then stops the query.
}

// packetCancel is the number of the packet with which a client cancels its query.
const packetCancel = 3

func newSlowServer(t *testing.T, to string) *slowServer {
	t.Helper()
	s := &slowServer{}
	s.addr = netfault.Serve(t, func(client net.Conn) {
		server, err := new(net.Dialer).DialContext(t.Context(), "tcp", to)
		if err != nil {
			return
		}
		defer server.Close()
		var mute atomic.Bool
		var both sync.WaitGroup
		both.Go(func() {
			defer server.Close()
			buf, greeted := make([]byte, 64<<10), false
			for {
				n, err := client.Read(buf)
				if mute.Load() && (err != nil || buf[0] == packetCancel) {
					s.canceled.Add(1)
					return
				}
				if err != nil {
					return
				}
				// The client's first packet is its greeting, which gets an answer.
				if greeted && s.stalled.Load() && !mute.Swap(true) {
					s.queries.Add(1)
				}
				greeted = true
				if _, err := server.Write(buf[:n]); err != nil {
					return
				}
			}
		})
		both.Go(func() {
			_, _ = io.Copy(writerFunc(func(p []byte) (int, error) {
				if mute.Load() {
					return len(p), nil
				}
				return client.Write(p)
			}), server)
		})
		both.Wait()
	})
	return s
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// slowReadModel returns a pool of a read model whose answers can be held back, and one of the same tables that is
// never slow.
func slowReadModel(t *testing.T) (s *slowServer, slow, fast driver.Conn) {
	t.Helper()
	addr, database := testkit.ClickHouse(t)
	s = newSlowServer(t, addr)
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs, cfg.Database = []string{addr}, database
	require.NoError(t, clickhouse.Migrate(t.Context(), cfg, testkit.Logger(t), projections.Migrations()))
	for _, pool := range []struct {
		conn *driver.Conn
		addr string
	}{{&slow, s.addr}, {&fast, addr}} {
		cfg.Addrs = []string{pool.addr}
		conn, err := clickhouse.Open(cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		*pool.conn = conn
	}
	return s, slow, fast
}

func TestReadsHaveDeadline(t *testing.T) {
	t.Parallel()
	server, slow, _ := slowReadModel(t)
	b := setup(t, slow, func(c *ingest.Config) { c.ReadTimeout = 200 * time.Millisecond })
	answers := func() bool { return b.get("?shipmentIds=S1").status == http.StatusOK }
	testkit.Eventually(t, answers, "reads are answered")
	server.stalled.Store(true)
	for name, path := range map[string]string{
		"by id": "/sellers/v3/shipments?shipmentIds=S1", "by item": "/sellers/v3/shipments?orderItemIds=I1",
		"details": "/sellers/v3/shipments/S1", "labels": "/sellers/v3/shipments/S1/labels", "summary": "/decisions/summary?correlation_id=a",
	} {
		canceled := server.canceled.Load()
		testkit.Eventually(t, func() bool {
			// On a busy machine the time may be over before the query is sent.
			a := b.send(http.MethodGet, path, "", bearer(ownToken)...)
			require.Equal(t, http.StatusServiceUnavailable, a.status, "%s: %s", name, a.body)
			require.Equal(t, "1", a.header.Get("Retry-After"), name)
			return server.canceled.Load() > canceled
		}, "the query of "+name+" is cancelled")
	}
	a := b.send(http.MethodPost, "/sellers/v3/shipments/filter", `{"filter":{"type":"preDispatch","states":["APPROVED"]}}`, bearer(ownToken)...)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
	a = b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"returnIds":["R1"]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "a call finds its return there: %s", a.body)
	server.stalled.Store(false)
	testkit.Eventually(t, answers, "reads are answered again")
}

func TestReadsReturn503WithoutClickHouse(t *testing.T) {
	t.Parallel()
	cfg := clickhouse.DefaultConfig()
	cfg.Addrs = []string{netfault.FreeAddr(t)}
	conn, err := clickhouse.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	b := setup(t, conn, nil)
	for _, a := range []answer{
		b.get("?shipmentIds=S1"),
		b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"returnIds":["R1"]}`, bearer(ownToken)...),
	} {
		require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
		require.Equal(t, "1", a.header.Get("Retry-After"))
	}
	require.NoError(t, b.ingest.Ready(t.Context()))
	require.Error(t, b.ingest.ReadyReads(t.Context()))
}

// Searches that hang occupy all connections of their pool, and calls still find their returns.
func TestCommandsFindReturnDuringSlowSearches(t *testing.T) {
	t.Parallel()
	server, slow, fast := slowReadModel(t)
	quick := func(c *ingest.Config) { c.ReadTimeout = 2 * time.Second }
	b := setup(t, slow, quick, func(d *ingest.Deps) { d.Lookups = fast })
	project(t, fast, aShipment("S1", 2, func(s *ledgerv1.Shipment) {
		s.Returns = []*ledgerv1.Return{{ReturnId: "R1", OrderItemId: "I-S1"}}
	}))
	require.Equal(t, http.StatusOK, b.get("?shipmentIds=S1").status)
	server.stalled.Store(true)
	var searches sync.WaitGroup
	for range 12 {
		searches.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/sellers/v3/shipments/filter",
				strings.NewReader(`{"filter":{"type":"preDispatch","states":["APPROVED"]}}`))
			if err != nil {
				t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+ownToken)
			if resp, err := http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
			}
		})
	}
	testkit.Eventually(t, func() bool { return server.queries.Load() >= 8 }, "all connections are occupied")
	a := b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"returnIds":["R1"]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.Equal(t, "INVALID_SHIPMENTS", a.member(t, "returns", 0, "errorCode"), "it reached the journal, which has no such shipment")
	searches.Wait()
}

// A client that sends its search slowly gets its answer.
func TestReadsDeadlineExcludesBody(t *testing.T) {
	t.Parallel()
	const limit = time.Second
	conn := readModel(t)
	b := setup(t, conn, func(c *ingest.Config) { c.ReadTimeout = limit })
	project(t, conn, aShipment("S1", 2, nil))
	body, slowly := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/sellers/v3/shipments/filter", body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+ownToken)
	go func() {
		_, _ = io.WriteString(slowly, `{"filter":`)
		until := time.Now().Add(limit + 100*time.Millisecond)
		testkit.Eventually(t, func() bool { return time.Now().After(until) }, "the time for the queries is over")
		_, _ = io.WriteString(slowly, `{"type":"preDispatch"}}`)
		_ = slowly.Close()
	}()
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, []string{"S1"}, ids(t, answer{status: resp.StatusCode, body: text}))
}
