package emitter

import (
	"math/rand/v2"
	"time"

	"github.com/orderledger/orderledger/internal/webhook"
)

// wait returns how long a lane waits after the attempts-th failure of its head, counted from 1.
//
// What the schedule says is varied by a fifth either way, or else all that failed together would come back together.
// A receiver's Retry-After replaces it: it may be sooner, but never before the first step of the schedule, and later,
// but never beyond the cap; it is varied upwards only, because coming early is what the receiver asked us not to do.
func (e *Endpoint) wait(verdict webhook.Verdict, attempts int, retryAfter time.Duration) time.Duration {
	first := e.RetrySchedule[0]
	step := e.RetrySchedule[min(attempts, len(e.RetrySchedule))-1]
	if verdict == webhook.RetrySlow {
		first, step = max(first, e.RetrySlow), max(step, e.RetrySlow)
	}
	if retryAfter > 0 {
		step = max(min(retryAfter, e.RetryAfterMax), first)
		return step + time.Duration(rand.Int64N(int64(step)/5+1))
	}
	return step - step/5 + time.Duration(rand.Int64N(int64(step)*2/5+1))
}
