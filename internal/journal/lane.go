package journal

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/orderledger/orderledger/events"
)

// lane is one partition of the ledger while this instance serves it or is about to: the group assigns it, or it
// lingers. One goroutine runs it; all fields without a word about it are that goroutine's.
type lane struct {
	j     *Journal
	id    int32
	log   *slog.Logger
	calls chan []*call // From any goroutine.
	// releases are requests to give the lane to its next owner, from any goroutine; closed when nothing more is decided.
	releases chan chan struct{}
	again    chan struct{}   // Has the lane taken over again; from any goroutine.
	stop     func()          // Ends run; from any goroutine.
	gone     chan struct{}   // Closed when run has ended and every call that was taken has its answer.
	prior    <-chan struct{} // Closed when the lane's store is free; nil where nobody had it.
	expire   *time.Timer     // Ends a lane that lingers; guarded by Journal.mu.

	open    atomic.Bool               // From any goroutine.
	marked  atomic.Bool               // The mark at the lane is this instance's; from any goroutine.
	opened  atomic.Pointer[chan bool] // Closed each time the lane opens.
	failure atomic.Pointer[error]     // Why it is not open; from any goroutine.
	reading atomic.Pointer[store]     // The store, while the lane is open; from any goroutine.
	inbox   atomic.Int64              // The inbox position, -1 before it is known; from any goroutine.
	end     atomic.Int64              // The inbox's end as last seen; from any goroutine.

	store     *store
	cache     *stateCache
	owner     *owner
	inboxNext int64
	aheadSet  map[int64]bool
	// voidsKnown says that the lane has a record that voids decisions, so that reading must look for those first.
	voidsKnown bool
	spare      *batch
	seen       map[string]int64 // How far each topic has been read, aborted records and markers included.
	fencing    time.Time        // When the last takeover began to keep callers waiting.
	releasing  []chan struct{}  // Requests to be told when nothing more is decided.

	retry  []*call               // Certainly not stored; to be decided again.
	doubt  []*call               // In a commit of unknown outcome.
	found  map[answerID]*Receipt // What takeovers found of doubt; nil for nothing yet.
	carry  []*input              // Inbox records taken and not decided yet.
	expiry time.Time             // When the oldest waiting input is too old; zero for none.
}

// newLane opens a lane once prior is closed; nil waits for nothing.
func newLane(ctx context.Context, j *Journal, id int32, prior <-chan struct{}) *lane {
	ctx, cancel := context.WithCancel(ctx)
	l := &lane{
		j: j, id: id, log: j.laneLog(id), prior: prior,
		calls: make(chan []*call, j.cfg.MaxBatch), releases: make(chan chan struct{}), again: make(chan struct{}, 1), stop: cancel, gone: make(chan struct{}),
		cache: newStateCache(int(j.cfg.CacheBytes) / statesPart / j.cfg.Lanes),
	}
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
	fenced bool // Another owner did it: the group must be asked whether the lane is still ours.
	store  bool // The store can't be trusted.
}

