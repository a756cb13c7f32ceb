package service_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
)

func TestLimitConnections(t *testing.T) {
	t.Parallel()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var refused atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "served") })
	go func() {
		ended <- service.Serve(ctx, &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute},
			service.LimitConnections(ln, 3, func() { refused.Add(1) }))
	}()
	// ask sends a request on a connection of its own, which it leaves open.
	ask := func() (net.Conn, *http.Response) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", ln.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return conn, resp
	}
	first, resp := ask()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	for range 2 {
		_, resp = ask()
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	for range 5 {
		_, resp = ask()
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Equal(t, "1", resp.Header.Get("Retry-After"))
	}
	require.EqualValues(t, 5, refused.Load())
	require.NoError(t, first.Close())
	testkit.Eventually(t, func() bool { _, resp := ask(); return resp.StatusCode == http.StatusOK }, "a closed connection gives its place back")
	cancel()
	require.NoError(t, <-ended)
}
