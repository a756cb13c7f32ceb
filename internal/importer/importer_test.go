package importer_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/importer"
)

// stored is the answer of a ledger to a notification that it has stored.
const stored = `{"key":"k","lane":0,"inboxOffset":1}`

// refused is the answer of a ledger to a notification that it refuses.
const refused = `{"type":"urn:orderledger:problem:unreadable","title":"Bad Request","detail":"not JSON at byte 0"}`

// recorder is a service that responds as answer decides, and records the bodies in the order of their 200s.
type recorder struct {
	mu     sync.Mutex
	got    []string
	tries  map[string]int
	answer func(body string, try int) (int, string)
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tries == nil {
		r.tries = map[string]int{}
	}
	r.tries[string(body)]++
	status, text := http.StatusOK, stored
	if r.answer != nil {
		status, text = r.answer(string(body), r.tries[string(body)])
	}
	if status == http.StatusOK {
		r.got = append(r.got, string(body))
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func file(shipments, each int) string {
	var b strings.Builder
	for n := range each {
		for s := range shipments {
			fmt.Fprintf(&b, `{"shipmentId":"s%d","n":%d}`+"\n", s, n)
		}
	}
	return b.String()
}

func TestImportKeepsOrderAcrossRetries(t *testing.T) {
	t.Parallel()
	rec := &recorder{answer: func(body string, try int) (int, string) {
		if len(body)%3 == 0 && try < 3 || strings.Contains(body, `"n":2`) && try == 1 {
			return http.StatusServiceUnavailable, "moving"
		}
		return http.StatusOK, stored
	}}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)

	result, err := importer.Import(t.Context(), importer.Config{URL: srv.URL}, strings.NewReader(file(20, 6)))
	require.NoError(t, err)
	require.Equal(t, 120, result.Lines)
	require.Equal(t, 120, result.Accepted)
	require.Empty(t, result.Refused)
	require.Positive(t, result.Retries)

	next := map[string]string{}
	form := regexp.MustCompile(`"shipmentId":"(s\d+)","n":(\d+)`)
	for _, body := range rec.got {
		m := form.FindStringSubmatch(body)
		require.Less(t, next[m[1]], m[2]+"x", "order of %s", m[1])
		next[m[1]] = m[2] + "x"
	}
}

func TestImportReportsRefusedLines(t *testing.T) {
	t.Parallel()
	rec := &recorder{answer: func(body string, _ int) (int, string) {
		if !strings.HasPrefix(body, "{") {
			return http.StatusBadRequest, refused
		}
		return http.StatusOK, stored
	}}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)

	in := "{\"shipmentId\":\"a\"}\n\n\xff\xfe\n{\"shipmentId\":\"b\"}\r\nnonsense"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := io.WriteString(z, in)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for _, r := range []io.Reader{strings.NewReader(in), &zipped} {
		result, err := importer.Import(t.Context(), importer.Config{URL: srv.URL, Concurrency: 1}, r)
		require.NoError(t, err)
		require.Equal(t, 4, result.Lines)
		require.Equal(t, 2, result.Accepted)
		require.Equal(t, []importer.Refusal{
			{Line: 3, Status: 400, Reason: "not JSON at byte 0"},
			{Line: 5, Status: 400, Reason: "not JSON at byte 0"},
		}, result.Refused)
	}
}

func TestImportCancelledNamesTheLine(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(&recorder{answer: func(string, int) (int, string) { return http.StatusBadGateway, "" }})
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := importer.Import(ctx, importer.Config{
		URL:      srv.URL,
		Retrying: func(int, error) { cancel() },
	}, strings.NewReader(file(1, 1)))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "line 1")
}

func TestImportRefusesTooLongLine(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(&recorder{})
	t.Cleanup(srv.Close)
	in := "{" + strings.Repeat("x", importer.MaxLineBytes) + "\n" + file(1, 1)
	result, err := importer.Import(t.Context(), importer.Config{URL: srv.URL}, strings.NewReader(in))
	require.NoError(t, err)
	require.Equal(t, 2, result.Lines)
	require.Equal(t, 1, result.Accepted)
	require.Len(t, result.Refused, 1)
	require.Equal(t, 1, result.Refused[0].Line)
}

