package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/testkit"
)

// failing is a read model that fails every query with the error that fail returns for it.
type failing struct {
	driver.Conn

	fail func(ctx context.Context) error
}

func (f failing) Query(ctx context.Context, _ string, _ ...any) (driver.Rows, error) {
	return nil, f.fail(ctx)
}

func (f failing) QueryRow(ctx context.Context, _ string, _ ...any) driver.Row {
	return failedRow{f.fail(ctx)}
}
func (f failing) Select(ctx context.Context, _ any, _ string, _ ...any) error { return f.fail(ctx) }
func (f failing) Exec(ctx context.Context, _ string, _ ...any) error          { return f.fail(ctx) }
func (f failing) Ping(ctx context.Context) error                              { return f.fail(ctx) }

type failedRow struct{ err error }

func (r failedRow) Err() error           { return r.err }
func (r failedRow) Scan(...any) error    { return r.err }
func (r failedRow) ScanStruct(any) error { return r.err }

// fault is something that is broken while a request comes.
type fault struct {
	// queries is what the read model answers; nil if it is not the fault.
	queries func(ctx context.Context) error
	// kafka breaks the brokers; nil if they are not the fault.
	kafka func(t *testing.T, cluster *kfake.Cluster)
	// problem is the name of every problem with 503, if there is only one.
	problem string
}

func answersCode(code int32, message string) func(context.Context) error {
	return func(context.Context) error { return &ch.Exception{Code: code, Message: message} }
}

// faults are those of the servers behind the API.
func faults() map[string]fault {
	return map[string]fault{
		"ClickHouse refuses connections": {queries: func(context.Context) error {
			return &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}},
		"ClickHouse hangs": {queries: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		"ClickHouse is out of memory":        {queries: answersCode(241, "memory limit exceeded")},
		"ClickHouse has too many queries":    {queries: answersCode(202, "too many simultaneous queries")},
		"ClickHouse is read only":            {queries: answersCode(164, "cannot execute query in readonly mode")},
		"ClickHouse has lost its tables":     {queries: answersCode(60, "unknown table")},
		"ClickHouse has lost its database":   {queries: answersCode(81, "unknown database")},
		"ClickHouse has a full disk":         {queries: answersCode(243, "cannot reserve 1.00 MiB, not enough space")},
		"ClickHouse meets the end of a disk": {queries: answersCode(75, "errno: 28, strerror: No space left on device")},
		"ClickHouse denies access":           {queries: answersCode(497, "not enough privileges")},
		"Kafka is away":                      {kafka: func(_ *testing.T, c *kfake.Cluster) { c.Close() }},
		"Kafka has a full disk":              {kafka: fullDisk, problem: "disk_full"},
	}
}

// fullDisk makes a cluster answer as a broker does whose disk is full.
func fullDisk(t *testing.T, cluster *kfake.Cluster) {
	t.Helper()
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError, Count: -1})
	cluster.ControlKey(int16(kmsg.DescribeLogDirs), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
		dir := kmsg.NewDescribeLogDirsResponseDir()
		dir.Dir, dir.UsableBytes, dir.TotalBytes = "/kafka", 0, 1<<30
		resp.Dirs = append(resp.Dirs, dir)
		return resp, nil, true
	})
}

// reach says which server a route needs.
type reach int

const (
	nothing   reach = iota
	onlyKafka       // It writes to the ledger.
	tables          // It asks the read model.
	both            // It asks the read model, and then writes to the ledger.
	progress        // It asks Kafka how far everything is, and writes nothing.
)

// reachOf says what a route needs. A new one is in the matrix by itself: it is taken for one that needs both unless it
// is here, and then it must not answer with 500 either.
func reachOf(pattern string) reach {
	_, path, _ := strings.Cut(pattern, " ")
	switch {
	case pattern == "/":
		return nothing
	case path == "/progress":
		return progress
	case strings.HasPrefix(path, "/notifications"):
		return onlyKafka
	case strings.Contains(path, "/returns/"), strings.Contains(path, "/services/"), strings.Contains(path, "elfServ"):
		return both
	case path == "/decisions/summary", strings.HasPrefix(pattern, "GET"), strings.Contains(path, "/filter"),
		strings.Contains(path, "labelOnly"), strings.HasSuffix(path, "/forms") && strings.Contains(path, "{ids}"):
		return tables
	case strings.HasPrefix(path, "/sellers/v3/shipments"), strings.HasPrefix(path, "/sellers/v2/shipments"):
		return onlyKafka
	default:
		return both
	}
}