func (e *lostError) Error() string { return "lane lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

func (l *lane) run(ctx context.Context) {
	defer close(l.gone)
	defer l.j.endLinger(l)
	l.inherit(ctx)
	var backoff time.Duration
	for ctx.Err() == nil {
		err := l.takeOver(ctx)
		l.j.metrics.takeovers.WithLabelValues(resultLabel(err)).Inc()
		if err == nil {
			err = l.serveOpen(ctx, &backoff)
		}
		l.distrust(err)
		// One that lingered has no reason to come back: the lane is its next owner's.
		ended := err != nil && l.j.endLinger(l)
		if ended {
			l.refuse(ErrNotOwner)
		}
		l.release()
		if ended || ctx.Err() != nil {
			break
		}
		l.setFailure(err)
		l.log.WarnContext(ctx, "lane closed", slog.Any("err", err))
		if l.recoverFrom(ctx, err) {
			break
		}
		wait(ctx, backoff)
		backoff = min(max(2*backoff, 10*time.Millisecond), 2*time.Second)
	}
	l.refuse(ErrNotOwner)
	l.closeStore()
}

// inherit waits until the lane's store is free, and takes it over from the follower as far as that has read.
func (l *lane) inherit(ctx context.Context) {
	if l.prior != nil {
		<-l.prior // It was told to end.
	}
	if f := l.j.follower; f != nil && ctx.Err() == nil {
		l.store, l.seen = f.take(l.id)
	}
}

// serveOpen serves a lane that was taken over until it is lost, taken away or asked for.
func (l *lane) serveOpen(ctx context.Context, backoff *time.Duration) error {
	j := l.j
	j.metrics.takeover.Observe(time.Since(l.fencing).Seconds())
	l.log.InfoContext(ctx, "lane opened", slog.Uint64("laneseq", l.store.meta.Events.Seq),
		slog.Int64("inbox_offset", l.inboxNext), slog.Int64("duration_ms", time.Since(l.fencing).Milliseconds()))
	l.setOpen()
	opened := time.Now()
	err := l.serve(ctx)
	l.setClosed(err)
	l.told()
	if time.Since(opened) > steady {
		*backoff = 0
	}
	return err
}

// told tells those who asked for the lane that it decides nothing more.
func (l *lane) told() {
	for _, done := range l.releasing {
		close(done)
	}
	l.releasing = l.releasing[:0]
}

// distrust throws a store away that is not to be trusted after an error, whoever needs it next.
func (l *lane) distrust(err error) {
	lost := (*lostError)(nil)
	if errors.As(err, &lost) && lost.store && l.store != nil {
		_ = l.store.wipe()
		l.store = nil
	}
}

// recoverFrom does what the loss of a lane asks for before it is taken over again, and tells whether it is not to be.
func (l *lane) recoverFrom(ctx context.Context, err error) (ended bool) {
	lost := (*lostError)(nil)
	if !errors.As(err, &lost) || !lost.fenced {
		return false
	}
	// A fenced owner asks the group first. Two owners that only fenced each other would never get anywhere.
	for ctx.Err() == nil {
		if l.j.endLinger(l) {
			return true
		}
		mine, told := l.j.stillAssigned(ctx, l.id)
		if mine {
			return false
		}
		if told || l.j.lingers() {
			l.refuse(ErrFenced)
		}
		wait(ctx, askFencedEvery) // The group will say in time that the lane is gone, or is ours after all.
	}
	return true
}

// askFencedEvery is how often a fenced owner asks the group whether the lane is its own after all.
const askFencedEvery = 100 * time.Millisecond

// steady is how long a lane must have been open for its next failure to count as the first.
const steady = 5 * time.Second

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

func (l *lane) setOpen() {
	select {
	case <-l.again: // It was asked for before this takeover.
	default:
	}
	l.reading.Store(l.store)
	l.failure.Store(nil)
	l.open.Store(true)
	l.j.metrics.open.Inc()
	close(*l.opened.Load())
}

func (l *lane) setClosed(err error) {
	l.open.Store(false)
	if err != nil {
		l.setFailure(err)
	}
	opened := make(chan bool)
	l.opened.Store(&opened)
	l.reading.Store(nil)
	l.j.metrics.open.Dec()
}

func (l *lane) setFailure(err error) {
	if err != nil {
		l.failure.Store(&err)
	}
}

// release closes the clients. What they still had in flight can't be committed by anyone: the next takeover, here or
// elsewhere, fences it.
func (l *lane) release() {
	if l.owner != nil {
		l.owner.close()
		l.owner = nil
	}
	l.carry = l.carry[:0]
	l.spare = nil // Its records may still be held by a client that is being closed.
}

func (l *lane) closeStore() {
	if l.store == nil {
		return
	}
	if err := l.store.close(); err != nil {
		l.log.Warn("lane store", slog.Any("err", err))
	}
	l.store = nil
}

// refuse answers what the lane will not decide any more: in doubt where a commit's outcome is unknown, otherwise with
// err.
func (l *lane) refuse(err error) {
	for _, c := range l.doubt {
		c.answer(Receipt{}, ErrInDoubt)
	}
	for _, c := range l.retry {
		if c.state.CompareAndSwap(callQueued, callTaken) {
			c.answer(Receipt{}, err)
		}
	}
	l.doubt, l.retry, l.found = nil, nil, nil
	for {
		select {
		case done := <-l.releases:
			close(done)
		case calls := <-l.calls:
			for _, c := range calls {
				if c.state.CompareAndSwap(callQueued, callTaken) {
					c.answer(Receipt{}, err)
				}
			}
		default:
			return
		}
	}
}

// serve decides what comes until the lane is lost or taken away. A batch in hand is finished first.
func (l *lane) serve(ctx context.Context) error {
	if err := l.applyWaiting(); err != nil {
		return err
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case done := <-l.releases:
			return l.releaseTo(done)
		case <-l.again:
			return errUnreadable
		default:
		}
		l.observe()
		if err := l.nextExpiry(); err != nil {
			return err
		}
		timer.Reset(l.untilExpiry())
		inputs, err := l.await(ctx, timer.C)
		if err != nil || ctx.Err() != nil {
			l.giveBack(inputs)
			return err
		}
		if err := l.process(inputs); err != nil { //nolint:contextcheck // A batch in hand is finished when ctx ends.
			return err
		}
	}
}

// releaseTo ends serving because the next owner asks; it is told once nothing is decided any more.
func (l *lane) releaseTo(done chan struct{}) error {
	l.releasing = append(l.releasing, done)
	return errReleased
}

// laneLog is the log of what happens in a lane.
func (j *Journal) laneLog(id int32) *slog.Logger {
	return j.log.With(slog.String("topic", events.TopicEvents), slog.Int("partition", int(id)))
}
