package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
)

// load is a rate of commands. Calls are spaced evenly.
type load struct {
	perSecond int // Commands per second.
	perCall   int // Commands in one call, each for another shipment.
	calls     int
}

// loads are the offered rates: one shipment per call, and ten shipments per call for half as long.
func loads(seconds int) []load {
	return []load{{500, 1, 500 * seconds}, {5000, 10, 500 * seconds / 2}}
}

func (l load) callsPerSecond() float64 { return float64(l.perSecond) / float64(l.perCall) }

func (l load) commands() int { return l.calls * l.perCall }

func (l load) name(who string) string {
	return fmt.Sprintf("%d/s in calls of %d: %s", l.perSecond, l.perCall, who)
}

// stage holds everything that takes part in a measurement over HTTP.
type stage struct {
	settings
	out      *table
	caller   *caller
	programs *programs
	client   *kgo.Client
	inbox    *journal.Inbox
	lanes    int
	like     *kgo.Record // The event that the limits copy.
}

// offered measures a seller's calls over HTTP: to an instance that owns all lanes and to one of two that own half of
// them each, beside a plain produce and a raw transaction of the same records at the same rate. Each round measures all
// of these.
func offered(ctx context.Context, s settings, out *table) error {
	return staged(ctx, s, out, (*stage).round)
}

// staged runs the rounds on a new ledger, with an instance that has been warmed up.
func staged(ctx context.Context, s settings, out *table, round func(*stage, context.Context, *program) error) error {
	return withLedger(ctx, s, func(client *kgo.Client, lanes int) error {
		g, err := newStage(ctx, s, out, client, lanes)
		if err != nil {
			return err
		}
		defer g.close()
		a, err := g.programs.start(ctx, "a")
		if err != nil {
			return err
		}
		defer a.stop()
		if err := a.opens(ctx, lanes); err != nil {
			return err
		}
		if err := g.warm(ctx, a); err != nil {
			return err
		}
		for range s.rounds {
			if err := round(g, ctx, a); err != nil {
				return err
			}
		}
		return nil
	})
}

func newStage(ctx context.Context, s settings, out *table, client *kgo.Client, lanes int) (*stage, error) {
	g := &stage{settings: s, out: out, caller: newCaller(), client: client, lanes: lanes}
	var err error
	if g.programs, err = newPrograms(ctx, s); err != nil {
		return nil, err
	}
	if g.inbox, err = journal.NewInbox(lanes, kafka.Options(kafkaConfig(s, 0))...); err != nil {
		g.programs.close()
		return nil, err
	}
	return g, nil
}

func (g *stage) close() {
	g.inbox.Close()
	g.programs.close()
}

// create creates n shipments through the inbox of an instance that owns all lanes, and returns the first one's number.
func (g *stage) create(ctx context.Context, p *program, n int) (first int, err error) {
	first = g.caller.next
	g.caller.next += n
	before, err := p.metric(ctx, metricEvents)
	if err != nil {
		return 0, err
	}
	err = closedLoop(ctx, 256, n, func(ctx context.Context, i int) error {
		rec, err := g.caller.record(first + i)
		if err == nil {
			_, _, err = g.inbox.Append(ctx, rec)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return first, p.await(ctx, metricEvents, func(v float64) bool { return v >= before+float64(n) })
}

// warm opens connections and warms up caches, and reads an event for the limits to copy.
func (g *stage) warm(ctx context.Context, p *program) error {
	const shipments = 500
	first, err := g.create(ctx, p, shipments)
	if err != nil {
		return err
	}
	for line := range linesPerShipment {
		if err := closedLoop(ctx, 4, shipments, func(ctx context.Context, i int) error {
			return g.caller.cancels(ctx, p, []int{first + i}, line)
		}); err != nil {
			return err
		}
	}
	g.like, err = lastEvent(ctx, g.settings, g.client)
	return err
}

// round measures everything once: for each rate the limits and one instance, then for each rate two instances. Both
// parts use the same shipments: the first cancels their first lines, the second their second lines.
func (g *stage) round(ctx context.Context, a *program) error {
	var first []int
	for _, l := range loads(g.seconds) {
		n, err := g.create(ctx, a, l.commands())
		if err != nil {
			return err
		}
		first = append(first, n)
	}
	for i, l := range loads(g.seconds) {
		if err := g.limits(ctx, l); err != nil {
			return err
		}
		if err := g.offer(ctx, l, "one instance", a, first[i], 0); err != nil {
			return err
		}
	}
	b, err := g.programs.start(ctx, "b")
	if err != nil {
		return err
	}
	defer b.stop()
	if err := errors.Join(b.opens(ctx, g.lanes/2), a.opens(ctx, g.lanes-g.lanes/2)); err != nil {
		return err
	}
	for i, l := range loads(g.seconds) {
		if err := g.offer(ctx, l, "one of two instances", a, first[i], 1); err != nil {
			return err
		}
	}
	b.stop()
	return a.opens(ctx, g.lanes)
}

// offer measures calls to an instance at a rate.
func (g *stage) offer(ctx context.Context, l load, who string, to *program, first, line int) error {
	s, err := openLoop(ctx, l.callsPerSecond(), l.calls, func(ctx context.Context, i int) error {
		shipments := make([]int, l.perCall)
		for k := range shipments {
			shipments[k] = first + i*l.perCall + k
		}
		return g.caller.cancels(ctx, to, shipments, line)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", l.name(who), err)
	}
	s.report(g.out, l.name(who))
	return nil
}

// limits measures writes without a ledger: records of the same size, at the same rate, to as many partitions per call.
func (g *stage) limits(ctx context.Context, l load) error {
	p, err := newPlain(g.settings)
	if err != nil {
		return err
	}
	defer p.client.Close()
	r, err := newRaw(ctx, g.settings, g.lanes)
	if err != nil {
		return err
	}
	defer r.close()
	for _, limit := range []struct {
		who   string
		write func(context.Context, *kgo.Record, []int32) error
	}{{"plain produce", p.produce}, {"raw transactions", r.write}} {
		write := func(ctx context.Context, i int) error {
			lanes := make([]int32, l.perCall)
			for k := range lanes {
				lanes[k] = events.Lane(g.caller.shipment(i*l.perCall+k), g.lanes)
			}
			return limit.write(ctx, g.like, lanes)
		}
		// Getting producer ids and connections must not be part of the measurement.
		if err := closedLoop(ctx, 4, 200, write); err != nil {
			return fmt.Errorf("%s: %w", l.name(limit.who), err)
		}
		s, err := openLoop(ctx, l.callsPerSecond(), l.calls, write)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name(limit.who), err)
		}
		s.report(g.out, l.name(limit.who))
	}
	return nil
}
