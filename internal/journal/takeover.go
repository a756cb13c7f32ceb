package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// errStale says that the store is not true for this lane.
var errStale = errors.New("the store does not agree with the lane")

// takeOver makes this instance the owner of the lane: fence, read to the end, mend what an embedded broker tore, open.
// After it l.owner and l.store are set, or there is an error and nothing was lost.
func (l *lane) takeOver(ctx context.Context) error {
	o, err := l.fence(ctx)
	if err != nil {
		return err
	}
	l.owner = o
	want, err := l.j.identity(ctx)
	if err != nil {
		return err
	}
	if err := l.haveStore(ctx, want); err != nil {
		return err
	}
	spans, err := l.follow(ctx, want)
	if err != nil {
		return err
	}
	m := &l.store.meta
	if behind := time.UnixMilli(m.RecordedMs).Sub(l.j.deps.Now()); behind > l.j.cfg.MaxClockBehind {
		return fmt.Errorf("%w: by %s", ErrClockBehind, behind)
	}
	if in := spans[events.TopicInbox]; m.Inbox < in.start || m.Inbox > in.end {
		return fmt.Errorf("%w: inbox lane %d holds %d to %d, the lane is at %d", ErrOutOfRange, l.id, in.start, in.end, m.Inbox)
	}
	l.resetFrom(m)
	l.settleDoubt()
	l.end.Store(spans[events.TopicInbox].end)
	l.owner.inbox, err = l.j.readInbox(l.id, m.Inbox) //nolint:contextcheck // It outlives the takeover.
	return err
}

// follow brings the store to the lane's end, building it again where it disagrees, until there is nothing to mend.
func (l *lane) follow(ctx context.Context, want meta) (map[string]span, error) {
	const most = 5 // Stale, then voided, then mended, and one more each way.
	for attempt := 1; ; attempt++ {
		spans, err := l.j.spans(ctx, l.id)
		if err != nil {
			return nil, err
		}
		fresh := l.store.meta.Decisions.Last < 0 && l.store.meta.Events.Last < 0
		err = l.catchUp(ctx, spans, fresh)
		switch {
		case err == nil || attempt == most:
			return spans, err
		case errors.Is(err, errMended):
			continue
		case errors.Is(err, errVoidSeen):
			l.voidsKnown = true
		case errors.Is(err, errStale), errors.Is(err, ErrDamaged) && !fresh:
		default:
			return nil, err
		}
		l.log.WarnContext(ctx, "lane store built again", slog.Any("err", err))
		l.j.metrics.rebuilds.Inc()
		if err := l.store.rebuild(l, want); err != nil { //nolint:contextcheck // Pebble logs without a context.
			return nil, err
		}
		clear(l.found) // Everything is read again, and what was found may have become void.
	}
}

func (l *lane) resetFrom(m *meta) {
	l.cache.clear()
	l.inboxNext = m.Inbox
	l.inbox.Store(m.Inbox)
	l.aheadSet = map[int64]bool{}
	for _, offset := range m.Ahead {
		l.aheadSet[offset] = true
	}
}

func (l *lane) haveStore(ctx context.Context, want meta) error {
	if l.store != nil && !l.store.meta.sameLedger(want) {
		l.closeStore()
	}
	if l.store != nil {
		return nil
	}
	s, err := openStore(ctx, l, want)
	l.store = s
	return err
}

// catchUp brings the store to the lane's end, or says why it can't.
func (l *lane) catchUp(ctx context.Context, spans map[string]span, fresh bool) error {
	m := &l.store.meta
	for _, t := range []struct {
		topic string
		pos   *topicPos
	}{{events.TopicEvents, &m.Events}, {events.TopicDecisions, &m.Decisions}} {
		s := spans[t.topic]
		if t.pos.Next > s.end {
			return fmt.Errorf("%w: %s ends at %d, the store is at %d", errStale, t.topic, s.end, t.pos.Next)
		}
		if t.pos.Next < s.start {
			return fmt.Errorf("%w: %s lane %d begins at %d, the lane must be read from %d: events may never be deleted",
				ErrOutOfRange, t.topic, l.id, s.start, t.pos.Next)
		}
	}
	voids, err := l.voids(ctx, spans[events.TopicDecisions].end)
	if err != nil {
		return err
	}
	tail, err := l.readDecisions(ctx, spans[events.TopicDecisions].end, voids)
	if err != nil {
		return err
	}
	orphans, err := l.readEvents(ctx, spans[events.TopicEvents].end)
	if err != nil {
		return err
	}
	return l.reconcile(ctx, tail, orphans, fresh)
}

// from returns where to read a topic on from: at the last record the store knows, which must be the same in the lane.
func from(p *topicPos) int64 {
	if p.Last >= 0 {
		return p.Last
	}
	return p.Next
}

