package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/testkit"
)

// diary records the order in which units end.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

// waits returns a unit that runs until it is stopped.
func (d *diary) waits(name string, started *sync.WaitGroup, err error) service.Unit {
	started.Add(1)
	return service.Unit{Name: name, Run: func(ctx context.Context) error {
		started.Done()
		<-ctx.Done()
		d.note(name)
		return err
	}}
}

func TestRunStopsInReverseOrder(t *testing.T) {
	t.Parallel()
	var d diary
	var started sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	units := []service.Unit{
		d.waits("broker", &started, nil),
		d.waits("client", &started, context.Canceled),
		d.waits("server", &started, fmt.Errorf("serve: %w", context.Canceled)),
	}
	go func() {
		started.Wait()
		cancel()
	}()
	require.NoError(t, service.Run(ctx, testkit.Logger(t), units...))
	require.Equal(t, []string{"server", "client", "broker"}, d.read())
}

func TestRunReturnsTheFirstErrorFirst(t *testing.T) {
	t.Parallel()
	var d diary
	var started sync.WaitGroup
	broke, untidy := errors.New("broke"), errors.New("untidy")
	err := service.Run(t.Context(), testkit.Logger(t),
		d.waits("a", &started, nil),
		service.Unit{Name: "b", Run: func(context.Context) error {
			started.Wait()
			return broke
		}},
		d.waits("c", &started, untidy),
	)
	require.ErrorIs(t, err, broke)
	require.ErrorIs(t, err, untidy)
	require.EqualError(t, err, "b: broke\nc: untidy")
	require.Equal(t, []string{"c", "a"}, d.read())
}

func TestRunEndsWhenAUnitIsDone(t *testing.T) {
	t.Parallel()
	var d diary
	var started sync.WaitGroup
	require.NoError(t, service.Run(t.Context(), testkit.Logger(t),
		d.waits("a", &started, nil),
		service.Unit{Name: "once", Run: func(context.Context) error { return nil }},
	))
}

// A unit that returns context.Canceled before anyone asked it to stop has failed.
func TestRunTreatsAnEarlyCancelAsFailure(t *testing.T) {
	t.Parallel()
	err := service.Run(t.Context(), testkit.Logger(t),
		service.Unit{Name: "a", Run: func(context.Context) error { return context.Canceled }})
	require.EqualError(t, err, "a: context canceled")
}

// Run names the unit that hangs, and still stops the others.
func TestRunNamesAUnitThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		release := make(chan struct{})
		defer close(release)
		cancel()
		err := service.RunWithin(ctx, testkit.Logger(t), time.Minute,
			service.Unit{Name: "first", Run: func(ctx context.Context) error { <-ctx.Done(); close(stopped); return nil }},
			service.Unit{Name: "stuck", Run: func(context.Context) error { <-release; return nil }},
		)
		require.ErrorContains(t, err, "stuck: did not stop within 1m0s")
		<-stopped
	})
}

func TestRunWithoutUnitsWaitsForContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, service.Run(ctx, testkit.Logger(t)))
}

// Units that end, fail or wait, in every mixture, while the program is stopped: all must have returned when Run
// returns.
func TestRunStartAndStopRaces(t *testing.T) {
	t.Parallel()
	failure := errors.New("failure")
	for mix := range 3 * 3 * 3 * 3 {
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		var units []service.Unit
		for i, m := 0, mix; i < 4; i, m = i+1, m/3 {
			running.Add(1)
			units = append(units, service.Unit{Name: fmt.Sprint(i), Run: func(ctx context.Context) error {
				defer running.Done()
				switch m % 3 {
				case 0:
					<-ctx.Done()
					return ctx.Err()
				case 1:
					return nil
				}
				return failure
			}})
		}
		go cancel()
		err := service.Run(ctx, testkit.Logger(t), units...)
		running.Wait()
		if err != nil {
			require.ErrorIs(t, err, failure)
		}
	}
}
