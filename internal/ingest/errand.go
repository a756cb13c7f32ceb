package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/orderledger/orderledger/internal/journal"
)

// errand is one command on its way to the owner of its lane. Only one goroutine has it at a time.
type errand struct {
	command journal.Command
	// index is that of the item in the call's body; serviceID says which service it means, where the body does not.
	index     int
	serviceID string

	lane   int32
	done   bool
	result journal.Result // Valid once done, if last is nil.
	reason string         // Why the last try was not the end.
	last   error          // What came of it.
	// doubt is set from the moment on that the command may be stored. That a later owner does not have the lane says
	// nothing of what an earlier one has written, so only an answer takes it away.
	doubt    error
	stranded time.Time // Since when no instance could be asked; zero for never.
}

// errNoWay says that the lane's owner can't be reached: nothing was stored.
var errNoWay = errors.New("the owner of the lane can't be reached from here")

// reasonNoWay labels a try at an owner that tells no URL, or without a secret of our own.
const reasonNoWay = "no_way"

// answer ends the errand with a receipt.
func (e *errand) answer(r journal.Result) { e.done, e.result, e.last = true, r, nil }

// end ends the errand with an error that another try would not change.
func (e *errand) end(err error) { e.done, e.last = true, err }

// put notes that a try was not the last.
func (e *errand) put(reason string, err error) {
	e.reason, e.last, e.stranded = reason, err, time.Time{}
	if errors.Is(err, journal.ErrInDoubt) {
		e.doubt = err
	}
}

// strand notes that there was nobody to ask, and ends the errand when that has been so for long.
func (e *errand) strand(now time.Time, limit time.Duration) {
	since := e.stranded
	if since.IsZero() {
		since = now
	}
	e.put(reasonNoWay, errNoWay)
	e.stranded, e.done = since, now.Sub(since) > limit
}

// outcome returns the result, whatever there is when the time is over.
func (e *errand) outcome(ctx context.Context) journal.Result {
	switch {
	case e.done && e.last == nil:
		return e.result
	case e.doubt != nil:
		return journal.Result{Err: e.doubt}
	case e.last != nil:
		return journal.Result{Err: e.last}
	}
	return journal.Result{Err: fmt.Errorf("%w: %w", journal.ErrLaneMoving, context.Cause(ctx))}
}
