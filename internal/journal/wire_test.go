package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is the network of one instance. Cutting it is what the death of the process looks like to the broker; freezing
// it is a process that sleeps.
type wire struct {
	mu     sync.Mutex
	conns  map[net.Conn]bool
	cut    bool
	frozen chan struct{} // Closed when it thaws; nil when it flows.
	before map[int16]func()
}

var errCut = errors.New("the wire is cut")

func (w *wire) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	w.wait()
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		_ = conn.Close()
		return nil, errCut
	}
	if w.conns == nil {
		w.conns = map[net.Conn]bool{}
	}
	w.conns[conn] = true
	return &wireConn{conn, w}, nil
}

func (w *wire) wait() {
	w.mu.Lock()
	frozen := w.frozen
	w.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// Before calls a function once, when the next request of this kind is about to leave. It may cut or freeze the wire, or
// hold the request.
func (w *wire) Before(key kmsg.Key, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.before == nil {
		w.before = map[int16]func(){}
	}
	w.before[int16(key)] = do
}

// leaving is told of each request: size, key and so on. The client writes each in one piece.
func (w *wire) leaving(request []byte) {
	if len(request) < 6 {
		return
	}
	key := int16(binary.BigEndian.Uint16(request[4:]))
	w.mu.Lock()
	do := w.before[key]
	delete(w.before, key)
	w.mu.Unlock()
	if do != nil {
		do()
	}
}

func (w *wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for c := range w.conns {
		_ = c.Close()
	}
}

func (w *wire) Freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = make(chan struct{})
}

func (w *wire) Thaw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.frozen != nil {
		close(w.frozen)
		w.frozen = nil
	}
}

type wireConn struct {
	net.Conn
	w *wire
}

func (c *wireConn) Write(b []byte) (int, error) {
	c.w.leaving(b)
	c.w.wait()
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.wait()
	return n, err
}

func over(w *wire) option {
	return func(_ *Config, d *Deps, _ *Journal) {
		d.Options = append(append([]kgo.Opt{}, d.Options...), kgo.Dialer(w.Dial))
	}
}

// named makes an instance a static member: its successor of the same name takes its place at once.
func named(id string) option { return config(func(c *Config) { c.InstanceID = id }) }

// quick lets a group notice within a second that a member is gone.
func quick() kfake.Opt {
	return kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "100", "group.initial.rebalance.delay.ms": "0"})
}

// copyDir copies a store as a crash leaves it: what was not written to a file is gone.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, 0o600)
	}))
	return to
}
