package importer_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
	"github.com/orderledger/orderledger/internal/testkit"
)

func answering(t *testing.T, status int, header, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if name, value, found := strings.Cut(header, ": "); found {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// saying answers each connection with a text, and closes it.
func saying(t *testing.T, text string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadByte()
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

func TestImportEndsAtFaults(t *testing.T) {
	t.Parallel()
	secure := httptest.NewTLSServer(&recorder{})
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(&recorder{})
	t.Cleanup(plain.Close)
	for name, tc := range map[string]struct{ url, want string }{
		"no scheme":               {"127.0.0.1:8080", "is not a URL of a service"},
		"no host":                 {"http://", "is not a URL of a service"},
		"another scheme":          {"ftp://127.0.0.1:8080", "want http:// or https://, not ftp://"},
		"port out of range":       {"http://127.0.0.1:99999", "port 99999 is not between 1 and 65535"},
		"query":                   {"http://127.0.0.1:8080?a=b", "want neither a query nor a fragment"},
		"fragment":                {"http://127.0.0.1:8080#a", "want neither a query nor a fragment"},
		"unknown host":            {"http://ledger.invalid:8080", "the host name is unknown"},
		"TLS to a plain server":   {"https" + strings.TrimPrefix(plain.URL, "http"), "use http:// instead of https://"},
		"TLS to no HTTP at all":   {"https://" + saying(t, "220 ready\r\n"), "use http:// instead of https://"},
		"plain to a TLS server":   {"http" + strings.TrimPrefix(secure.URL, "https"), "use https:// instead of http://"},
		"plain to a TLS alert":    {"http://" + saying(t, "\x15\x03\x01\x00\x02\x02\x46"), "use https:// instead of http://"},
		"another protocol":        {"http://" + saying(t, "SSH-2.0-OpenSSH_9.6\r\n"), "the server does not speak HTTP on this port"},
		"unknown authority":       {secure.URL, "SSL_CERT_FILE"},
		"401":                     {answering(t, 401, "", `{"type":"urn:orderledger:problem:unauthorized","detail":"no such token"}`), "401 Unauthorized: no such token"},
		"403":                     {answering(t, 403, "", "go away"), "403 Forbidden: go away"},
		"404 of a ledger":         {answering(t, 404, "", `{"type":"urn:orderledger:problem:not_found","detail":"no such path"}`), "is the URL the base URL of ingest?"},
		"404 of something else":   {answering(t, 404, "", "<html>"), "is the URL the base URL of ingest?"},
		"405":                     {answering(t, 405, "", ""), "is the URL the base URL of ingest?"},
		"501":                     {answering(t, 501, "", "Unsupported method ('POST')"), "is the URL the base URL of ingest?"},
		"redirection":             {answering(t, 302, "Location: https://elsewhere.example/", ""), "redirects to https://elsewhere.example/"},
		"204":                     {answering(t, 204, "", ""), "is the URL the base URL of ingest?"},
		"200 of something else":   {answering(t, 200, "", "<html>It works!</html>"), "is the URL the base URL of ingest?"},
		"200 with something else": {answering(t, 200, "", `{"ok":true}`), "is the URL the base URL of ingest?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := importer.Config{URL: tc.url, Retrying: func(_ int, err error) {
				t.Errorf("tried again after %v", err)
				cancel()
			}}
			result, err := importer.Import(ctx, cfg, strings.NewReader(file(10, 10)))
			require.ErrorContains(t, err, tc.want)
			require.Zero(t, result.Accepted)
			require.Empty(t, result.Refused, "the lines are not at fault")
		})
	}
}

// What concerns one line only is a refusal of it, also from a proxy.
func TestImportContinuesAfterFaultsOfOneLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		body   string
	}{
		{404, `{"type":"urn:orderledger:problem:unknown_seller","detail":"x"}`},
		{422, `{"type":"urn:orderledger:problem:unprocessable","detail":"x"}`},
		{413, `<html>Request Entity Too Large</html>`},
	} {
		server := httptest.NewServer(&recorder{answer: func(body string, _ int) (int, string) {
			if strings.Contains(body, `"n":1`) {
				return tc.status, tc.body
			}
			return http.StatusOK, stored
		}})
		t.Cleanup(server.Close)
		result, err := importer.Import(t.Context(), importer.Config{URL: server.URL}, strings.NewReader(file(2, 3)))
		require.NoError(t, err)
		require.Equal(t, 4, result.Accepted)
		require.Len(t, result.Refused, 2)
		require.Equal(t, tc.status, result.Refused[0].Status)
	}
}

