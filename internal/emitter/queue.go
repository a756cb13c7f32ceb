package emitter

import "time"

// delivery is one message on its way to one endpoint.
type delivery struct {
	outbound

	queue    *queue
	attempts int // How often this process has sent it.

	// floor is the highest message id in the partition below this message. It is committed while this delivery is the
	// oldest one pending, because it is all that a successor needs to know about the offsets below the watermark.
	floor int64

	older, newer *delivery // Neighbours in the partition's list of pending deliveries.
	following    *delivery // The next delivery of the same queue.
}

// queueState is the state of a suborder queue. The package comment shows the transitions. A queue with nothing to send
// does not exist.
type queueState uint8

const (
	queueReady queueState = iota
	queueInFlight
	queueWaiting
)

// queue holds the messages of one suborder for one endpoint. At most one of them is in flight, and none overtakes
// another: if the head fails, the rest wait behind it.
type queue struct {
	shipmentID  string
	partition   *partition
	state       queueState
	first, last *delivery

	failingSince time.Time // When the head first failed; zero while it has not.
	due          time.Time // When a waiting queue becomes ready.
	heapIndex    int
	prev, next   *queue // Neighbours in the ring of ready queues.
}

// queueRing is a FIFO of the ready queues, linked through the queues themselves.
type queueRing struct {
	first, last *queue
	length      int
}

func (r *queueRing) push(q *queue) {
	q.state, q.prev, q.next = queueReady, r.last, nil
	if r.last == nil {
		r.first = q
	} else {
		r.last.next = q
	}
	r.last = q
	r.length++
}

func (r *queueRing) remove(q *queue) {
	if q.prev == nil {
		r.first = q.next
	} else {
		q.prev.next = q.next
	}
	if q.next == nil {
		r.last = q.prev
	} else {
		q.next.prev = q.prev
	}
	q.prev, q.next = nil, nil
	r.length--
}

// queueHeap orders the waiting queues by the time they are due.
type queueHeap []*queue

func (h queueHeap) Len() int           { return len(h) }
func (h queueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h queueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}

// Push implements heap.Interface.
func (h *queueHeap) Push(x any) {
	q := x.(*queue) //nolint:forcetypeassert // The heap holds nothing else.
	q.heapIndex = len(*h)
	*h = append(*h, q)
}

// Pop implements heap.Interface.
func (h *queueHeap) Pop() any {
	old := *h
	q := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return q
}
