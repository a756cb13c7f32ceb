package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
)

// takeover makes this instance the owner of a lane. Its fields outlive one takeover, so that the next one after an
// error does not read again what this one has read.
type takeover struct {
	l *lane
	// seen is how far each topic has been read, aborted records and markers included.
	seen map[string]int64
	// voidsKnown says that the lane has a record that voids decisions, so that reading must look for those first.
	voidsKnown bool
	// from is the name of the instance that took the lane before this takeover, empty for none; nil if it is not known.
	from *string
	// began is when the last takeover began to keep callers waiting.
	began time.Time
}

// run reads what there is, writes the markers that a broker lost, asks the last owner to finish, fences, reads to the
// end, repairs what an embedded broker tore, and opens. After it the lane has a writer and a store, or there is an
// error and nothing was lost.
func (t *takeover) run(ctx context.Context) error {
	l := t.l
	if l.j.hooks.onTakeover != nil {
		l.j.hooks.onTakeover(ctx)
	}
	if check := l.j.deps.CheckLayout; check != nil {
		if err := check(ctx); err != nil {
			return fmt.Errorf("layout: %w", err)
		}
	}
	if err := t.warmUp(ctx); err != nil {
		return err
	}
	// Before the last owner stops: looking for lost markers may take long, and what is behind one has yet to be read.
	written, err := t.writeLostMarkers(ctx)
	if err == nil && written > 0 {
		err = t.warmUp(ctx)
	}
	if err != nil {
		return err
	}
	t.began = time.Now() // From here on callers wait: the last owner stops.
	t.askRelease(ctx)
	// Again before the fence, which makes the coordinator forget how a transaction without a marker ended.
	if _, err := t.writeLostMarkers(ctx); err != nil {
		return err
	}
	w, err := fence(ctx, &l.j.cfg, l.j.deps.Options, l.id)
	if err != nil {
		return err
	}
	l.writer = w
	t.announce(ctx)
	want, err := l.j.topics.laneIdentity(ctx, l.id)
	if err != nil {
		return err
	}
	if err := t.haveStore(ctx, want); err != nil {
		return err
	}
	// Read the ends only now: nobody else can write after the fence, so they are final.
	spans, err := t.replay(ctx, want, l.j.topics.spans, t.reconcile)
	if err != nil {
		return err
	}
	m := l.store.Meta()
	if in := spans[events.TopicInbox]; m.Inbox < in.start || m.Inbox > in.end {
		return fmt.Errorf("%w: inbox lane %d holds %d to %d, the lane is at %d",
			ErrOutOfRange, l.id, in.start, in.end, m.Inbox)
	}
	// A wait begins no later than now: the last owner's clock may have been ahead.
	if err := l.store.CapWaiting(l.j.deps.Now()); err != nil {
		return &lostError{err: err, store: true}
	}
	l.resetFrom(m)
	l.intake.retry = append(l.intake.retry, l.answers.settle()...)
	l.end.Store(spans[events.TopicInbox].end)
	l.writer.inbox, err = l.j.readInbox(l.id, m.Inbox) //nolint:contextcheck // It outlives the takeover.
	return err
}

// laneseq returns the store's position, for the log.
func (t *takeover) laneseq() uint64 {
	if t.l.store == nil {
		return 0
	}
	return t.l.store.Meta().Events.Seq
}

// warmUp brings the store near the lane's end while the last owner still serves the lane. It judges nothing: the
// takeover checks the lane again after the fence.
func (t *takeover) warmUp(ctx context.Context) error {
	if t.l.j.cfg.Embedded || t.l.answers.pending() {
		return nil // An embedded broker's lane may be torn; and calls in doubt wait for the fence.
	}
	want, err := t.l.j.topics.laneIdentity(ctx, t.l.id)
	if err != nil {
		return err
	}
	if err := t.haveStore(ctx, want); err != nil {
		return err
	}
	_, err = t.replay(ctx, want, t.l.j.topics.stableSpans, nil)
	return err
}

// haveStore opens the lane's store unless it is open. Topics that were deleted and created again have other ids, also
// while this process runs.
func (t *takeover) haveStore(ctx context.Context, want lanestore.Meta) error {
	l := t.l
	if l.store != nil && !l.store.Meta().SameLedger(want) {
		l.closeStore()
	}
	if l.store != nil {
		return nil
	}
	t.seen = nil
	s, err := l.j.openStore(ctx, l.id, want)
	l.store = s
	return err
}

// resetFrom sets what the lane's goroutine holds to a position of the store.
func (l *lane) resetFrom(m *lanestore.Meta) {
	l.cache.Clear()
	l.waits.clear()
	l.inboxNext = m.Inbox
	l.inbox.Store(m.Inbox)
	l.ahead = map[int64]bool{}
	for _, offset := range m.Ahead {
		l.ahead[offset] = true
	}
}