// No fault of a server is answered with 500: a route that needs the server says 503, when to come again, and why; any
// other goes on.
func TestRoutesSurviveFaults(t *testing.T) {
	t.Parallel()
	var seen atomic.Int32
	for name, f := range faults() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster, brokers := testkit.KafkaCluster(t)
			testkit.Topics(t, brokers, lanes)
			var conn driver.Conn
			if f.queries != nil {
				conn = failing{fail: f.queries}
			}
			const wait = time.Second // A busy machine must not take it for a fault.
			b := newBundle(t, brokers, conn, func(c *ingest.Config) {
				c.NotificationTimeout, c.CommandTimeout, c.PositionTimeout = wait, wait, wait
				c.ReadTimeout, c.LookupTimeout, c.Workers = wait, wait, false
			}, watched(t))
			b.start()
			testkit.Eventually(t, func() bool { return b.ingest.Ready(t.Context()) == nil }, "all lanes are open")
			b.notify(created("S1"))
			if f.kafka != nil {
				f.kafka(t, cluster)
			}
			// All at once: most of them wait for the end of their time.
			answers := make([]answer, len(b.ingest.Patterns()))
			var sending sync.WaitGroup
			for i, pattern := range b.ingest.Patterns() {
				sending.Go(func() { answers[i] = b.sendTo(pattern) })
			}
			sending.Wait()
			for i, pattern := range b.ingest.Patterns() {
				t.Run(strings.ReplaceAll(pattern, "/", "."), func(t *testing.T) {
					seen.Add(1)
					requireAnswer(t, pattern, answers[i], f)
				})
			}
		})
	}
	t.Cleanup(func() { require.Greater(t, int(seen.Load()), 300, "routes times faults") })
}

// sendTo sends a request to a route that would be served. The zero answer says that there was none.
func (b *bundle) sendTo(pattern string) answer {
	v := orderOf("own", "1")
	method, _, _ := strings.Cut(pattern, " ")
	path, token := pathOf(pattern, v), ownToken
	var body any
	switch {
	case pattern == "/":
		method, path = http.MethodGet, "/nowhere"
	case strings.Contains(pattern, "/notifications"):
		token, body = "", without(notification("shipment_created", v), "returnId")
	case method == http.MethodPost:
		body = call(v, v)
	case path == "/sellers/v3/shipments":
		path += "?shipmentIds=S1"
	case path == "/decisions/summary":
		path += "?correlation_id=a"
	}
	text, err := json.Marshal(body)
	if err != nil {
		return answer{}
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, bytes.NewReader(text))
	if err != nil {
		return answer{}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, got, resp.Close}
}

// requireAnswer requires that a route answers a fault as it should.
func requireAnswer(t *testing.T, pattern string, a answer, f fault) {
	t.Helper()
	require.NotZero(t, a.status, "there was no answer")
	require.NotEqual(t, http.StatusInternalServerError, a.status, "%s", a.body)
	needs := reachOf(pattern)
	byTables := f.queries != nil && (needs == tables || needs == both)
	byKafka := f.kafka != nil && (needs == onlyKafka || needs == progress && f.problem == "")
	switch {
	case f.kafka != nil && (needs == tables || needs == both):
		// These instances have no read model, which is a 503 too.
		require.Contains(t, []int{http.StatusServiceUnavailable, http.StatusUnprocessableEntity}, a.status, "%s", a.body)
	case !byTables && !byKafka:
		require.Less(t, a.status, http.StatusInternalServerError, "it does not need the server: %s", a.body)
	case strings.HasPrefix(pattern, "GET") && strings.Contains(pattern, "/filter"):
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "it has no page token: %s", a.body)
	default:
		require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
		require.NotEmpty(t, a.header.Get("Retry-After"))
		require.NotEmpty(t, a.member(t, "detail"))
		if f.problem != "" {
			// A call that may be stored keeps its name, and says why.
			require.Contains(t, []any{"urn:orderledger:problem:" + f.problem, "urn:orderledger:problem:in_doubt"}, a.member(t, "type"))
			require.Contains(t, a.member(t, "detail"), "is full")
			require.Equal(t, "10", a.header.Get("Retry-After"), "somebody has to act first")
		}
	}
}
