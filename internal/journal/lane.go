package journal

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
)

// lane is one partition of the ledger while this instance serves it or is about to: the group assigns it, or it is
// draining. One goroutine runs it, and only that goroutine uses the fields, except where a comment says otherwise.
//
// The stages of its work are types of their own, in the order of a batch's life: takeover opens the lane, intake
// collects inputs, batch decides them, committer writes them, answers gives their callers receipts.
type lane struct {
	j      *Journal
	id     int32
	log    *slog.Logger
	stop   func()          // Ends run; from any goroutine.
	gone   chan struct{}   // Closed when run has ended and every call that was taken has its answer.
	prior  <-chan struct{} // Closed when the lane's store is free; nil if no lane had it.
	ending bool            // A draining lane that is being stopped; guarded by laneSet.mu.

	status
	local
	writer *writer // Nil while this instance may not write the lane.

	takeover takeover
	intake   intake
	decider  decider
	commits  committer
	answers  answers
	waits    waitingRecords
}

// status is what other goroutines see of a lane.
type status struct {
	open     atomic.Bool
	released atomic.Bool                     // It drains, and waits for its next owner to take it.
	parked   atomic.Bool                     // It is damaged, and waits for RetryLane.
	taken    atomic.Int64                    // The number of takeovers by this instance,
	recorded atomic.Int64                    // and the last of them whose announcement is recorded.
	opened   atomic.Pointer[chan bool]       // Closed each time the lane opens.
	failure  atomic.Pointer[error]           // Why it is not open.
	shared   atomic.Pointer[lanestore.Store] // The store, for readers of states, while the lane is open.
	inbox    atomic.Int64                    // The inbox position, -1 before it is known.
	end      atomic.Int64                    // The inbox's end as last seen.
}

// local is the lane's state on this machine, for the lane's goroutine only.
type local struct {
	store     *lanestore.Store // Nil until a takeover has opened it.
	cache     *lanestore.StateCache
	inboxNext int64          // The inbox position.
	ahead     map[int64]bool // Inbox offsets from there on that are decided already.
}

// newLane opens a lane once prior is closed; nil waits for nothing.
func newLane(ctx context.Context, j *Journal, id int32, prior <-chan struct{}) *lane {
	ctx, cancel := context.WithCancel(ctx)
	l := &lane{j: j, id: id, log: j.laneLog(id), prior: prior, stop: cancel, gone: make(chan struct{})}
	l.cache = j.memory.NewStateCache()
	l.takeover = takeover{l: l}
	l.intake = newIntake(l)
	l.decider = decider{decide: j.decide, decode: j.deps.Decode, policy: j.deps.Policy, clock: j.deps.Clock, log: l.log}
	l.commits = committer{l: l}
	l.answers = answers{l: l}
	l.waits = waitingRecords{l: l}
	l.inbox.Store(-1)
	opened := make(chan bool)
	l.opened.Store(&opened)
	l.setFailure(ErrLaneMoving)
	go l.run(ctx)
	return l
}

// lostError says that the lane has to be taken over again before anything else is written.
type lostError struct {
	err    error
	fenced bool // Another owner fenced this one: ask the group whether the lane is still ours.
	store  bool // The store can't be trusted.
}

