package emitter

import (
	"container/heap"
	"time"
)

// delivery is one message on its way to one endpoint.
type delivery struct {
	outbound

	lane     *lane
	attempts int // how often it has been sent by this process

	// floor is the highest message id seen in the partition before this one. While this delivery is the first one
	// pending, it is what a successor has to know about everything below the watermark.
	floor int64

	older, newer *delivery // pending deliveries of the partition, by offset
	behind       *delivery // next of the lane
}

// laneState says who holds a lane. A lane with nothing to send does not exist.
//
//	           push                    next                 landed, more queued
//	(absent) ───────▶ ready ───────────────────▶ flying ───────────────────────▶ ready
//	                    ▲                          │  │
//	                    │ due                 retry│  │ landed, nothing queued
//	                    └───────── waiting ◀───────┘  └───▶ (absent)
type laneState uint8

const (
	laneReady laneState = iota
	laneFlying
	laneWaiting
)

// lane is the queue of one suborder at one endpoint. At most one of its messages is in flight, and none overtakes
// another: a failing head keeps the rest behind it.
type lane struct {
	key         string
	partition   *partition
	state       laneState
	first, last *delivery

	failingSince time.Time // when the head first failed; zero while it has not
	due          time.Time // when a waiting lane becomes ready
	heapIndex    int
	prev, next   *lane // neighbours in the ready ring
}

// scheduler decides what is sent next. It has no clock, no goroutine and no lock: time is passed in and one
// goroutine calls it. A lane that waits holds no slot, so a failing suborder costs the others nothing.
type scheduler struct {
	slots    int // how many may be in flight
	inFlight int
	ready    laneRing
	waiting  laneHeap
}

func newScheduler(slots int) *scheduler {
	return &scheduler{slots: slots}
}

// push queues a delivery at the end of its suborder's lane.
func (s *scheduler) push(p *partition, d *delivery) {
	l := p.lanes[d.shipmentID]
	if l == nil {
		l = &lane{key: d.shipmentID, partition: p, first: d, last: d}
		d.lane = l
		p.lanes[l.key] = l
		s.ready.push(l)
		return
	}
	d.lane = l
	l.last.behind = d
	l.last = d
}

// next takes the head of the lane that has been ready longest, or returns nil when none is ready or all slots are
// taken. The caller must answer with landed or retry.
func (s *scheduler) next() *delivery {
	if s.inFlight >= s.slots {
		return nil
	}
	l := s.ready.first
	if l == nil {
		return nil
	}
	s.ready.remove(l)
	l.state = laneFlying
	s.inFlight++
	l.partition.flying++
	return l.first
}

// landed frees the slot of a delivery that got through. The lane goes to the end of the ring, so that a suborder
// with many messages does not keep others from their turn.
func (s *scheduler) landed(d *delivery) {
	l := d.lane
	s.free(l)
	l.failingSince = time.Time{}
	l.first = d.behind
	d.behind = nil
	if l.first == nil {
		delete(l.partition.lanes, l.key)
		return
	}
	if !l.partition.held {
		s.ready.push(l)
	}
}

// retry frees the slot of a delivery that has to be sent again at due, and lets its lane wait until then.
func (s *scheduler) retry(d *delivery, now, due time.Time) {
	l := d.lane
	s.free(l)
	if l.failingSince.IsZero() {
		l.failingSince = now
	}
	if l.partition.held {
		return
	}
	l.due, l.state = due, laneWaiting
	heap.Push(&s.waiting, l)
}

func (s *scheduler) free(l *lane) {
	s.inFlight--
	l.partition.flying--
}

// wake makes lanes ready whose time has come.
func (s *scheduler) wake(now time.Time) {
	for len(s.waiting) > 0 && !s.waiting[0].due.After(now) {
		s.ready.push(heap.Pop(&s.waiting).(*lane)) //nolint:forcetypeassert // The heap holds nothing else.
	}
}

// nextDue returns when wake has work again.
func (s *scheduler) nextDue() (time.Time, bool) {
	if len(s.waiting) == 0 {
		return time.Time{}, false
	}
	return s.waiting[0].due, true
}

// hold stops admission for a partition that is about to leave: nothing of it is ready or waiting any more, and what
// is in flight is the last of it. Holding twice is the same.
func (s *scheduler) hold(p *partition) {
	if p.held {
		return
	}
	p.held = true
	for _, l := range p.lanes {
		switch l.state {
		case laneReady:
			s.ready.remove(l)
		case laneWaiting:
			heap.Remove(&s.waiting, l.heapIndex)
		case laneFlying:
		}
	}
}

// laneRing is a FIFO of ready lanes, linked through the lanes themselves.
type laneRing struct {
	first, last *lane
	length      int
}

func (r *laneRing) push(l *lane) {
	l.state, l.prev, l.next = laneReady, r.last, nil
	if r.last == nil {
		r.first = l
	} else {
		r.last.next = l
	}
	r.last = l
	r.length++
}

func (r *laneRing) remove(l *lane) {
	if l.prev == nil {
		r.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		r.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.prev, l.next = nil, nil
	r.length--
}

// laneHeap orders waiting lanes by the time they are due.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push is for container/heap.
func (h *laneHeap) Push(x any) {
	l := x.(*lane) //nolint:forcetypeassert // The heap holds nothing else.
	l.heapIndex = len(*h)
	*h = append(*h, l)
}

// Pop is for container/heap.
func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}
