package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// sample is what one open-loop run measured.
type sample struct {
	took []time.Duration // From the moment when a call was due until its answer.
	late []time.Duration // How late the generator began the call; took includes it.
}

// openLoop makes the i-th call i/perSecond seconds after the start, without waiting for earlier ones, and measures each
// from the moment when it was due. So a stall counts in every call that is due during it, not just in one.
func openLoop(
	ctx context.Context, perSecond float64, calls int, send func(ctx context.Context, i int) error,
) (sample, error) {
	s := sample{took: make([]time.Duration, calls), late: make([]time.Duration, calls)}
	errs := make([]error, calls)
	var running sync.WaitGroup
	// A thread of its own keeps the time: Go's timers are up to a millisecond late in an idle process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	for i := range calls {
		due := start.Add(time.Duration(float64(i) / perSecond * float64(time.Second)))
		until(due)
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		running.Go(func() {
			s.late[i] = time.Since(due)
			errs[i] = send(ctx, i)
			s.took[i] = time.Since(due)
		})
	}
	running.Wait()
	return s, errors.Join(errs...)
}

// report adds the quantiles of a run to the table.
func (s sample) report(out *table, name string) {
	out.add(name, "p50-ms", millis(quantile(s.took, 0.5)))
	out.add(name, "p99-ms", millis(quantile(s.took, 0.99)))
	out.add(name, "p99.9-ms", millis(quantile(s.took, 0.999)))
	out.add(name, "late-p99-ms", millis(quantile(s.late, 0.99)))
}

func quantile(d []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*q))]
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// closedLoop makes calls from a number of concurrent callers. Each sends its next call after the last answer.
func closedLoop(ctx context.Context, callers, calls int, send func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var running sync.WaitGroup
	for range callers {
		running.Go(func() {
			for i := range next {
				if err := send(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < calls && ctx.Err() == nil; i++ {
		next <- i
	}
	close(next)
	running.Wait()
	return context.Cause(ctx)
}