func (e *lostError) Error() string { return "lane lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

func lost(err error) *lostError { return &lostError{err: err, fenced: isFenced(err)} }

// run takes the lane over and serves it, again and again, until it is stopped or belongs to another instance.
func (l *lane) run(ctx context.Context) {
	defer close(l.gone)
	defer l.j.lanes.endDraining(l)
	l.inherit(ctx)
	var backoff time.Duration
	for ctx.Err() == nil {
		if l.awaitRetry(ctx); ctx.Err() != nil {
			break
		}
		err := l.takeover.run(ctx)
		l.j.metrics.takeovers.WithLabelValues(resultLabel(err)).Inc()
		if err == nil {
			err = l.serveOpen(ctx, &backoff)
		}
		l.removeUntrusted(err)
		ended := err != nil && l.wasTaken(err)
		if ended {
			l.refuse(ErrNotOwner)
		}
		l.closeWriter()
		if !ended && errors.Is(err, errReleased) && l.j.lanes.drains(l) {
			ended = l.awaitTaker(ctx) && l.j.lanes.endDraining(l)
		}
		if ended || ctx.Err() != nil {
			break
		}
		err = l.j.explain(err)
		l.setFailure(err)
		l.log.WarnContext(ctx, "lane closed", slog.Any("err", err))
		if errors.Is(err, ErrDamaged) {
			l.log.ErrorContext(ctx, "lane damaged", slog.String("remedy", "repair it, then orderledger lane retry "+
				strconv.Itoa(int(l.id))), slog.Any("err", err))
			l.j.damaged.report(l.id, err, true)
		}
		if l.handleLost(ctx, err) {
			break
		}
		wait(ctx, backoff)
		backoff = min(max(2*backoff, 10*time.Millisecond), 2*time.Second)
	}
	l.refuse(ErrNotOwner)
	l.closeStore()
}

// wasTaken ends a draining lane that another instance has fenced, since it is that one's now, and one that can't be
// opened again. After other errors, and after a release, the lane may still be nobody's.
func (l *lane) wasTaken(err error) bool {
	lost := (*lostError)(nil)
	fenced := errors.As(err, &lost) && lost.fenced && !errors.Is(err, errReleased)
	return (fenced || isLasting(err)) && l.j.lanes.endDraining(l)
}

// inherit waits until the lane's store is free, and takes over the standby's store, with everything that the standby
// has read.
func (l *lane) inherit(ctx context.Context) {
	if l.prior != nil {
		<-l.prior // The previous lane was stopped, so this wait ends.
	}
	if s := l.j.standbys; s != nil && ctx.Err() == nil {
		l.store, l.takeover.seen = s.take(l.id)
	}
}

// serveOpen serves a lane that was taken over until it is lost, stopped or released.
func (l *lane) serveOpen(ctx context.Context, backoff *time.Duration) error {
	took := time.Since(l.takeover.began)
	l.j.metrics.takeover.Observe(took.Seconds())
	l.log.InfoContext(ctx, "lane opened", slog.Uint64("laneseq", l.store.Meta().Events.Seq),
		slog.Int64("inbox_offset", l.inboxNext), slog.Int64("duration_ms", took.Milliseconds()))
	l.j.damaged.forget(l.id)
	l.setOpen()
	opened := time.Now()
	err := l.serve(ctx)
	l.setClosed(err)
	m := l.store.Meta()
	l.j.warmth.read(l.id, events.TopicEvents, m.Events.Next)
	l.j.warmth.read(l.id, events.TopicDecisions, m.Decisions.Next)
	l.intake.confirmReleases()
	if time.Since(opened) > steady {
		*backoff = 0
	}
	return err
}

// removeUntrusted removes a store that can't be trusted after an error, before a standby or a takeover opens it.
func (l *lane) removeUntrusted(err error) {
	lost := (*lostError)(nil)
	if errors.As(err, &lost) && lost.store && l.store != nil {
		_ = l.store.Remove()
		l.store = nil
		l.j.warmth.reset(l.id)
	}
}

// handleLost handles a lost lane before it is taken over again; it reports whether to give the lane up.
func (l *lane) handleLost(ctx context.Context, err error) (giveUp bool) {
	lost := (*lostError)(nil)
	if !errors.As(err, &lost) || !lost.fenced {
		return false
	}
	// A fenced owner asks the group first. Two owners that only fenced each other would never get anywhere.
	for ctx.Err() == nil {
		if l.j.lanes.drains(l) {
			// It was revoked meanwhile.
			return (!errors.Is(err, errReleased) || l.awaitTaker(ctx)) && l.j.lanes.endDraining(l)
		}
		mine, answered := l.j.members.StillAssigned(ctx, l.id)
		if mine {
			return false
		}
		if answered || l.j.drains() {
			l.refuse(ErrFenced)
		}
		wait(ctx, askFencedEvery) // The group revokes the lane in time, or says that it is ours after all.
	}
	return true
}

// askFencedEvery is the interval at which a fenced owner asks the group whether the lane is still its own.
const askFencedEvery = 100 * time.Millisecond

// steady is how long a lane must have been open for its next failure to count as the first. Without it a lane that
// opens and fails at once would be taken over without a pause, and fence another instance each time.
const steady = 5 * time.Second

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func resultLabel(err error) string {
	if err != nil {
		return "failed"
	}
	return "opened"
}

// setOpen lets callers in. It sets the store first, because a caller that sees the lane open reads it.
func (l *lane) setOpen() {
	select {
	case <-l.intake.again: // It requested the takeover that has just ended.
	default:
	}
	l.shared.Store(l.store)
	l.failure.Store(nil)
	l.open.Store(true)
	l.j.metrics.open.Inc()
	close(*l.opened.Load())
}

// setClosed makes callers wait for the next takeover, on a new channel: the old one is closed.
func (l *lane) setClosed(err error) {
	l.open.Store(false)
	if err != nil {
		l.setFailure(err)
	}
	opened := make(chan bool)
	l.opened.Store(&opened)
	l.shared.Store(nil)
	l.j.metrics.open.Dec()
}

func (l *lane) setFailure(err error) {
	if err != nil {
		l.failure.Store(&err)
	}
}

// closeWriter closes the clients. Their records in flight can no longer be committed: the next takeover, here or
// elsewhere, fences both ids.
func (l *lane) closeWriter() {
	if l.writer != nil {
		l.writer.close()
		l.writer = nil
	}
	l.intake.carry = l.intake.carry[:0]
	l.commits.spare = nil // Its records may still be held by a client that is being closed.
}

func (l *lane) closeStore() {
	if l.store == nil {
		return
	}
	if err := l.store.Close(); err != nil {
		l.log.Warn("lane store not closed", slog.Any("err", err))
	}
	l.store = nil
}

// refuse answers the calls that the lane will not decide any more: those in doubt with ErrInDoubt, the others with err.
func (l *lane) refuse(err error) {
	l.answers.refuseInDoubt()
	l.intake.refuse(err)
}

// serve decides inputs until the lane is lost, stopped or released. It finishes a batch in hand first.
func (l *lane) serve(ctx context.Context) error {
	if err := l.commits.applyWaiting(); err != nil { //nolint:contextcheck // As process below.
		return err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case done := <-l.intake.releases:
			return l.intake.release(done)
		case <-l.intake.again:
			return errUnreadable
		default:
		}
		l.observe()
		if err := l.intake.nextExpiry(); err != nil {
			return err
		}
		timer.Reset(l.intake.untilExpiry())
		inputs, err := l.intake.await(ctx, timer.C)
		if err != nil || ctx.Err() != nil {
			l.intake.giveBack(inputs)
			return err
		}
		//nolint:contextcheck // A batch in hand is finished when ctx ends.
		if err := l.commits.processFirst(inputs); err != nil {
			return err
		}
	}
}
