package emitter

import (
	"context"
	"time"
)

// partition is what one assignment of one partition to one endpoint's group member has seen and not finished.
//
// Its pending deliveries form a list by offset. The watermark, which is what may be committed, is the first of them,
// or the end of what was seen when there is none; memory is therefore bounded by what is pending, however far ahead
// of a stuck suborder the others have come.
type partition struct {
	number int32
	lanes  map[string]*lane

	first, last *delivery
	pending     int
	flying      int

	next    int64 // offset after the last record seen
	highest int64 // highest message id seen
	end     int64 // the partition's end as the last fetch reported it

	// delivered are offsets at or above the committed one that a predecessor had finished; deliveredID is the highest
	// message id among them.
	delivered   []span
	deliveredID int64

	version, committed uint64 // position changed / position known to be committed

	held   bool // admission has ended
	paused bool // fetching is paused
	ctx    context.Context
	cancel context.CancelFunc
	landed chan struct{} // closed when held and nothing is in flight; nil before somebody waits
}

// span is a range of offsets, from included, to excluded.
type span struct{ from, to int64 }

// newPartition takes over from what the group has committed. A negative offset means that nothing was.
func newPartition(ctx context.Context, number int32, offset int64, m marks) *partition {
	p := &partition{
		number: number, lanes: make(map[string]*lane), next: max(offset, 0), end: max(offset, 0),
		highest: m.floor, delivered: m.delivered, deliveredID: m.top,
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// fate is what becomes of a record at the moment it is read.
type fate uint8

const (
	fresh     fate = iota // to be delivered, unless the endpoint does not take it
	delivered             // a predecessor had delivered it
	repeated              // its message id is not above the highest seen
	backwards             // the log has lost records while some were pending
)

// see moves the position past a record and says what becomes of it. Ids rise in a partition but for a translator
// that repeats itself, so an id that is not above the highest is a repeat, whatever its offset.
func (p *partition) see(offset, id int64) fate {
	if offset < p.next {
		// The log was truncated or made anew below us, and offsets name other records now. Ids still tell old from
		// new; only the order of the pending list would not survive.
		if id <= p.highest {
			return repeated
		}
		if p.pending > 0 {
			return backwards
		}
		p.delivered = nil
	}
	p.next = offset + 1
	p.version++
	if p.wasDelivered(offset) && id <= p.deliveredID {
		p.highest = max(p.highest, id)
		return delivered
	}
	if id <= p.highest {
		return repeated
	}
	return fresh
}

// skip moves the position past an offset that carries no message, such as a transaction marker.
func (p *partition) skip(offset int64) {
	if offset >= p.next {
		p.next = offset + 1
		p.version++
	}
}

func (p *partition) wasDelivered(offset int64) bool {
	for len(p.delivered) > 0 && p.delivered[0].to <= offset {
		p.delivered = p.delivered[1:]
	}
	return len(p.delivered) > 0 && p.delivered[0].from <= offset
}

// admit makes a fresh record pending.
func (p *partition) admit(d *delivery) {
	d.floor, p.highest = p.highest, d.id
	d.older = p.last
	if p.last == nil {
		p.first = d
	} else {
		p.last.newer = d
	}
	p.last = d
	p.pending++
}

// pass counts a fresh record as done that its endpoint does not take.
func (p *partition) pass(id int64) { p.highest = id }

// finish takes a delivered message out of the pending list.
func (p *partition) finish(d *delivery) {
	if d.older == nil {
		p.first = d.newer
	} else {
		d.older.newer = d.newer
	}
	if d.newer == nil {
		p.last = d.older
	} else {
		d.newer.older = d.older
	}
	d.older, d.newer = nil, nil
	p.pending--
	p.version++
}

// watermark is the offset below which everything is done.
func (p *partition) watermark() int64 {
	if p.first != nil {
		return p.first.offset
	}
	return p.next
}

// lag is how many offsets lie between the watermark and the end of the log.
func (p *partition) lag() int64 { return max(p.end-p.watermark(), 0) }

// position is the watermark with its marks, as it is committed.
func (p *partition) position() position {
	return position{
		partition: p, version: p.version, offset: p.watermark(), metadata: encodeMarks(p),
	}
}

// position is what one commit says of one partition.
type position struct {
	partition *partition
	version   uint64
	offset    int64
	metadata  string
}

// oldestFailure returns since when the longest failing lane has been failing, or the zero time.
func (p *partition) oldestFailure() time.Time {
	var oldest time.Time
	for _, l := range p.lanes {
		if !l.failingSince.IsZero() && (oldest.IsZero() || l.failingSince.Before(oldest)) {
			oldest = l.failingSince
		}
	}
	return oldest
}
