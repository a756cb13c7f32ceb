package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestAdminReportsReadiness(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	require.NoError(t, service.ExportVersion(reg, "ingest"))
	require.NoError(t, service.ExportVersion(nil, "ingest"))
	var notReady error
	ready := func(context.Context) error { return notReady }
	admin := service.NewAdmin(service.AdminConfig{}, testkit.Logger(t), reg, ready)
	admin.Handle("GET /boot", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "beef") }))
	srv := httptest.NewServer(admin.Handler())
	t.Cleanup(srv.Close)

	code, body := get(t, srv.URL+"/metrics")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, `orderledger_build_info{go="go`)
	require.Contains(t, body, `program="ingest"`)

	code, _ = get(t, srv.URL+"/readyz")
	require.Equal(t, http.StatusOK, code)
	notReady = errors.New("lane 3 is opening")
	code, body = get(t, srv.URL+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "lane 3 is opening\n", body)
	code, _ = get(t, srv.URL+"/healthz")
	require.Equal(t, http.StatusOK, code, "the process runs all the same")
	admin.HandleReady("/readyz/parts/{part}", func(r *http.Request) error {
		if r.PathValue("part") == "2" {
			return errors.New("part 2 is away")
		}
		return nil
	})
	code, _ = get(t, srv.URL+"/readyz/parts/1")
	require.Equal(t, http.StatusOK, code, "each part has a check of its own")
	code, body = get(t, srv.URL+"/readyz/parts/2")
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "part 2 is away\n", body)
	_, body = get(t, srv.URL+"/boot")
	require.Equal(t, "beef", body)

	code, _ = get(t, srv.URL+"/debug/pprof/heap")
	require.Equal(t, http.StatusNotFound, code, "the address may be that of an API")
	admin.HandleProfiles()
	code, _ = get(t, srv.URL+"/debug/pprof/heap")
	require.Equal(t, http.StatusOK, code)
}

func TestAdminRefusesOtherMethods(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for name, rest := range map[string]http.Handler{
		"alone":         nil,
		"beside an API": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := service.NewAdmin(service.AdminConfig{}, testkit.Logger(t), prometheus.NewRegistry(), nil)
			admin.Handle("POST /lanes/{lane}/retry", ok)
			admin.HandleReady("/readyz/lanes/{lane}", func(*http.Request) error { return nil })
			elsewhere := http.StatusNotFound
			if rest != nil {
				admin.HandleRest(rest)
				elsewhere = http.StatusTeapot
			}
			answer := func(method, path string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				admin.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
				return w
			}
			for _, path := range []string{"/healthz", "/readyz", "/readyz/lanes/3", "/metrics", "/version"} {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					require.Equal(t, http.StatusOK, answer(method, path).Code, "%s %s", method, path)
				}
				for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
					refused := answer(method, path)
					require.Equal(t, http.StatusMethodNotAllowed, refused.Code, "%s %s", method, path)
					require.Equal(t, "GET, HEAD", refused.Header().Get("Allow"), "%s %s", method, path)
				}
			}
			require.Equal(t, http.StatusOK, answer(http.MethodPost, "/lanes/3/retry").Code)
			refused := answer(http.MethodGet, "/lanes/3/retry")
			require.Equal(t, http.StatusMethodNotAllowed, refused.Code)
			require.Equal(t, http.MethodPost, refused.Header().Get("Allow"))
			require.Equal(t, elsewhere, answer(http.MethodPost, "/healthy").Code)
			require.Equal(t, elsewhere, answer(http.MethodGet, "/").Code)
		})
	}
}

func TestServeFinishesRequestsOnStop(t *testing.T) {
	t.Parallel()
	admin := service.NewAdmin(service.AdminConfig{Addr: "127.0.0.1:0"}, testkit.Logger(t), nil, nil)
	inHand := make(chan struct{})
	stopping := make(chan struct{})
	admin.Handle("GET /slow", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(inHand)
		<-stopping
		if r.Context().Err() == nil {
			_, _ = io.WriteString(w, "done")
		}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx, testkit.Logger(t), admin.Unit()) }()
	addr, err := admin.Addr(t.Context())
	require.NoError(t, err)
	go func() {
		<-inHand
		cancel()
		close(stopping)
	}()
	_, body := get(t, "http://"+addr+"/slow")
	require.Equal(t, "done", body)
	require.NoError(t, <-ended)
}

func TestAdminFailsOnAnAddressInUse(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	admin := service.NewAdmin(service.AdminConfig{Addr: taken.Listener.Addr().String()}, testkit.Logger(t), nil, nil)
	require.ErrorContains(t, service.Run(t.Context(), testkit.Logger(t), admin.Unit()), "admin: listen")
}

func TestLoggerNamesTheProgram(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := service.Logger(&out, slog.LevelInfo, "projector")
	log.DebugContext(t.Context(), "hidden")
	log.InfoContext(t.Context(), "shown", slog.Int("lane", 3))
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, "shown", line["msg"])
	require.Equal(t, "projector", line["program"])
	require.EqualValues(t, 3, line["lane"])
}
