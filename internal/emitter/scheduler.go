package emitter

import (
	"container/heap"
	"time"
)

// scheduler decides which message is sent next. It has no clock, no goroutine and no lock: the caller passes the time
// in, and only one goroutine calls it. A waiting queue holds no slot, so a failing suborder costs the others nothing.
type scheduler struct {
	slots    int // How many requests may be in flight.
	inFlight int
	ready    queueRing
	waiting  queueHeap
}

func newScheduler(slots int) *scheduler {
	return &scheduler{slots: slots}
}

// push appends a delivery to the queue of its suborder.
func (s *scheduler) push(p *partition, d *delivery) {
	q := p.queues[d.shipmentID]
	if q == nil {
		q = &queue{shipmentID: d.shipmentID, partition: p, first: d, last: d}
		d.queue = q
		p.queues[q.shipmentID] = q
		s.ready.push(q)
		return
	}
	d.queue = q
	q.last.following = d
	q.last = d
}

// next takes the head of the queue that has been ready longest. It returns nil when no queue is ready or no slot is
// free. The caller must answer with completed or retry.
func (s *scheduler) next() *delivery {
	if s.inFlight >= s.slots {
		return nil
	}
	q := s.ready.first
	if q == nil {
		return nil
	}
	s.ready.remove(q)
	q.state = queueInFlight
	s.inFlight++
	q.partition.inFlight++
	return q.first
}

// completed frees the slot of a delivered message. The queue goes to the end of the ring, so that a suborder with many
// messages does not starve the others.
func (s *scheduler) completed(d *delivery) {
	q := d.queue
	s.free(q)
	q.failingSince = time.Time{}
	q.first = d.following
	d.following = nil
	if q.first == nil {
		delete(q.partition.queues, q.shipmentID)
		return
	}
	if !q.partition.draining {
		s.ready.push(q)
	}
}

// retry frees the slot of a delivery that failed, and lets its queue wait until the delivery is due again.
func (s *scheduler) retry(d *delivery, now, due time.Time) {
	q := d.queue
	s.free(q)
	if q.failingSince.IsZero() {
		q.failingSince = now
	}
	if q.partition.draining {
		return
	}
	q.due, q.state = due, queueWaiting
	heap.Push(&s.waiting, q)
}

func (s *scheduler) free(q *queue) {
	s.inFlight--
	q.partition.inFlight--
}

// wake makes the waiting queues ready that are due.
func (s *scheduler) wake(now time.Time) {
	for len(s.waiting) > 0 && !s.waiting[0].due.After(now) {
		s.ready.push(heap.Pop(&s.waiting).(*queue)) //nolint:forcetypeassert // The heap holds nothing else.
	}
}

// nextDue returns when the next waiting queue is due.
func (s *scheduler) nextDue() (time.Time, bool) {
	if len(s.waiting) == 0 {
		return time.Time{}, false
	}
	return s.waiting[0].due, true
}

// drain starts no more requests for a partition that is about to be released; only those in flight still complete. It
// is idempotent.
func (s *scheduler) drain(p *partition) {
	if p.draining {
		return
	}
	p.draining = true
	for _, q := range p.queues {
		switch q.state {
		case queueReady:
			s.ready.remove(q)
		case queueWaiting:
			heap.Remove(&s.waiting, q.heapIndex)
		case queueInFlight:
		}
	}
}
