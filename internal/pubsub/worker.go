package pubsub

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// worker delivers the records of one partition, one at a time.
type worker struct {
	sub       *subscription
	partition map[string][]int32 // The partition in the form that the client's pause and resume take.

	soft context.Context // Once it has ended, nothing new is delivered.
	quit context.CancelFunc
	hard context.Context // Once it has ended, the message being handled is abandoned.
	cut  context.CancelFunc

	wake chan struct{}
	done chan struct{} // Closed when run has returned.

	// Guarded by sub.mu.
	queue    []*kgo.Record
	paused   bool
	released bool // Another member may have the partition: mark nothing.
}

func newWorker(s *subscription, id int32) *worker {
	w := &worker{
		sub: s, partition: map[string][]int32{s.topic: {id}},
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	w.soft, w.quit = context.WithCancel(s.soft)
	w.hard, w.cut = context.WithCancel(s.hard)
	return w
}

// add queues records; sub.mu is held.
func (w *worker) add(records []*kgo.Record) {
	w.queue = append(w.queue, records...)
	if !w.paused && len(w.queue) > w.sub.cfg.MaxBuffered {
		w.paused = true
		w.sub.client.PauseFetchPartitions(w.partition)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next returns the next record, or nil when the worker has to end.
func (w *worker) next() *kgo.Record {
	for w.soft.Err() == nil {
		if r := w.take(); r != nil {
			return r
		}
		select {
		case <-w.wake:
		case <-w.soft.Done():
		}
	}
	return nil
}

func (w *worker) take() *kgo.Record {
	w.sub.mu.Lock()
	defer w.sub.mu.Unlock()
	if len(w.queue) == 0 {
		return nil
	}
	r := w.queue[0]
	w.queue[0] = nil // The array stays in use; it must not keep the record alive.
	w.queue = w.queue[1:]
	// Resuming at half the limit keeps a slow partition from pausing and resuming all the time.
	if w.paused && len(w.queue) <= w.sub.cfg.MaxBuffered/2 {
		w.paused = false
		w.sub.client.ResumeFetchPartitions(w.partition)
	}
	return r
}

func (w *worker) run() {
	defer close(w.done)
	defer w.cut()
	for r := w.next(); r != nil; r = w.next() {
		if !w.finish(r) {
			return
		}
	}
}

// finish delivers a record until it is acked, unless the filter drops it. It returns false when the worker ends first.
func (w *worker) finish(r *kgo.Record) bool {
	cfg := w.sub.cfg
	if cfg.Filter != nil && !cfg.Filter(r) {
		return w.mark(r) == acked
	}
	for backoff := cfg.NackBackoff; ; backoff = min(2*backoff, cfg.NackBackoffMax) {
		outcome := w.deliver(r)
		if outcome == notDelivered {
			return false
		}
		w.sub.metrics.messages.WithLabelValues(r.Topic, string(outcome)).Inc()
		if outcome != nacked {
			return outcome == acked
		}
		wait := time.NewTimer(backoff)
		select {
		case <-wait.C:
		case <-w.soft.Done():
			wait.Stop()
			return false
		}
	}
}

// outcome is the result of one delivery.
type outcome string

const (
	acked        outcome = "acked"
	nacked       outcome = "nacked"
	abandoned    outcome = "abandoned"
	notDelivered outcome = ""
)

// deliver delivers a record once. The context of the message ends with the delivery, or when the partition is
// abandoned.
func (w *worker) deliver(r *kgo.Record) outcome {
	m := w.sub.cfg.decode(r)
	ctx, cancel := context.WithCancel(context.WithValue(w.hard, recordKey{}, r))
	defer cancel()
	m.SetContext(ctx)
	select {
	case w.sub.out <- m:
	case <-w.soft.Done():
		return notDelivered
	}
	select {
	case <-m.Acked():
		return w.mark(r)
	case <-m.Nacked():
		return nacked
	case <-w.hard.Done():
		return abandoned
	}
}

// mark marks the offset of a record to be committed. It holds the lock throughout, so that it cannot mark anything
// after abandon: the broker accepts a live member's commit even for a partition that the member has lost.
func (w *worker) mark(r *kgo.Record) outcome {
	w.sub.mu.Lock()
	defer w.sub.mu.Unlock()
	if w.released {
		return abandoned
	}
	w.sub.client.MarkCommitRecords(r) // Does nothing without a group.
	return acked
}

// abandon ends the worker, even if a handler is still working on a message.
func (w *worker) abandon() {
	w.sub.mu.Lock()
	w.released = true
	w.sub.mu.Unlock()
	w.cut()
}
