package pubsub

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// worker hands out one partition, message by message.
type worker struct {
	sub  *subscription
	self map[string][]int32 // The partition, as the client wants it named.

	soft context.Context // Ended: hand out nothing new.
	quit context.CancelFunc
	hard context.Context // Ended: the message in hand is abandoned.
	cut  context.CancelFunc

	wake chan struct{}
	done chan struct{} // Closed when run has returned.

	// Guarded by sub.mu.
	queue  []*kgo.Record
	paused bool
	gone   bool // The partition may be another member's: mark nothing.
}

func newWorker(s *subscription, id int32) *worker {
	w := &worker{
		sub: s, self: map[string][]int32{s.topic: {id}},
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
		w.sub.client.PauseFetchPartitions(w.self)
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// next returns the next record, or nil when the worker is to end.
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
	w.queue[0] = nil // The array lives on; the record need not.
	w.queue = w.queue[1:]
	// Half empty, so that pausing does not flap.
	if w.paused && len(w.queue) <= w.sub.cfg.MaxBuffered/2 {
		w.paused = false
		w.sub.client.ResumeFetchPartitions(w.self)
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

// finish hands out a record until it is acked, if it is wanted. It returns false when the
// worker ends first.
func (w *worker) finish(r *kgo.Record) bool {
	cfg := w.sub.cfg
	if cfg.Wants != nil && !cfg.Wants(r) {
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

// outcome is what became of one delivery.
type outcome string

const (
	acked        outcome = "acked"
	nacked       outcome = "nacked"
	abandoned    outcome = "abandoned"
	notDelivered outcome = ""
)

// deliver hands out a record once. The message's context ends with the
// delivery, or when the partition is abandoned.
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

// mark makes a record's offset one to commit. The lock is held throughout: the
// broker takes a live member's commit for a partition it has lost, so no mark
// may slip in behind abandon.
func (w *worker) mark(r *kgo.Record) outcome {
	w.sub.mu.Lock()
	defer w.sub.mu.Unlock()
	if w.gone {
		return abandoned
	}
	w.sub.client.MarkCommitRecords(r) // Does nothing without a group.
	return acked
}

// abandon ends the worker, whatever it has in hand.
func (w *worker) abandon() {
	w.sub.mu.Lock()
	w.gone = true
	w.sub.mu.Unlock()
	w.cut()
}
