package httpx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/httpx"
)

// serve runs one request through a handler; the log is one line of JSON.
func serve(t *testing.T, h httpx.Handler, r *http.Request) (*httptest.ResponseRecorder, map[string]any) {
	t.Helper()
	var log bytes.Buffer
	s, err := httpx.New(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), nil)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.Handle("GET /x", h).ServeHTTP(w, r)
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line), "%s", log.String())
	require.Equal(t, "request handled", line["msg"])
	return w, line
}

func get(t *testing.T) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", http.NoBody)
}

func TestHandleAnswersAndLogsOnce(t *testing.T) {
	t.Parallel()
	r := get(t)
	r.Header.Set("X-Correlation-Id", "story\x01\n")
	w, line := serve(t, func(_ context.Context, c *httpx.Call) error {
		c.Note(slog.String("found", "it"))
		return c.Respond(map[string]int{"a": 1})
	}, r)
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"a":1}`, w.Body.String())
	require.Equal(t, "story", w.Header().Get("X-Correlation-Id"))
	require.Equal(t, "story", line["correlation_id"])
	require.Equal(t, "it", line["found"])
	require.Equal(t, "GET /x", line["route"])
	require.InDelta(t, 200, line["status"], 0)
	require.Equal(t, "DEBUG", line["level"], "nothing is wrong with it")
}

func TestHandleTurnsErrorsIntoProblems(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		h      httpx.Handler
		status int
		kind   string
		log    string
	}{
		"a problem": {func(context.Context, *httpx.Call) error {
			return httpx.Unavailable.New("the inbox is away").Because(errors.New("no broker")).After(1500 * time.Millisecond)
		}, 503, "unavailable", "no broker"},
		"any other error": {func(context.Context, *httpx.Call) error { return errors.New("a secret") }, 500, "internal", "a secret"},
		"a panic":         {func(context.Context, *httpx.Call) error { panic("a secret") }, 500, "internal", "panic: a secret"},
	} {
		w, line := serve(t, tc.h, get(t))
		require.Equal(t, tc.status, w.Code, name)
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), name)
		require.NotContains(t, w.Body.String(), "secret", name)
		require.Contains(t, w.Body.String(), `"urn:orderledger:problem:`+tc.kind+`"`, name)
		require.Equal(t, tc.kind, line["problem"], name)
		require.Contains(t, line["err"], tc.log, name)
		if tc.kind == "unavailable" {
			require.Equal(t, "2", w.Header().Get("Retry-After"), "rounded up to whole seconds")
		}
	}
}

func TestHandleLogsFaultsOnly(t *testing.T) {
	t.Parallel()
	left, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx   context.Context
		err   error
		level string
	}{
		"the client left":                 {left, fmt.Errorf("read: %w", context.Canceled), "INFO"},
		"the client left, a part is away": {left, httpx.Unavailable.New("no owner").Because(context.Canceled), "INFO"},
		"the client left after a fault":   {left, errors.New("a fault"), "ERROR"},
		"the service cancelled":           {t.Context(), context.Canceled, "ERROR"},
		"a server is away":                {t.Context(), httpx.Unavailable.New("Kafka is away"), "WARN"},
		"the caller is wrong":             {t.Context(), httpx.Unprocessable.New("no ids"), "INFO"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, line := serve(t, func(context.Context, *httpx.Call) error { return c.err }, get(t).WithContext(c.ctx))
			require.Equal(t, c.level, line["level"])
		})
	}
}

func TestCallBodyHasALimit(t *testing.T) {
	t.Parallel()
	read := func(_ context.Context, c *httpx.Call) error {
		body, err := c.Body(4)
		if err != nil {
			return err
		}
		c.Bytes(http.StatusOK, body)
		return nil
	}
	for body, status := range map[string]int{"": 200, "four": 200, "fives": 413} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/x", strings.NewReader(body))
		w, _ := serve(t, read, r)
		require.Equal(t, status, w.Code, body)
	}
}

func TestServerDrains(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	s, err := httpx.New(nil, reg)
	require.NoError(t, err)
	h := s.Handle("GET /x", func(_ context.Context, c *httpx.Call) error { return c.Respond(nil) })
	closes := func() string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, get(t))
		return w.Header().Get("Connection")
	}
	require.Empty(t, closes())
	s.Drain()
	require.True(t, s.Draining())
	require.Equal(t, "close", closes())
	families, err := reg.Gather()
	require.NoError(t, err)
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	require.Equal(t, []string{
		"orderledger_ingest_overload_refused_total",
		"orderledger_ingest_request_duration_seconds",
		"orderledger_ingest_requests_total",
	}, names)
}

// A sender gives up a notification that gets 400.
func TestBodyTooLateIsRepeatable(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/x", iotest.ErrReader(os.ErrDeadlineExceeded))
	w, _ := serve(t, func(_ context.Context, c *httpx.Call) error {
		_, err := c.Body(1 << 10)
		return err
	}, r)
	require.Equal(t, http.StatusRequestTimeout, w.Code)
	require.Equal(t, "close", w.Header().Get("Connection"))
}
