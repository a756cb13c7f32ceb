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
)

// errStale says that the store is not true for this lane.
var errStale = errors.New("the store does not agree with the lane")

// takeOver makes this instance the owner of the lane: read what there is, ask the last owner to finish, write the
// markers that a broker lost, fence, read to the end, mend what an embedded broker tore, open. After it l.owner and
// l.store are set, or there is an error and nothing was lost.
func (l *lane) takeOver(ctx context.Context) error {
	if err := l.warm(ctx); err != nil {
		return err
	}
	l.fencing = time.Now()
	l.askRelease(ctx)
	if err := l.writeLostMarkers(ctx); err != nil {
		return err
	}
	o, err := l.fence(ctx)
	if err != nil {
		return err
	}
	l.owner = o
	if seq := l.laneseq(); !l.j.cfg.Embedded {
		l.marked.Store(false)
		l.j.asides.Go(func() { l.marked.Store(l.j.tellTaken(ctx, l.id, seq)) })
	}
	want, err := l.j.identity(ctx)
	if err != nil {
		return err
	}
	if err := l.haveStore(ctx, want); err != nil {
		return err
	}
	spans, err := l.follow(ctx, want, l.j.spans, l.settle)
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

// laneseq is where the store is; for information.
func (l *lane) laneseq() uint64 {
	if l.store == nil {
		return 0
	}
	return l.store.meta.Events.Seq
}

// warm brings the store near the lane's end before anybody is disturbed: whoever owns the lane serves it meanwhile.
// What it finds is judged again after the fence.
func (l *lane) warm(ctx context.Context) error {
	if l.j.cfg.Embedded || len(l.doubt) > 0 {
		return nil // An embedded broker's lane may be torn; and who is in doubt waits for the fence.
	}
	want, err := l.j.identity(ctx)
	if err != nil {
		return err
	}
	if err := l.haveStore(ctx, want); err != nil {
		return err
	}
	_, err = l.follow(ctx, want, l.j.stableSpans, nil)
	return err
}

// settle judges what was read after the fence; nil where that is not the time.
type settle func(ctx context.Context, tail decisionTail, orphans []events.Envelope, fresh bool) error

func (l *lane) settle(ctx context.Context, tail decisionTail, orphans []events.Envelope, fresh bool) error {
	return l.reconcile(ctx, tail, orphans, fresh)
}

// follow brings the store to the lane's end, building it again where it disagrees, until there is nothing to mend.
func (l *lane) follow(
	ctx context.Context, want meta, ends func(context.Context, int32) (map[string]span, error), judge settle,
) (map[string]span, error) {
	const most = 5 // Stale, then voided, then mended, and one more each way.
	for attempt := 1; ; attempt++ {
		spans, err := ends(ctx, l.id)
		if err != nil {
			return nil, err
		}
		fresh := l.store.meta.Decisions.Last < 0 && l.store.meta.Events.Last < 0
		err = l.catchUp(ctx, spans, fresh, judge)
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
		l.seen = nil
		if err := l.store.rebuild(want); err != nil {
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
	l.seen = nil
	s, err := openStore(ctx, l.j, l.id, want)
	l.store = s
	return err
}

// catchUp brings the store to the lane's end, or says why it can't.
func (l *lane) catchUp(ctx context.Context, spans map[string]span, fresh bool, judge settle) error {
	m := &l.store.meta
	for _, t := range []struct {
		topic string
		pos   *topicPos
	}{{events.TopicEvents, &m.Events}, {events.TopicDecisions, &m.Decisions}} {
		s := spans[t.topic]
		if at := max(t.pos.Next, l.seen[t.topic]); at > s.end {
			if judge == nil {
				return nil // Readers are behind what this instance wrote itself; after the fence it is judged.
			}
			return fmt.Errorf("%w: %s ends at %d, the store is at %d", errStale, t.topic, s.end, at)
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
	if judge == nil {
		return nil
	}
	return judge(ctx, tail, orphans, fresh)
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
