package emitter

import (
	"context"
	"errors"
	"sync"
)

// errClosed is returned by Run after Close, and by a second Run.
var errClosed = errors.New("closed or already started")

// lifecycle makes a stage run at most once and lets its Close end Run and wait for it.
type lifecycle struct {
	mu     sync.Mutex
	cancel context.CancelFunc // Ends the context of Run; nil before Run. Guarded by mu.
	ended  chan struct{}      // Closed when Run has returned. Guarded by mu.
	closed bool               // Guarded by mu.
}

// start returns the context of Run and the function that Run must call when it returns.
func (l *lifecycle) start(ctx context.Context) (_ context.Context, end func(), _ error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.cancel != nil {
		return nil, nil, errClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	l.cancel, l.ended = cancel, ended
	return ctx, func() { cancel(); close(ended) }, nil
}

// close cancels the context of Run and waits until it has returned. It is idempotent and may be called without Run.
func (l *lifecycle) close() {
	l.mu.Lock()
	l.closed = true
	cancel, ended := l.cancel, l.ended
	l.mu.Unlock()
	if cancel != nil {
		cancel()
		<-ended
	}
}
