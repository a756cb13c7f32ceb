package journal

import "sync"

// callQueue holds the commands that a lane has not taken yet, in a queue for each seller. The lane takes one command of
// each seller in turn: one that has queued thousands delays the others by a batch, not by all of its own.
//
// Commands of one seller stay in order, and so do those that were handed over together.
type callQueue struct {
	wake chan struct{} // Holds one signal while there may be commands.

	mu    sync.Mutex
	turns []*sellerCalls          // Sellers with commands, in the order of their turns; guarded by mu, as all below.
	next  int                     // Whose turn it is.
	by    map[string]*sellerCalls // Of turns, by the seller's id.
	size  int
	purge int // The size at which commands whose callers have gone are dropped.
}

// sellerCalls are the commands of one seller, oldest first.
type sellerCalls struct {
	id    string
	calls []*call
}

// purgeAt is the least size at which a queue looks for commands whose callers have gone.
const purgeAt = 4096

func newCallQueue() *callQueue {
	return &callQueue{wake: make(chan struct{}, 1), by: map[string]*sellerCalls{}, purge: purgeAt}
}

// put adds commands that belong together. It never blocks: callers wait for their answers, so the queue is bounded by
// their number.
func (q *callQueue) put(calls []*call) {
	if len(calls) == 0 {
		return
	}
	id := calls[0].cmd.SellerID
	for _, c := range calls {
		c.queue = id // Also of the others, which would lose their order in a queue of their own.
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.of(id)
	s.calls = append(s.calls, calls...)
	q.size += len(calls)
	if q.size >= q.purge {
		q.dropGone()
	}
	q.notify()
}

// putBack returns commands that were taken and not decided to the front of their queues.
func (q *callQueue) putBack(calls []*call) {
	if len(calls) == 0 {
		return
	}
	front := map[string][]*call{}
	for _, c := range calls {
		front[c.queue] = append(front[c.queue], c)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, list := range front {
		s := q.of(id)
		s.calls = append(list, s.calls...)
	}
	q.size += len(calls)
	q.notify()
}

// of returns the queue of a seller, which gets the last turn if it had no commands; mu is held.
func (q *callQueue) of(id string) *sellerCalls {
	s := q.by[id]
	if s == nil {
		s = &sellerCalls{id: id}
		q.by[id] = s
		q.turns = append(q.turns, s)
	}
	return s
}

// take takes at most so many commands whose callers still wait.
func (q *callQueue) take(most int) (inputs []*input) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.size > 0 && len(inputs) < most {
		q.next %= len(q.turns)
		s := q.turns[q.next]
		c := s.calls[0]
		s.calls[0] = nil // The slice would keep it.
		s.calls = s.calls[1:]
		q.size--
		if len(s.calls) > 0 {
			q.next++
		} else {
			q.remove(q.next)
		}
		inputs = take(inputs, c)
	}
	if q.size > 0 {
		q.notify()
	}
	return inputs
}

// remove ends the turns of a seller without commands; mu is held.
func (q *callQueue) remove(turn int) {
	delete(q.by, q.turns[turn].id)
	q.turns = append(q.turns[:turn], q.turns[turn+1:]...)
}

// dropGone drops the commands whose callers have gone: a lane that is closed for long would collect them. The next time
// is at twice the size, so that each command is looked at a few times only; mu is held.
func (q *callQueue) dropGone() {
	q.size = 0
	for i := len(q.turns) - 1; i >= 0; i-- {
		s := q.turns[i]
		kept := make([]*call, 0, len(s.calls))
		for _, c := range s.calls {
			if c.state.Load() != callGone {
				kept = append(kept, c)
			}
		}
		s.calls = kept
		if q.size += len(kept); len(kept) == 0 {
			q.remove(i)
		}
	}
	q.purge = max(purgeAt, 2*q.size)
}

// drain empties the queue and returns what was in it.
func (q *callQueue) drain() (calls []*call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, s := range q.turns {
		calls = append(calls, s.calls...)
	}
	q.turns, q.by, q.size, q.next, q.purge = nil, map[string]*sellerCalls{}, 0, 0, purgeAt
	return calls
}

func (q *callQueue) notify() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