func TestImportKeepsReturnsBehindShipment(t *testing.T) {
	t.Parallel()
	rec := &recorder{answer: func(body string, try int) (int, string) {
		if try == 1 && !strings.Contains(body, "return_completed") {
			return http.StatusServiceUnavailable, "" // A line that is sent too early would overtake this one.
		}
		return http.StatusOK, stored
	}}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)
	lines := []string{
		`{"eventType":"shipment_delivered","shipmentId":"s"}`,
		`{"eventType":"return_created","returnId":"r","attributes":{"returnItems":[{"orderItemId":"i","shipmentId":"s"}]}}`,
		`{"eventType":"return_completed","returnId":"r","attributes":{"returnItems":[{"orderItemId":"i"}]}}`,
	}
	_, err := importer.Import(t.Context(), importer.Config{URL: srv.URL}, strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	require.Equal(t, lines, rec.got)
}

// Two sellers have returns of one id: each keeps its order behind its own shipment.
func TestImportKeepsReturnsOfTwoSellers(t *testing.T) {
	t.Parallel()
	rec := &recorder{answer: func(body string, try int) (int, string) {
		if try < 3 && strings.Contains(body, "shipment_delivered") {
			return http.StatusServiceUnavailable, "" // A line that is sent too early would overtake this one.
		}
		return http.StatusOK, stored
	}}
	srv := httptest.NewServer(rec)
	t.Cleanup(srv.Close)
	created := `{"eventType":"return_created","sellerId":"%[1]s","returnId":"r","attributes":{"returnItems":[{"orderItemId":"i","shipmentId":"%[1]s-1"}]}}`
	delivered := `{"eventType":"shipment_delivered","sellerId":"%[1]s","shipmentId":"%[1]s-1"}`
	var lines []string
	for i := range 16 {
		seller := fmt.Sprintf("seller-%d", i)
		lines = append(lines, fmt.Sprintf(delivered, seller), fmt.Sprintf(created, seller))
	}
	_, err := importer.Import(t.Context(), importer.Config{URL: srv.URL}, strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	for i := 0; i < len(lines); i += 2 {
		require.Less(t, slices.Index(rec.got, lines[i]), slices.Index(rec.got, lines[i+1]), lines[i])
	}
}

func TestImportMarksHistory(t *testing.T) {
	t.Parallel()
	for _, history := range []bool{false, true} {
		var got []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, stored)
			got = r.Header.Values("Ledger-History")
		}))
		t.Cleanup(server.Close)
		cfg := importer.Config{URL: server.URL, History: history}
		_, err := importer.Import(t.Context(), cfg, strings.NewReader("{}\n"))
		require.NoError(t, err)
		require.Equal(t, history, slices.Equal(got, []string{"true"}), "%v", got)
	}
}

func TestImportSendsToken(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{"": "", "a-notification-token": "Bearer a-notification-token"} {
		var got atomic.Value
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, stored)
			got.Store(r.Header.Get("Authorization"))
		}))
		t.Cleanup(server.Close)
		_, err := importer.Import(t.Context(), importer.Config{URL: server.URL, Token: token}, strings.NewReader("{}\n"))
		require.NoError(t, err)
		require.Equal(t, want, got.Load())
	}
}

func TestOperatorNeedsToken(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer operator":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"detail":"set the token"}`)
		case r.URL.Path == "/progress":
			_, _ = io.WriteString(w, `{"caughtUp":true}`)
		default:
			_, _ = io.WriteString(w, `{"outcomes":{"`+r.URL.Query().Get("correlation_id")+`":2}}`)
		}
	}))
	t.Cleanup(server.Close)
	err := importer.Wait(t.Context(), server.URL, nil)
	require.ErrorIs(t, err, importer.ErrToken, "waiting longer does not help")
	require.ErrorContains(t, err, "set the token")
	operator := importer.Operator{URL: server.URL, Token: "operator"}
	require.NoError(t, operator.Wait(t.Context(), nil))
	outcomes, _, err := operator.Summary(t.Context(), "a&b")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"a&b": 2}, outcomes)
}
