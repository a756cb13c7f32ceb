package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ingestOf is a service that refuses the lines that contain "bad".
func ingestOf(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "bad") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"type":"urn:orderledger:problem:unreadable","detail":"that is bad"}`)
			return
		}
		_, _ = io.WriteString(w, `{"key":"k"}`)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// importing runs the command, and returns what it printed to its output and to its standard error.
func importing(ctx context.Context, t *testing.T, text string, args ...string) (out, stderr string, err error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "notifications.ndjson")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	cmd := importCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	var stdout, errOut bytes.Buffer
	cmd.SetOut(&stdout)
	cmd.SetErr(&errOut)
	cmd.SetArgs(append(args, name))
	err = cmd.ExecuteContext(ctx)
	return stdout.String(), errOut.String(), err
}

// An error of a command is its exit code 1.
func TestImportFailsWhenLinesAreRefused(t *testing.T) {
	t.Parallel()
	out, _, err := importing(t.Context(), t, "{}\n{\"bad\":1}\n{}\n", "--url", ingestOf(t))
	require.ErrorContains(t, err, "the service refused 1 of 3 lines")
	require.Contains(t, out, "3 lines: 2 accepted, 1 refused")
	require.Contains(t, out, "  line 2: 400 that is bad\n")

	out, stderr, err := importing(t.Context(), t, "\ufeff{}\r\n{}\r\n", "--url", ingestOf(t))
	require.NoError(t, err)
	require.Contains(t, out, "2 lines: 2 accepted, 0 refused")
	require.Empty(t, stderr, "no control characters where there is no terminal")
}

func TestImportSaysWhatToDo(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	for url, want := range map[string]string{
		"ftp://127.0.0.1":                              `--url: "ftp://127.0.0.1": want http:// or https://, not ftp://`,
		"http://ledger.invalid:1":                      "the host name is unknown",
		gone.URL + "/v1":                               "is the URL the base URL of ingest?",
		"https" + strings.TrimPrefix(gone.URL, "http"): "use http:// instead of https://",
	} {
		_, _, err := importing(t.Context(), t, "{}\n", "--url", url)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "import the file again")
		_, _, err = importing(t.Context(), t, "", "--url", url, "--wait")
		require.ErrorContains(t, err, want, "before a line is sent")
	}
	_, _, err := importing(t.Context(), t, "\x1f\x8b\x08\x00", "--url", gone.URL)
	require.ErrorContains(t, err, "the gzip file is truncated")
}

func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	}))
	t.Cleanup(away.Close)
	_, _, err := importing(ctx, t, "{}\n", "--url", away.URL)
	require.ErrorContains(t, err, "interrupted (import the file again to continue: repeats change nothing)")
}

func TestProgressWithoutTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := newProgress(&out, 4e6, func() time.Time { return now })
	p.advance(1e6)
	require.Empty(t, out.String(), "a short import says nothing")
	now = now.Add(progressEvery)
	p.advance(2e6)
	p.advance(3e6)
	p.wait("retrying line 7")
	now = now.Add(progressEvery)
	p.wait("retrying line 7")
	p.clear()
	require.Equal(t, "importing: 50 % of 4.0 MB read\nimporting: 75 % of 4.0 MB read; retrying line 7\n", out.String())

	out.Reset()
	p = newProgress(&out, -1, func() time.Time { return now })
	p.wait("retrying line 1: connection refused")
	p.wait("retrying line 1: connection refused")
	require.Equal(t, "importing: 0.0 MB read; retrying line 1: connection refused\n", out.String(), "at once, and once")
}

// A named pipe that nobody writes to can't be opened; the import ends all the same.
func TestOpenInputEndsWithContext(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := openInput(ctx, nil, pipe)
	require.ErrorIs(t, err, context.Canceled)
}