// agrees tells whether the record at the store's last position is the one it knows.
func agrees(p *topicPos, rec *kgo.Record) error {
	for i := range rec.Headers {
		if rec.Headers[i].Key == events.HeaderChainHash {
			if string(rec.Headers[i].Value) == hex.EncodeToString(p.Head[:]) && rec.Offset == p.Last {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: offset %d of %s has another chain hash", errStale, p.Last, rec.Topic)
}

// reading applies records to the store in large batches.
type reading struct {
	l       *lane
	sb      *storeBatch
	v       verifier
	pos     topicPos // Where the store was.
	checked bool     // Whether the record there was compared.
}

const readBatchBytes = 4 << 20

func (l *lane) newReading(topic string, pos topicPos) *reading {
	return &reading{
		l: l, sb: l.store.begin(), pos: pos, checked: pos.Last < 0,
		v: verifier{topic: topic, lane: l.id, chain: pos.chain()},
	}
}

// known tells whether a record is the last one the store has, and checks that it is the same.
func (r *reading) known(rec *kgo.Record) (bool, error) {
	if r.checked {
		return false, nil
	}
	r.checked = true
	return true, agrees(&r.pos, rec)
}

func (r *reading) flush(atLeast int) error {
	if r.sb.size < atLeast {
		return nil
	}
	if err := r.sb.commit(); err != nil {
		return &lostError{err: err, store: true}
	}
	r.sb = r.l.store.begin()
	return nil
}

// decisionTail is the last group of decisions that were taken on the same state of the events.
type decisionTail struct {
	laneseq     uint64
	first, last int64
	before      uint64 // The laneseq of the group before.
}

func (l *lane) readDecisions(ctx context.Context, end int64, voids []span) (decisionTail, error) {
	pos := l.store.meta.Decisions
	r := l.newReading(events.TopicDecisions, pos)
	tail := decisionTail{laneseq: l.store.meta.DecidedSeq, first: -1, before: l.store.meta.DecidedSeq}
	err := l.j.scan(ctx, events.TopicDecisions, l.id, from(&pos), end, func(rec *kgo.Record) error {
		if known, err := r.known(rec); known || err != nil {
			return err
		}
		env, err := r.v.next(rec)
		if err != nil {
			return err
		}
		if env.Type == events.TypeDecisionsVoided && voids == nil {
			return errVoidSeen
		}
		if env.Type != events.TypeDecision || isVoid(voids, rec.Offset) {
			r.sb.skipped(&env, rec.Offset, r.v.chain)
			return r.flush(readBatchBytes)
		}
		d := new(ledgerv1.Decision)
		if err := d.UnmarshalVT(rec.Value); err != nil {
			return r.v.damaged(rec, err)
		}
		if d.GetEventsLaneseq() != tail.laneseq || tail.first < 0 {
			tail = decisionTail{d.GetEventsLaneseq(), rec.Offset, rec.Offset, tail.laneseq}
		}
		tail.last = rec.Offset
		l.note(&env, d, rec.Offset)
		if err := r.sb.decision(&env, d, rec.Offset, r.v.chain); err != nil {
			return &lostError{err: err, store: true}
		}
		return r.flush(readBatchBytes)
	})
	if err == nil {
		err = r.flush(0)
	}
	return tail, err
}

// readEvents reads the events and returns the envelopes of those that no decision is known for.
func (l *lane) readEvents(ctx context.Context, end int64) ([]events.Envelope, error) {
	pos := l.store.meta.Events
	r := l.newReading(events.TopicEvents, pos)
	decided, head := l.store.meta.DecidedSeq, l.store.meta.DecidedHead
	var orphans []events.Envelope
	err := l.j.scan(ctx, events.TopicEvents, l.id, from(&pos), end, func(rec *kgo.Record) error {
		if known, err := r.known(rec); known || err != nil {
			return err
		}
		env, err := r.v.next(rec)
		if err != nil {
			return err
		}
		after, err := rawAfter(rec.Value)
		if err != nil {
			return r.v.damaged(rec, err)
		}
		if env.LaneSeq == decided && env.ChainHash != events.Hash(head) {
			return r.v.damaged(rec, errors.New("the decisions know another event of this laneseq"))
		}
		if env.LaneSeq > decided {
			orphans = append(orphans, env)
		}
		l.noteEvent(&env, rec.Offset)
		if err := r.sb.event(&env, after, rec.Offset, r.v.chain); err != nil {
			return &lostError{err: err, store: true}
		}
		return r.flush(readBatchBytes)
	})
	if err == nil {
		err = r.flush(0)
	}
	return orphans, err
}
