package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
)

// wire is the network between one program and the brokers of a Kafka. It can lose requests and replies of chosen kinds,
// with the connection they were on, and it can be cut. Brokers tell clients each other's addresses, so it has a door
// for each of them and puts the doors' addresses into what they say.
type wire struct {
	t    testing.TB
	busy sync.Mutex // Held by the fault that has it in hand.

	mu    sync.Mutex
	doors map[string]*door // By the broker's address; guarded by mu.
	down  bool             // Guarded by mu.
	lose  map[int16]*loss  // By the key of the request; guarded by mu.
	lost  map[int16]int    // What was lost so far; guarded by mu.
	shut  bool             // The test has ended; guarded by mu.
	conns map[net.Conn]struct{}
}

// loss is what is to be lost of one kind of request.
type loss struct {
	n        int  // How many more; negative for all.
	requests bool // Lost before the broker sees them, in place of their replies.
}

// door is the address at which the wire takes connections for a broker.
type door struct {
	broker string
	ln     net.Listener
}

// newWire opens a wire, which is shut when the test ends.
func newWire(t testing.TB) *wire {
	t.Helper()
	w := &wire{t: t, doors: map[string]*door{}, lose: map[int16]*loss{}, lost: map[int16]int{}, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() {
		w.mu.Lock()
		w.shut = true
		for _, d := range w.doors {
			_ = d.ln.Close()
		}
		w.mu.Unlock()
		w.cut(true)
	})
	return w
}

// to returns the address of the door to a broker.
func (w *wire) to(broker string) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.doors[broker]; d != nil {
		return d.ln.Addr().String(), nil
	}
	if w.shut {
		return "", net.ErrClosed
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	d := &door{broker: broker, ln: ln}
	w.doors[broker] = d
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go w.carry(conn, broker)
		}
	}()
	return ln.Addr().String(), nil
}

// brokers are the doors to all of these.
func (w *wire) brokers(t testing.TB, addrs []string) []string {
	t.Helper()
	doors := make([]string, len(addrs))
	for i, addr := range addrs {
		door, err := w.to(addr)
		require.NoError(t, err)
		doors[i] = door
	}
	return doors
}

// drop loses the next n replies of a kind, or its requests. The client sees the connection break either way.
func (w *wire) drop(key kmsg.Key, n int, requests bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose[int16(key)] = &loss{n: n, requests: requests}
}

// heal ends every loss.
func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.lose)
}

// cut breaks every connection, and as long as it is down new ones are broken too.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	if down {
		for conn := range w.conns {
			_ = conn.Close()
		}
	}
}

// losses returns how many requests and replies of a kind were lost.
func (w *wire) losses(key kmsg.Key) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost[int16(key)]
}

// take says whether a request of this kind is to be lost, itself or by its reply.
func (w *wire) take(key int16) (lost, request bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.lose[key]
	if l == nil || l.n == 0 {
		return false, false
	}
	if l.n > 0 {
		l.n--
	}
	w.lost[key]++
	return true, l.requests
}

func (w *wire) hold(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		if w.down || w.shut {
			_ = conn.Close()
			continue
		}
		w.conns[conn] = struct{}{}
	}
	return !w.down && !w.shut
}

func (w *wire) release(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range conns {
		delete(w.conns, conn)
		_ = conn.Close()
	}
}

// asked is what must be known of a request to handle its reply.
type asked struct {
	key, version int16
	lost         bool
}

// carry passes frames between a client and a broker until either goes. A request is size, key, version, correlation id;
// a reply is size, correlation id.
func (w *wire) carry(client net.Conn, broker string) {
	server, err := net.DialTimeout("tcp", broker, 5*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	if !w.hold(client, server) {
		_ = client.Close()
		_ = server.Close()
		return
	}
	defer w.release(client, server)
	var mu sync.Mutex
	open := map[uint32]asked{} // Guarded by mu.
	go func() {
		defer w.release(client, server)
		for {
			frame, err := testkit.ReadFrame(client)
			if err != nil {
				return
			}
			if len(frame) < 12 {
				return // A request has a key, a version and a correlation id.
			}
			a := asked{key: int16(binary.BigEndian.Uint16(frame[4:])), version: int16(binary.BigEndian.Uint16(frame[6:]))}
			var request bool
			if a.lost, request = w.take(a.key); a.lost && request {
				return
			}
			mu.Lock()
			open[binary.BigEndian.Uint32(frame[8:])] = a
			mu.Unlock()
			if _, err := server.Write(frame); err != nil {
				return
			}
		}
	}()
	for {
		frame, err := testkit.ReadFrame(server)
		if err != nil {
			return
		}
		id := binary.BigEndian.Uint32(frame[4:])
		mu.Lock()
		a := open[id]
		delete(open, id)
		mu.Unlock()
		if a.lost {
			return // Only now: the reply has arrived here, so the broker is done.
		}
		if frame, err = w.rewrite(a, frame); errors.Is(err, net.ErrClosed) {
			return // The test is over.
		}
		if err != nil {
			w.t.Errorf("wire: %v", err)
			return
		}
		if _, err := client.Write(frame); err != nil {
			return
		}
	}
}

// rewrite puts the doors' addresses into a reply that names brokers.
func (w *wire) rewrite(a asked, frame []byte) ([]byte, error) {
	switch kmsg.Key(a.key) {
	case kmsg.Metadata, kmsg.FindCoordinator, kmsg.DescribeCluster, kmsg.Produce, kmsg.Fetch:
	default:
		return frame, nil
	}
	resp := kmsg.ResponseForKey(a.key)
	resp.SetVersion(a.version)
	body := frame[8:]
	if resp.IsFlexible() {
		b := kbin.Reader{Src: body}
		kmsg.SkipTags(&b)
		body = b.Src
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("reply to %s v%d: %w", kmsg.NameForKey(a.key), a.version, err)
	}
	if err := testkit.Readdress(resp, w.to); err != nil {
		return nil, fmt.Errorf("reply to %s: %w", kmsg.NameForKey(a.key), err)
	}
	out := append(make([]byte, 4, len(frame)+64), frame[4:8]...)
	if resp.IsFlexible() {
		out = append(out, 0)
	}
	out = resp.AppendTo(out)
	binary.BigEndian.PutUint32(out, uint32(len(out)-4))
	return out, nil
}

var errNoCtl = errors.New("no hand on the brokers: set ORDERLEDGER_TEST_KAFKA_CTL to a command that takes kill N and revive N")
