package emitter

import (
	"math/rand/v2"
	"time"

	"github.com/orderledger/orderledger/internal/webhook"
)

// wait returns how long a queue waits after its head has failed that many times.
//
// The scheduled wait varies by up to a fifth in either direction; otherwise all messages that failed together would be
// retried together. A receiver's Retry-After replaces the schedule. It may shorten the wait, but not below the first
// step of the schedule, and lengthen it, but not beyond RetryAfterMax. It varies upwards only, because the receiver
// asked us not to come earlier.
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
