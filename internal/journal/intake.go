package journal

import (
	"context"
	"fmt"
	"time"
)

// intake collects what a lane is to decide: commands, inbox records, and inputs that have waited too long. It also
// takes the requests that end the lane's service.
type intake struct {
	l        *lane
	calls    *callQueue         // From any goroutine.
	releases chan chan struct{} // Requests to give the lane to its next owner, from any goroutine; closed when done.
	again    chan struct{}      // Has the lane taken over again; from any goroutine.

	turn      bool            // The next batch of both kinds begins with an inbox record.
	retry     []*call         // Certainly not stored; to be decided again.
	carry     []*input        // Inbox records taken and not decided yet.
	expiry    time.Time       // When the oldest waiting input is too old; zero for none.
	clock     int64           // The latest wall clock of a batch or a look at expiry, in Unix milliseconds.
	releasing []chan struct{} // To be closed when nothing more is decided.
}

func newIntake(l *lane) intake {
	return intake{
		l: l, calls: newCallQueue(), releases: make(chan chan struct{}), again: make(chan struct{}, 1),
	}
}

// await blocks until there is something to decide and returns all there is, up to a batch. Commands and inbox records
// get half of a full batch each and alternate in it, and batches begin with either in turn, so that neither can starve
// the other, even if the first one fills a transaction.
func (k *intake) await(ctx context.Context, expired <-chan time.Time) ([]*input, error) {
	inputs := k.takeRetry(nil)
	if len(inputs) == 0 && len(k.carry) == 0 {
		select {
		case <-k.calls.wake:
		case f := <-k.l.writer.inbox.fetched:
			if err := k.fetched(f); err != nil {
				return nil, err
			}
		case done := <-k.releases:
			return nil, k.release(done)
		case <-k.again:
			return nil, errUnreadable
		case <-expired:
			return k.expired() //nolint:contextcheck // Its read has a limit of its own.
		case <-ctx.Done():
			return nil, nil
		}
	}
	full := k.l.j.cfg.MaxBatch
	if len(k.carry) < full { // Not while commands slow the inbox down: it would pile up here.
		select {
		case f := <-k.l.writer.inbox.fetched:
			if err := k.fetched(f); err != nil {
				return inputs, err
			}
		default:
		}
	}
	most := max(1, full-min(len(k.carry), full/2))
	calls := k.calls.take(most - len(inputs))
	n := min(len(k.carry), max(1, full-len(inputs)-len(calls)))
	if records := k.carry[:n]; k.turn {
		inputs = alternate(inputs, records, calls)
	} else {
		inputs = alternate(inputs, calls, records)
	}
	k.turn = k.turn != (n > 0 && len(calls) > 0)
	k.carry = append(k.carry[:0], k.carry[n:]...)
	return inputs, nil
}

// alternate appends the inputs of both lists, in turn.
func alternate(dst, a, b []*input) []*input {
	for i := range max(len(a), len(b)) {
		if i < len(a) {
			dst = append(dst, a[i])
		}
		if i < len(b) {
			dst = append(dst, b[i])
		}
	}
	return dst
}

// putBack returns inputs that did not fit into a transaction. Others may come before them in the next one. Inputs that
// have waited too long are found again.
func (k *intake) putBack(inputs []*input) {
	var calls []*call
	var records []*input
	for _, in := range inputs {
		switch {
		case in.call != nil:
			in.call.state.Store(callQueued)
			calls = append(calls, in.call)
		case in.waiting == nil:
			records = append(records, in)
		}
	}
	k.calls.putBack(calls)
	if len(records) > 0 {
		k.carry = append(records, k.carry...)
	}
}

// takeRetry takes the calls that a lost lane gave back. They come first, because they were submitted first.
func (k *intake) takeRetry(inputs []*input) []*input {
	inputs = take(inputs, k.retry...)
	k.retry = nil
	return inputs
}

// take takes the calls whose callers still wait.
func take(inputs []*input, calls ...*call) []*input {
	for _, c := range calls {
		if c.state.CompareAndSwap(callQueued, callTaken) {
			inputs = append(inputs, commandInput(c))
		}
	}
	return inputs
}

