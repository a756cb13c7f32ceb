package netfault

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// losses decides which requests and replies get lost. Its zero value loses nothing.
type losses struct {
	mu       sync.Mutex
	requests map[kmsg.Key]int // How many more requests to lose; negative for all. Guarded by mu.
	replies  map[kmsg.Key]int // How many more requests whose replies to lose; negative for all. Guarded by mu.
}

// DropRequests loses the next n requests of this kind before they reach the broker. A negative n loses all of them
// until it is called again.
func (l *losses) DropRequests(key kmsg.Key, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == nil {
		l.requests = map[kmsg.Key]int{}
	}
	l.requests[key] = n
}

// DropReplies loses the replies to the next n requests of this kind; the broker handles the requests. A negative n
// loses all of them until it is called again.
func (l *losses) DropReplies(key kmsg.Key, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.replies == nil {
		l.replies = map[kmsg.Key]int{}
	}
	l.replies[key] = n
}

// fate is what happens to a request that is being sent.
type fate int

const (
	delivered fate = iota
	requestLost
	replyLost
)

// decide uses up one loss, if there is one for this kind of request.
func (l *losses) decide(key kmsg.Key) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case use(l.requests, key):
		return requestLost
	case use(l.replies, key):
		return replyLost
	}
	return delivered
}

func use(left map[kmsg.Key]int, key kmsg.Key) bool {
	n := left[key]
	if n > 0 {
		left[key] = n - 1
	}
	return n != 0
}

func (l *losses) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.requests)
	clear(l.replies)
}

// counter counts by the kind of request. Its zero value is ready.
type counter struct {
	mu sync.Mutex
	n  map[kmsg.Key]int // Guarded by mu.
}

func (c *counter) add(key kmsg.Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[kmsg.Key]int{}
	}
	c.n[key]++
}

func (c *counter) of(key kmsg.Key) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[key]
}
