package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
)

// tracked is a submission between Submit and its result. Only one goroutine has it at a time.
type tracked struct {
	Submission

	lane   int32
	done   bool
	result Result // Valid once done, if err is nil.
	reason string // Why the last try did not finish it.
	err    error  // The outcome of the last try.
	// inDoubt is set from the first try that may have stored the command. Only an answer clears it: an error of a later
	// owner says nothing about what an earlier owner wrote.
	inDoubt     error
	unreachable time.Time // Since when no instance could be asked; zero for never.
}

// answer finishes the submission with a receipt.
func (t *tracked) answer(r Result) { t.done, t.result, t.err = true, r, nil }

// fail finishes the submission with an error that no retry would change.
func (t *tracked) fail(err error) { t.done, t.err = true, err }

// retry records a try that did not finish it.
func (t *tracked) retry(reason string, err error) {
	t.reason, t.err, t.unreachable = reason, err, time.Time{}
	if errors.Is(err, journal.ErrInDoubt) {
		t.inDoubt = err
	}
}

// markUnreachable records that there was no instance to ask, and finishes the submission once that has lasted too long.
func (t *tracked) markUnreachable(now time.Time, limit time.Duration) {
	since := t.unreachable
	if since.IsZero() {
		since = now
	}
	t.retry(reasonOwnerUnreachable, ErrOwnerUnreachable)
	t.unreachable, t.done = since, now.Sub(since) > limit
}

// outcome returns the result, or the error of the last try if the deadline came first.
func (t *tracked) outcome(ctx context.Context) Result {
	switch {
	case t.done && t.err == nil:
		return t.result
	case t.inDoubt != nil:
		return Result{Err: t.inDoubt}
	case t.err != nil:
		return Result{Err: t.err}
	}
	return Result{Err: fmt.Errorf("%w: %w", journal.ErrLaneMoving, context.Cause(ctx))}
}
