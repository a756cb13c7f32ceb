package netfault

import (
	"context"
	"net"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Hooks are called with each frame of one connection and return the frame to pass on. An error breaks the connection.
type Hooks struct {
	Request, Reply func(frame []byte) ([]byte, error)
}

// BrokerProxy stands between clients and the brokers of a Kafka. Brokers name each other's addresses in their replies,
// so it has an address for each of them. Its hooks must put these into the replies with RewriteBrokers.
type BrokerProxy struct {
	hooks func() Hooks // Makes the hooks of a connection.

	mu        sync.Mutex
	listeners map[string]net.Listener // By the broker's address. Guarded by mu, as all below.
	conns     map[net.Conn]struct{}
	cut       bool
	closed    bool
	running   sync.WaitGroup
}

// NewBrokerProxy returns a proxy that calls hooks for each connection.
func NewBrokerProxy(hooks func() Hooks) *BrokerProxy {
	return &BrokerProxy{hooks: hooks, listeners: map[string]net.Listener{}, conns: map[net.Conn]struct{}{}}
}

// Addr returns the address under which clients find a broker.
func (p *BrokerProxy) Addr(broker string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ln := p.listeners[broker]; ln != nil {
		return ln.Addr().String(), nil
	}
	if p.closed {
		return "", net.ErrClosed
	}
	ln, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0") // Close ends it.
	if err != nil {
		return "", err
	}
	p.listeners[broker] = ln
	p.running.Go(func() {
		accept(ln, func(client net.Conn) { p.carry(client, broker) })
	})
	return ln.Addr().String(), nil
}

// Addrs returns the addresses under which clients find these brokers.
func (p *BrokerProxy) Addrs(brokers []string) ([]string, error) {
	addrs := make([]string, len(brokers))
	for i, broker := range brokers {
		var err error
		if addrs[i], err = p.Addr(broker); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// Disable breaks every connection, and new ones too, until Enable.
func (p *BrokerProxy) Disable() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.closeAll()
}

// Enable ends what Disable began.
func (p *BrokerProxy) Enable() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// Close ends every connection and waits until nothing runs any more.
func (p *BrokerProxy) Close() {
	p.mu.Lock()
	p.closed = true
	for _, ln := range p.listeners {
		_ = ln.Close()
	}
	p.closeAll()
	p.mu.Unlock()
	p.running.Wait()
}

func (p *BrokerProxy) closeAll() {
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// keep notes a connection that Disable and Close must break, and reports whether the proxy takes it.
func (p *BrokerProxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.closed {
		return false
	}
	p.conns[conn] = struct{}{}
	p.running.Add(1)
	return true
}

func (p *BrokerProxy) drop(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
	p.running.Done()
}

// carry passes frames between a client and a broker until one of the two closes, or a hook fails.
func (p *BrokerProxy) carry(client net.Conn, broker string) {
	if !p.keep(client) {
		return
	}
	defer p.drop(client)
	server, err := net.DialTimeout("tcp", broker, 5*time.Second)
	if err != nil {
		return
	}
	if !p.keep(server) {
		_ = server.Close()
		return
	}
	defer p.drop(server)
	hooks := p.hooks()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pass(client, server, requestHead, hooks.Request)
		_ = server.Close()
		_ = client.Close()
	}()
	pass(server, client, replyHead, hooks.Reply)
	_ = server.Close()
	_ = client.Close()
	<-ended
}

// pass copies frames, each at least so many bytes long, until an error.
func pass(from, to net.Conn, least int, hook func([]byte) ([]byte, error)) {
	for {
		frame, err := ReadFrame(from)
		if err != nil || len(frame) < least {
			return
		}
		if frame, err = hook(frame); err != nil {
			return
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

// RewriteBrokers replaces the address of every broker that a reply names, so that clients are led to a proxy.
func RewriteBrokers(reply kmsg.Response, addrOf func(broker string) (string, error)) error {
	var failed error
	EachStruct(reflect.ValueOf(reply), func(s reflect.Value) {
		host, port := s.FieldByName("Host"), s.FieldByName("Port")
		if failed != nil || !host.IsValid() || !port.IsValid() || host.String() == "" || port.Int() <= 0 {
			return
		}
		addr, err := addrOf(net.JoinHostPort(host.String(), strconv.FormatInt(port.Int(), 10)))
		if err != nil {
			failed = err
			return
		}
		h, text, err := net.SplitHostPort(addr)
		if err != nil {
			failed = err
			return
		}
		p, err := strconv.ParseInt(text, 10, 32)
		failed = err
		host.SetString(h)
		port.SetInt(p)
	})
	return failed
}

// EachStruct visits a message of the Kafka protocol and every part of it.
func EachStruct(v reflect.Value, visit func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			EachStruct(v.Elem(), visit)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Pointer {
			for i := range v.Len() {
				EachStruct(v.Index(i), visit)
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			return
		}
		visit(v)
		for i := range v.NumField() {
			EachStruct(v.Field(i), visit)
		}
	default:
	}
}
