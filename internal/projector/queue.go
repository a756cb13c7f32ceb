package projector

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// queue holds the records of one partition that are fetched and not written yet. The poll loop puts, the worker takes.
type queue struct {
	budget *budget

	mu      sync.Mutex
	records []*kgo.Record // Guarded by mu, as all below.
	bytes   int
	end     int64 // The last stable offset of the partition, as of the last fetch.
	closed  bool
	wake    chan struct{} // Holds one signal: something changed.
}

func newQueue(b *budget) *queue { return &queue{budget: b, wake: make(chan struct{}, 1)} }

// put adds fetched records. It drops them if the worker has stopped: the next worker fetches them again.
func (q *queue) put(records []*kgo.Record, end int64) {
	bytes := 0
	for _, r := range records {
		bytes += size(r)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.records = append(q.records, records...)
	q.bytes += bytes
	q.end = end
	q.budget.add(bytes)
	q.notify()
}

// notify wakes the worker. It never blocks: one pending signal is enough, because the worker looks at everything.
func (q *queue) notify() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// view returns the records in the queue without taking them, their size in bytes, and the end of the partition.
func (q *queue) view() (records []*kgo.Record, bytes int, end int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.records, q.bytes, q.end
}

// take removes the first n records.
func (q *queue) take(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	bytes := 0
	for _, r := range q.records[:n] {
		bytes += size(r)
	}
	// The slice would keep the taken records in memory.
	clear(q.records[:n])
	q.records = q.records[n:]
	if len(q.records) == 0 {
		q.records = nil
	}
	q.bytes -= bytes
	q.budget.add(-bytes)
}

// close drops all records; put drops the ones that follow.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.budget.add(-q.bytes)
	q.records, q.bytes = nil, 0
}

// recordOverhead estimates the memory of a record beside its key, value and headers. Without it, many small records
// would exceed the budget several times over.
const recordOverhead = 256

func size(r *kgo.Record) int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// budget bounds the bytes in all queues together.
type budget struct {
	mu    sync.Mutex
	limit int // Guarded by mu, as all below.
	used  int
	below chan struct{} // Closed while used is below the limit.
}

func newBudget(limit int) *budget {
	b := &budget{limit: limit, below: make(chan struct{})}
	close(b.below)
	return b
}

// add counts bytes that were added, or removed if n is negative.
func (b *budget) add(n int) { b.change(n, 0) }

// lend raises the limit; a negative number takes the loan back.
func (b *budget) lend(n int) { b.change(0, n) }

func (b *budget) change(used, limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.used < b.limit
	b.used += used
	b.limit += limit
	switch after := b.used < b.limit; {
	case before && !after:
		b.below = make(chan struct{})
	case !before && after:
		close(b.below)
	}
}

// full reports whether the limit is reached: then workers write what they have.
func (b *budget) full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used >= b.limit
}

// wait blocks while the limit is reached.
func (b *budget) wait(ctx context.Context) error {
	b.mu.Lock()
	below := b.below
	b.mu.Unlock()
	select {
	case <-below:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
