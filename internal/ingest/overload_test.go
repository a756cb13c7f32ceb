package ingest_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/testkit"
)

// The half-open requests of TestIngestSurvivesHalfOpenPosts. Some of them send a part of the body.
const (
	halfOpen      = 5000
	halfOpenLarge = 1000
	largePart     = 256 << 10
)

// Half-open requests take little memory, and the instance goes on answering.
//
//nolint:paralleltest // It measures the memory of the process.
func TestIngestSurvivesHalfOpenPosts(t *testing.T) {
	n := halfOpen
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	if most := int(min(files.Cur, 1<<20)/2) - 1000; n > most { // Both ends are in this process.
		t.Logf("only %d connections: at most %d files may be open", most, files.Cur)
		n = most
	}
	b := setup(t, nil, func(c *ingest.Config) { c.Addr, c.Workers = "127.0.0.1:0", false })
	addr, err := b.ingest.Addr(t.Context())
	require.NoError(t, err)
	before := memory()
	conns := make(chan net.Conn, n)
	t.Cleanup(func() {
		for conn := range conns {
			_ = conn.Close()
		}
	})
	part := bytes.Repeat([]byte(" "), largePart)
	work := make(chan int)
	var opening sync.WaitGroup
	for range 16 {
		opening.Go(func() {
			for i := range work {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
				if err != nil {
					t.Error(err)
					continue
				}
				conns <- conn
				_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
				_, _ = io.WriteString(conn, "POST /notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
				if i < halfOpenLarge {
					_, _ = conn.Write(part) // It fails if the server has refused the body.
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	opening.Wait()
	close(conns)

	took := memory() - before
	t.Logf("%d half-open requests take %d MiB", n, took>>20)
	require.Less(t, took, int64(400<<20))
	require.Positive(t, b.counted("orderledger_ingest_overload_refused_total", "bodies"), "large bodies were refused")
	b.url = "http://" + addr
	b.notify(created("S1"))
	require.Equal(t, http.StatusOK, b.labels("S1", ownToken).status)
}

// memory returns the memory in use, after a collection.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func TestIngestRefusesLargeBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Addr, c.Workers, c.BodyBytes = "127.0.0.1:0", false, 100<<10 })
	addr, err := b.ingest.Addr(t.Context())
	require.NoError(t, err)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
	require.NoError(t, err)
	_, _ = conn.Write(bytes.Repeat([]byte(" "), 200<<10))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, "the rest of the body is not awaited")
	require.Equal(t, "1", resp.Header.Get("Retry-After"))
	require.True(t, resp.Close)
	b.url = "http://" + addr
	b.notify(created("S1"))
	require.Equal(t, http.StatusBadRequest, b.send(http.MethodPost, "/notifications", `{"a":"`+string(bytes.Repeat([]byte("b"), 60<<10))+`"}`).status,
		"its memory is free again")
}

// Clients that fill the memory for bodies of an instance do not cut it off from the others.
func TestPeersHaveBodiesOfTheirOwn(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) {
		// The call ends before the unfinished body does, after 15 seconds.
		c.Workers, c.BodyBytes, c.CommandTimeout = false, 300<<10, 5*time.Second
	})
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	large := strings.Replace(labelsOf(id), `"locationId"`, `"padding":"`+strings.Repeat("x", 100<<10)+`","locationId"`, 1)
	testkit.Eventually(t, func() bool {
		// Another one each time: one that still grows while a call is read may be refused itself.
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "POST /notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
		_, _ = conn.Write(bytes.Repeat([]byte(" "), 200<<10)) // The buffer grows to 256 KiB.
		return b.send(http.MethodPost, "/sellers/v3/shipments/labels", large, bearer(ownToken)...).status == http.StatusServiceUnavailable
	}, "the memory of b is in use")
	got := a.send(http.MethodPost, "/sellers/v3/shipments/labels", large, bearer(ownToken)...)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	require.Equal(t, "SUCCESS", got.member(t, "shipments", 0, "status"), "%s", got.body)
}

// An owner that is too busy to read a call has certainly not executed it.
func TestRouterKnowsOverload(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(func(c *ingest.Config) { c.Workers, c.CommandTimeout = false, 500*time.Millisecond })
	id := shipmentIn(b.owned()[0], 0)
	f.create(a, id)
	for body, kind := range map[string]string{
		`{"type":"urn:orderledger:problem:unavailable","status":503}`: "unavailable",
		`{"type":"about:blank","status":503}`:                         "in_doubt",
		`upstream connect error`:                                      "in_doubt", // A proxy may have lost the answer.
	} {
		b.intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, body)
		})
		testkit.Eventually(t, func() bool {
			// The deadline may pass while an answer is on its way, which leaves that call in doubt.
			return a.labelsOfAll(id).member(t, "type") == "urn:orderledger:problem:"+kind
		}, body+" is "+kind)
	}
}
