package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// silentServer accepts connections and never answers. The channel gets a value when a client has sent something.
func silentServer(t *testing.T) (addr string, asked <-chan struct{}) {
	t.Helper()
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	heard := make(chan struct{}, 1)
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if n, _ := c.Read(make([]byte, 1)); n > 0 {
					select {
					case heard <- struct{}{}:
					default:
					}
				}
				_, _ = io.Copy(io.Discard, c) // Until the client leaves.
			}()
		}
	}()
	return ln.Addr().String(), heard
}

func TestCommandsSayOnlyInterrupted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "notifications")
	require.NoError(t, os.WriteFile(file, []byte("{}\n"), 0o600))
	const id = "4TQ6T3ZPPXXTTHXLBFNNRVZD4A"
	for _, args := range [][]string{
		{"tail", "--kafka", "ADDR"},
		{"tail", "-n", "1", "--kafka", "ADDR"},
		{"layout", "--kafka", "ADDR"},
		{"layout", "write", "--ledger-id", id, "--lanes", "12", "--kafka", "ADDR"},
		{"check", "--kafka", "ADDR"},
		{"refill", "--kafka", "ADDR"},
		{"timeline", "S1", "--clickhouse", "ADDR"},
		{"lane", "retry", "3", "--admin", "http://ADDR"},
		{"import", "--url", "http://ADDR", file},
		{"import", "--wait", "--url", "http://ADDR", file},
	} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			t.Parallel()
			addr, asked := silentServer(t)
			for i, arg := range args {
				switch arg {
				case "ADDR":
					args[i] = addr
				case "http://ADDR":
					args[i] = "http://" + addr
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				select {
				case <-asked:
				case <-ctx.Done():
				}
				cancel()
			}()
			start := time.Now()
			err := run(ctx, args)
			require.Less(t, time.Since(start), 4*time.Second, "the clients give up after five seconds or more")
			require.ErrorIs(t, err, errInterrupted)
			require.NotContains(t, err.Error(), "cancel")
			if args[0] != "import" { // It adds what to do.
				require.Equal(t, errInterrupted, err)
			}
		})
	}
}

// A file that was not flushed is no less lost because somebody pressed Ctrl-C.
func TestWithoutCancellationKeepsFaults(t *testing.T) {
	t.Parallel()
	cancelled := fmt.Errorf("start: %w", context.Canceled)
	fault := fmt.Errorf("close: %w", fs.ErrPermission)
	require.NoError(t, withoutCancellation(errors.Join(cancelled, fmt.Errorf("more: %w", errors.Join(cancelled, cancelled)))))
	require.Equal(t, "close: permission denied", withoutCancellation(errors.Join(cancelled, fault)).Error())
	require.ErrorIs(t, withoutCancellation(fmt.Errorf("demo: %w", errors.Join(cancelled, fault))), fs.ErrPermission)
	require.ErrorIs(t, withoutCancellation(fault), fs.ErrPermission)
}
