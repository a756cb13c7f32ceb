package emitter

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

// pendingList is the list of a partition's pending deliveries, ordered by offset.
type pendingList struct {
	oldest, newest *delivery
	length         int
}

func (l *pendingList) append(d *delivery) {
	d.older = l.newest
	if l.newest == nil {
		l.oldest = d
	} else {
		l.newest.newer = d
	}
	l.newest = d
	l.length++
}

func (l *pendingList) remove(d *delivery) {
	if d.older == nil {
		l.oldest = d.newer
	} else {
		d.older.newer = d.newer
	}
	if d.newer == nil {
		l.newest = d.older
	} else {
		d.newer.older = d.older
	}
	d.older, d.newer = nil, nil
	l.length--
}
