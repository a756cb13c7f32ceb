package testkit

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// namespace makes one part of a shared Kafka look like a Kafka of its own. The names of the ledger's topics, groups and
// transactional ids are fixed, so two tests could not use one broker at a time; a namespace stands in between, puts a
// prefix before each name that goes to the broker, and takes it away from each that comes back. Clients see nothing of
// it: it is a broker to them, under an address of its own.
//
// Names inside the bytes that members of a group exchange stay as they are: only members read them.
type namespace struct {
	prefix string

	mu     sync.Mutex
	doors  map[string]*net.TCPListener // By the broker's address; guarded by mu.
	conns  map[net.Conn]bool           // Guarded by mu.
	closed bool                        // Guarded by mu.
	wg     sync.WaitGroup
}

// newNamespace opens a namespace on these brokers and returns its addresses. When the test ends its topics are deleted.
func newNamespace(t testing.TB, brokers []string) []string {
	t.Helper()
	var id [4]byte
	_, err := rand.Read(id[:])
	require.NoError(t, err)
	n := &namespace{prefix: "t" + hex.EncodeToString(id[:]) + "-", doors: map[string]*net.TCPListener{}, conns: map[net.Conn]bool{}}
	var addrs []string
	for _, b := range brokers {
		addr, err := n.door(b)
		require.NoError(t, err)
		addrs = append(addrs, addr)
	}
	t.Cleanup(func() {
		n.deleteTopics(t, addrs)
		n.close()
	})
	return addrs
}

// deleteTopics does not wait until the broker is done: nobody uses these names again.
func (n *namespace) deleteTopics(t testing.TB, addrs []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	require.NoError(t, err)
	defer client.Close()
	adm := kadm.NewClient(client)
	topics, err := adm.ListTopics(ctx)
	if err == nil && len(topics) > 0 {
		_, err = adm.DeleteTopics(ctx, topics.Names()...)
	}
	if err != nil {
		t.Logf("testkit: topics %s* were left behind: %v", n.prefix, err)
	}
}

// door returns the address under which clients find a broker.
func (n *namespace) door(broker string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return "", net.ErrClosed
	}
	if l := n.doors[broker]; l != nil {
		return l.Addr().String(), nil
	}
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return "", err
	}
	n.doors[broker] = l
	n.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			n.wg.Go(func() { n.serve(client, broker) })
		}
	})
	return l.Addr().String(), nil
}

func (n *namespace) close() {
	n.mu.Lock()
	n.closed = true
	for _, l := range n.doors {
		_ = l.Close()
	}
	for c := range n.conns {
		_ = c.Close()
	}
	n.mu.Unlock()
	n.wg.Wait()
}

// keep notes a connection, which is closed with the namespace. It reports whether there still is one.
func (n *namespace) keep(c net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conns[c] = true
	return !n.closed
}

func (n *namespace) drop(c net.Conn) {
	_ = c.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// serve carries one connection. When one side closes it, or says what can't be read, both are closed: a client takes
// that for a broken connection, and the test fails with what it then sees.
func (n *namespace) serve(client net.Conn, broker string) {
	defer n.drop(client)
	server, err := net.Dial("tcp", broker)
	if err != nil {
		return
	}
	defer n.drop(server)
	if !n.keep(client) || !n.keep(server) {
		return
	}
	var asked sync.Map // Correlation id to the request that waits for its answer.
	n.wg.Go(func() {
		defer client.Close()
		defer server.Close()
		for {
			frame, err := ReadFrame(server)
			if err != nil {
				return
			}
			if frame, err = n.answer(frame, &asked); err != nil {
				return
			}
			if _, err := client.Write(frame); err != nil {
				return
			}
		}
	})
	for {
		frame, err := ReadFrame(client)
		if err != nil {
			return
		}
		if frame, err = n.ask(frame, &asked); err != nil {
			return
		}
		if _, err := server.Write(frame); err != nil {
			return
		}
	}
}

func sized(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// ask rewrites a request: size, key, version, correlation id, client id, tags if it is flexible, body.
func (n *namespace) ask(frame []byte, asked *sync.Map) ([]byte, error) {
	if len(frame) < 14 {
		return nil, io.ErrUnexpectedEOF
	}
	key, version := int16(binary.BigEndian.Uint16(frame[4:])), int16(binary.BigEndian.Uint16(frame[6:]))
	id := binary.BigEndian.Uint32(frame[8:])
	request := kmsg.RequestForKey(key)
	if request == nil {
		return nil, fmt.Errorf("no request has the key %d", key)
	}
	request.SetVersion(version)
	asked.Store(id, request)
	if key == int16(kmsg.ApiVersions) {
		return frame, nil
	}
	body := 14 + max(0, int(int16(binary.BigEndian.Uint16(frame[12:]))))
	if request.IsFlexible() {
		body++
	}
	if len(frame) < body || request.IsFlexible() && frame[body-1] != 0 {
		return nil, fmt.Errorf("the header of a %s", kmsg.NameForKey(key))
	}
	if err := request.ReadFrom(frame[body:]); err != nil {
		return nil, fmt.Errorf("read a %s: %w", kmsg.NameForKey(key), err)
	}
	n.hide(request)
	return sized(request.AppendTo(frame[:body:body])), nil
}

// answer rewrites an answer: size, correlation id, tags if it is flexible, body. That of ApiVersions has no names.
func (n *namespace) answer(frame []byte, asked *sync.Map) ([]byte, error) {
	if len(frame) < 8 {
		return nil, io.ErrUnexpectedEOF
	}
	request, known := asked.LoadAndDelete(binary.BigEndian.Uint32(frame[4:]))
	if !known {
		return nil, fmt.Errorf("an answer that nobody asked for")
	}
	response := request.(kmsg.Request).ResponseKind()
	if response.Key() == int16(kmsg.ApiVersions) {
		return frame, nil
	}
	body := 8
	if response.IsFlexible() {
		body++
	}
	if len(frame) < body || response.IsFlexible() && frame[body-1] != 0 {
		return nil, fmt.Errorf("the header of an answer to %s", kmsg.NameForKey(response.Key()))
	}
	if err := response.ReadFrom(frame[body:]); err != nil {
		return nil, fmt.Errorf("read an answer to %s: %w", kmsg.NameForKey(response.Key()), err)
	}
	if err := n.show(response); err != nil {
		return nil, err
	}
	return sized(response.AppendTo(frame[:body:body])), nil
}
