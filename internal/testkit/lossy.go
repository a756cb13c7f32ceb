package testkit

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// errReplyLost is what a client sees in place of a lost reply.
var errReplyLost = errors.New("testkit: the connection broke before the reply")

// errRequestLost is what a client sees in place of a request that never left.
var errRequestLost = errors.New("testkit: the connection broke before the request")

// LossyDialer is a network that can lose replies: the broker does what it was
// asked, and its answer never arrives because the connection breaks. It can
// lose requests too: the connection breaks before the broker hears of them.
// Use it with kgo.Dialer(d.Dial). The zero value loses nothing.
type LossyDialer struct {
	mu   sync.Mutex
	drop map[int16]int // How many more requests to lose; guarded by mu.
	lose map[int16]int // How many more replies of a request to lose; guarded by mu.
	lost map[int16]int // How many replies were lost; guarded by mu.
}

// Drop loses the next n requests of this kind before the broker hears of
// them. A negative n loses all of them until it is called again.
func (d *LossyDialer) Drop(key kmsg.Key, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.drop == nil {
		d.drop = map[int16]int{}
	}
	d.drop[int16(key)] = n
}

// Lose drops the replies of the next n requests of this kind. A negative n
// drops all of them until it is called again.
func (d *LossyDialer) Lose(key kmsg.Key, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lose == nil {
		d.lose = map[int16]int{}
	}
	d.lose[int16(key)] = n
}

// Lost returns how many replies of this kind were lost so far. The broker had
// handled each of them.
func (d *LossyDialer) Lost(key kmsg.Key) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lost[int16(key)]
}

// Dial connects as kgo.Dialer wants.
func (d *LossyDialer) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: conn, dialer: d, doomed: map[int32]int16{}}, nil
}

// take says what becomes of a request that is being sent.
func (d *LossyDialer) take(key int16) (dropped, doomed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := func(left map[int16]int) bool {
		n := left[key]
		if n > 0 {
			left[key] = n - 1
		}
		return n != 0
	}
	if one(d.drop) {
		return true, false
	}
	return false, one(d.lose)
}

func (d *LossyDialer) count(key int16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost == nil {
		d.lost = map[int16]int{}
	}
	d.lost[key]++
}

// lossyConn follows the frames of both directions. A request is
// size, key, version, correlation id; a reply is size, correlation id.
type lossyConn struct {
	net.Conn
	dialer *LossyDialer
	out    []byte // Written bytes that are not a whole request yet.
	in     []byte // Bytes of a whole reply, not read yet.

	mu     sync.Mutex
	doomed map[int32]int16 // Correlation id to key; guarded by mu.
}

func (c *lossyConn) Write(b []byte) (int, error) {
	c.out = append(c.out, b...)
	for len(c.out) >= 12 {
		size := int(binary.BigEndian.Uint32(c.out)) + 4
		if len(c.out) < size {
			break
		}
		key := int16(binary.BigEndian.Uint16(c.out[4:]))
		dropped, doomed := c.dialer.take(key)
		if dropped {
			_ = c.Close()
			return 0, errRequestLost
		}
		if doomed {
			c.mu.Lock()
			c.doomed[int32(binary.BigEndian.Uint32(c.out[8:]))] = key
			c.mu.Unlock()
		}
		c.out = c.out[size:]
	}
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		var head [8]byte
		if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
			return 0, err
		}
		size := binary.BigEndian.Uint32(head[:]) + 4
		frame := make([]byte, size)
		copy(frame, head[:])
		if _, err := io.ReadFull(c.Conn, frame[8:]); err != nil {
			return 0, err
		}
		c.mu.Lock()
		key, gone := c.doomed[int32(binary.BigEndian.Uint32(head[4:]))]
		c.mu.Unlock()
		if gone {
			// Only now: the reply has arrived here, so the broker is done.
			c.dialer.count(key)
			_ = c.Close()
			return 0, errReplyLost
		}
		c.in = frame
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}