func TestWaitEndsAtFaults(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		answering(t, 404, "", "<html>"), answering(t, 403, "", ""), answering(t, 200, "", "<html>"),
		"https://" + saying(t, "220 ready\r\n"),
	} {
		var fault *importer.FaultError
		require.ErrorAs(t, importer.Wait(t.Context(), url, nil), &fault)
	}
}

// A broker takes HTTP for a request of 1.3 GB. Apache Kafka hangs up, and the embedded one waits for the rest.
func TestImportRecognizesKafka(t *testing.T) {
	t.Parallel()
	_, brokers := testkit.KafkaCluster(t)
	for name, addr := range map[string]string{"a broker that waits": brokers[0], "a broker that hangs up": hangingUp(t, brokers[0])} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const want = "the server is a Kafka broker (give the URL of ingest"
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := importer.Import(ctx, importer.Config{URL: "http://" + addr}, strings.NewReader(file(10, 10)))
			require.ErrorContains(t, err, want)
			_, err = importer.Operator{URL: "http://" + addr}.Progress(ctx)
			require.ErrorContains(t, err, want)
		})
	}
}

// hangingUp passes the requests of Kafka on to a broker, and closes connections on which HTTP arrives.
func hangingUp(t *testing.T, broker string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	serve := func(conn net.Conn) {
		defer conn.Close()
		in := bufio.NewReader(conn)
		if start, err := in.Peek(4); err != nil || start[0] != 0 {
			return
		}
		out, err := new(net.Dialer).DialContext(t.Context(), "tcp", broker)
		if err != nil {
			return
		}
		defer out.Close()
		go func() { _, _ = io.Copy(out, in) }()
		_, _ = io.Copy(conn, out)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String()
}

// A server that takes a request and says nothing, whatever it is, must not look like an import that works.
func TestImportSaysThatServerIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		dial := func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, there) }()
			return here, nil
		}
		silent := &http.Client{Transport: &http.Transport{DialContext: dial}}
		var said []time.Duration
		cfg := importer.Config{
			URL: "http://ledger.invalid", Client: silent,
			Silent: func(line int, since time.Duration) {
				require.Equal(t, 1, line)
				if said = append(said, since); len(said) == 3 {
					cancel()
				}
			},
		}
		_, err := importer.Import(ctx, cfg, strings.NewReader(file(1, 2)))
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []time.Duration{3 * time.Second, 6 * time.Second, 9 * time.Second}, said)
		silent.CloseIdleConnections()
	})
}

// endless is a pipe whose other end sends nothing.
type endless struct{ reading chan struct{} }

func (e endless) Read([]byte) (int, error) {
	close(e.reading)
	select {}
}

// zeros is a file without line ends.
type zeros struct{ once func() }

func (z zeros) Read(p []byte) (int, error) {
	z.once()
	clear(p)
	return len(p), nil
}

func TestImportEndsWithContext(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(&recorder{})
	t.Cleanup(plain.Close)
	t.Run("while the input blocks", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		in := endless{make(chan struct{})}
		go func() { <-in.reading; cancel() }()
		_, err := importer.Import(ctx, importer.Config{URL: plain.URL}, in)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("while a line without end is read", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := importer.Import(ctx, importer.Config{URL: plain.URL}, zeros{cancel})
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("while the service is away", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cfg := importer.Config{URL: answering(t, 503, "Retry-After: 30", ""), Retrying: func(int, error) { cancel() }}
		_, err := importer.Import(ctx, cfg, strings.NewReader(file(100, 100)))
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("while tables are behind", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		url := answering(t, 200, "", `{"caughtUp":false,"behind":{"projector":3}}`)
		err := importer.Wait(ctx, url, func(importer.Progress) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
	})
}
