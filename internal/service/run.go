package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// StopTimeout is how long Run waits for all units together once they are asked to stop. It is below the thirty seconds
// of Kubernetes.
const StopTimeout = 25 * time.Second

// Unit is one part of a program that runs as long as the program does.
type Unit struct {
	// Name identifies the unit in logs and errors.
	Name string
	// Run blocks until ctx ends or the unit can't continue. Returning nil, or the error of ctx after its end, is a clean
	// stop.
	Run func(ctx context.Context) error
}

// Run runs the units until ctx ends or one of them returns, then stops them in reverse order. It returns nil for a
// clean stop, otherwise the joined errors of the units, with that of the unit that returned first at the front.
func Run(ctx context.Context, log *slog.Logger, units ...Unit) error {
	return RunWithin(ctx, log, StopTimeout, units...)
}

// RunWithin is Run with another deadline for stopping.
func RunWithin(ctx context.Context, log *slog.Logger, stop time.Duration, units ...Unit) error {
	if len(units) == 0 {
		<-ctx.Done()
		return nil
	}
	g := group{log: log, first: make(chan *running, len(units))}
	for _, u := range units {
		g.start(ctx, u)
	}

	var ended *running
	select {
	case ended = <-g.first:
		log.InfoContext(ctx, "unit ended", slog.String("unit", ended.Name), slog.Any("err", ended.err))
	case <-ctx.Done():
		log.InfoContext(ctx, "stopping", slog.Any("cause", context.Cause(ctx)))
	}
	return g.stop(ctx, stop, ended)
}

type group struct {
	log   *slog.Logger
	units []*running
	first chan *running // Holds each unit that has returned.
}

type running struct {
	Unit
	cancel context.CancelFunc
	done   chan struct{}
	err    error // Valid once done is closed.
}

func (g *group) start(ctx context.Context, u Unit) {
	// The end of ctx must not reach all units at once: stop cancels them one after the other.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &running{Unit: u, cancel: cancel, done: make(chan struct{})}
	g.units = append(g.units, r)
	go func() {
		err := u.Run(ctx)
		if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil
		}
		if err != nil {
			r.err = fmt.Errorf("%s: %w", u.Name, err)
		}
		close(r.done)
		g.first <- r
	}()
}

// stop ends the units from the last to the first and collects their errors.
func (g *group) stop(ctx context.Context, within time.Duration, ended *running) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	var errs []error
	if ended != nil {
		errs = append(errs, ended.err)
	}
	late := false
	for i := len(g.units) - 1; i >= 0; i-- {
		r := g.units[i]
		r.cancel()
		if !late {
			select {
			case <-r.done:
			case <-deadline.C:
				// From here on all units are cancelled without waiting: order makes no sense after one that hangs.
				late = true
			}
		}
		select {
		case <-r.done:
			if r != ended {
				errs = append(errs, r.err)
			}
			g.log.DebugContext(ctx, "unit stopped", slog.String("unit", r.Name))
		default:
			errs = append(errs, fmt.Errorf("%s: did not stop within %s", r.Name, within))
		}
	}
	return errors.Join(errs...)
}
