package emitter

import (
	"context"
	"time"
)

// partition is the state of one partition of suborders.v1 for one endpoint, from assignment to release.
//
// The watermark is the offset that may be committed: that of the oldest pending delivery, or the offset after the last
// record read when nothing is pending. Only pending deliveries are kept in memory, so a stuck suborder does not make
// the memory grow with the messages that are delivered after it.
type partition struct {
	number int32
	queues map[string]*queue // By shipment id.

	pending  pendingList
	inFlight int

	next    int64 // Offset after the last record read.
	highest int64 // Highest message id read.
	end     int64 // End of the partition as the last fetch reported it.

	// inherited is what a predecessor completed at or above the committed offset.
	inherited completedOffsets

	start int64 // Messages of suborders created before it are not sent; in Unix milliseconds, 0 for all.

	version, committed uint64 // Version of the position; the version that is known to be committed.

	draining bool // No more requests are started.
	paused   bool // Fetching is paused.
	ctx      context.Context
	cancel   context.CancelFunc
	drained  chan struct{} // Closed when nothing is in flight any more; nil unless somebody waits.
}

// span is a range of offsets from from, included, to to, excluded.
type span struct{ from, to int64 }

// newPartition continues from the position that the group has committed. A negative offset means that it has none.
func newPartition(ctx context.Context, number int32, offset int64, inherited completedOffsets) *partition {
	p := &partition{
		number: number, queues: make(map[string]*queue), next: max(offset, 0), end: max(offset, 0),
		highest: inherited.floor, inherited: inherited, start: inherited.start,
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// recordStatus says what to do with a record.
type recordStatus uint8

const (
	recordNew       recordStatus = iota // Deliver it, if it passes the endpoint's filter.
	recordDelivered                     // A predecessor has delivered it.
	recordRepeated                      // Its message id is not above the highest one read.
	recordBackwards                     // The log lost records while messages were pending.
)

// advance moves the position past a record and returns its status. Ids rise within a partition unless a translator
// repeats itself, so a record whose id is not above the highest one is a repeat, whatever its offset.
func (p *partition) advance(offset, id int64) recordStatus {
	if offset < p.next {
		// The log was truncated or the topic recreated, so offsets now name other records. Ids still separate old messages
		// from new ones, but the list of pending deliveries would no longer be ordered by offset.
		if id <= p.highest {
			return recordRepeated
		}
		if p.pending.length > 0 {
			return recordBackwards
		}
		p.inherited.spans = nil
	}
	p.next = offset + 1
	p.version++
	if p.wasDelivered(offset) && id <= p.inherited.top {
		p.highest = max(p.highest, id)
		return recordDelivered
	}
	if id <= p.highest {
		return recordRepeated
	}
	return recordNew
}

// skip moves the position past an offset that carries no message, such as a transaction marker.
func (p *partition) skip(offset int64) {
	if offset >= p.next {
		p.next = offset + 1
		p.version++
	}
}

func (p *partition) wasDelivered(offset int64) bool {
	spans := &p.inherited.spans
	for len(*spans) > 0 && (*spans)[0].to <= offset {
		*spans = (*spans)[1:]
	}
	return len(*spans) > 0 && (*spans)[0].from <= offset
}

// admit makes a new record pending.
func (p *partition) admit(d *delivery) {
	d.floor, p.highest = p.highest, d.id
	p.pending.append(d)
}

// ignore counts a new record as completed that the endpoint's filter drops.
func (p *partition) ignore(id int64) { p.highest = id }

// complete removes a delivered message from the pending deliveries.
func (p *partition) complete(d *delivery) {
	p.pending.remove(d)
	p.version++
}

// watermark is the offset below which everything is completed.
func (p *partition) watermark() int64 {
	if p.pending.oldest != nil {
		return p.pending.oldest.offset
	}
	return p.next
}

// lag is the distance in offsets from the watermark to the end of the log.
func (p *partition) lag() int64 { return max(p.end-p.watermark(), 0) }

// position returns what a commit of the partition writes now.
func (p *partition) position() position {
	return position{
		partition: p, version: p.version, offset: p.watermark(), metadata: encodeCompleted(p),
	}
}

// position is what one commit writes for one partition: the watermark, and the completed offsets above it as metadata.
type position struct {
	partition *partition
	version   uint64
	offset    int64
	metadata  string
}

// oldestFailure returns when the queue that has been failing longest began to fail, or the zero time if none is
// failing.
func (p *partition) oldestFailure() time.Time {
	var oldest time.Time
	for _, q := range p.queues {
		if !q.failingSince.IsZero() && (oldest.IsZero() || q.failingSince.Before(oldest)) {
			oldest = q.failingSince
		}
	}
	return oldest
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
