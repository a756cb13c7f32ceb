package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestImportStopsAtSignals ends an import by SIGINT and by SIGTERM, whatever it waits for.
func TestImportStopsAtSignals(t *testing.T) {
	binary, err := build()
	require.NoError(t, err)
	for name, write := range map[string]func(in io.Writer, requested <-chan struct{}) error{
		"standard input is silent": func(in io.Writer, requested <-chan struct{}) error {
			_, err := io.WriteString(in, "{}\n")
			return errors.Join(err, received(requested))
		},
		"the service is away": func(in io.Writer, requested <-chan struct{}) error {
			_, err := io.WriteString(in, `{"away":true}`+"\n")
			return errors.Join(err, received(requested))
		},
		// More than a pipe holds: the import is reading when this returns.
		"a line has no end": func(in io.Writer, _ <-chan struct{}) error {
			_, err := in.Write(make([]byte, 1<<20))
			go func() {
				for err == nil {
					_, err = in.Write(make([]byte, 1<<20))
				}
			}()
			return err
		},
	} {
		for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(name+", "+signal.String(), func(t *testing.T) {
				requested := make(chan struct{}, 1)
				service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if body, _ := io.ReadAll(r.Body); strings.Contains(string(body), "away") {
						w.WriteHeader(http.StatusServiceUnavailable)
					}
					_, _ = io.WriteString(w, `{"key":"k"}`)
					select {
					case requested <- struct{}{}:
					default:
					}
				}))
				t.Cleanup(service.Close)
				cmd := exec.CommandContext(t.Context(), binary, "import", "--url", service.URL, "-")
				stdin, err := cmd.StdinPipe()
				require.NoError(t, err)
				var out bytes.Buffer
				cmd.Stderr = &out
				killWithParent(cmd)
				require.NoError(t, cmd.Start())
				defer stdin.Close()
				require.NoError(t, write(stdin, requested))
				require.NoError(t, cmd.Process.Signal(signal))
				var exit *exec.ExitError
				require.ErrorAs(t, cmd.Wait(), &exit, out.String())
				require.Equal(t, 1, exit.ExitCode(), "%s", out.String())
				require.Contains(t, out.String(), "import -: interrupted")
			})
		}
	}
}

// received waits for the first request. An import that ends before it sends any must not hang the test.
func received(requested <-chan struct{}) error {
	select {
	case <-requested:
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("no request within 30 s")
	}
}