// giveBack puts calls that were taken and not decided back into the queue, or among those in doubt.
func (k *intake) giveBack(inputs []*input) {
	for _, in := range inputs {
		if in.call == nil || in.settled {
			continue
		}
		if in.inDoubt {
			k.l.answers.inDoubt = append(k.l.answers.inDoubt, in.call)
			continue
		}
		in.call.state.Store(callQueued)
		k.retry = append(k.retry, in.call)
	}
}

// fetched takes inbox records. An error of the reader closes the lane: the takeover finds out whether its position is
// still there.
func (k *intake) fetched(f fetched) error {
	if f.err != nil {
		return fmt.Errorf("read inbox lane %d: %w", k.l.id, f.err)
	}
	for _, rec := range f.records {
		r, foreign := readInbox(rec, k.l.j.cfg.Lanes)
		k.carry = append(k.carry, k.l.recordInput(r, foreign))
	}
	k.l.end.Store(max(k.l.end.Load(), f.end))
	return nil
}

// release ends the lane's service because the next owner asks for it.
func (k *intake) release(done chan struct{}) error {
	k.releasing = append(k.releasing, done)
	return errReleased
}

// confirmReleases answers the requests for release, once nothing more is decided.
func (k *intake) confirmReleases() {
	for _, done := range k.releasing {
		close(done)
	}
	k.releasing = k.releasing[:0]
}

// refuse answers all calls that are queued with err: certainly none of them is stored.
func (k *intake) refuse(err error) {
	refuseAll := func(calls []*call) {
		for _, c := range calls {
			if c.state.CompareAndSwap(callQueued, callTaken) {
				c.answer(Receipt{}, err)
			}
		}
	}
	refuseAll(k.retry)
	k.retry = nil
	for {
		select {
		case done := <-k.releases:
			close(done)
		default:
			refuseAll(k.calls.drain())
			return
		}
	}
}

// expireAtOnce bounds how many inputs one batch ends by age.
const expireAtOnce = 500

// nextExpiry finds out when the oldest waiting input is too old.
func (k *intake) nextExpiry() error {
	k.expiry = time.Time{}
	if k.l.store.Meta().Waiting == 0 {
		return nil
	}
	if err := k.capWaiting(); err != nil {
		return err
	}
	since, found, err := k.l.store.OldestWaiting()
	if err != nil {
		return &lostError{err: err, store: true}
	}
	if found {
		k.expiry = since.Add(k.l.j.cfg.WaitingLimit)
	}
	return nil
}

// capWaiting has inputs that began to wait later than now wait from now on, if the wall clock went backward: it was
// ahead when they were recorded. In Unix time, because Go compares the times of one process by the monotonic clock.
func (k *intake) capWaiting() error {
	now := k.l.j.deps.Now()
	back := now.UnixMilli() < k.clock
	k.clock = now.UnixMilli()
	if !back {
		return nil
	}
	if err := k.l.store.CapWaiting(now); err != nil {
		return &lostError{err: err, store: true}
	}
	return nil
}

// untilExpiry returns the time to wait, at most a second: timers follow the monotonic clock, and somebody may set the
// wall clock.
func (k *intake) untilExpiry() time.Duration {
	if k.expiry.IsZero() {
		return time.Hour
	}
	return max(0, min(k.expiry.Sub(k.l.j.deps.Now()), time.Second))
}

// expired returns inputs that have waited too long, counted from when they were recorded.
func (k *intake) expired() ([]*input, error) {
	now := k.l.j.deps.Now()
	if k.expiry.IsZero() || now.Before(k.expiry) {
		return nil, nil
	}
	list, err := k.l.store.WaitingSince(now.Add(-k.l.j.cfg.WaitingLimit), min(expireAtOnce, k.l.j.cfg.MaxBatch))
	if err != nil {
		return nil, &lostError{err: err, store: true}
	}
	return k.l.waits.inputs(list[:k.l.waits.fit(list)], true)
}
