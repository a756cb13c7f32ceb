package main

import (
	"context"
	"fmt"
	"time"
)

// Bulk, a round each.
const (
	bulkShipments = 20_000
	bulkPerCall   = 25 // The most of one call.
	bulkCallers   = 256
)

// bulk measures what an instance takes when callers wait only for answers: events for each second of its CPU. The
// process has nothing else to do, so that its CPU is that of its events: HTTP, JSON, Kafka's client and all; the
// broker's is not in it.
func bulk(ctx context.Context, s settings, out *table) error {
	return staged(ctx, s, out, (*stage).bulkRound)
}

func (g *stage) bulkRound(ctx context.Context, a *program) error {
	var first int
	for _, part := range []struct {
		name   string
		events int
		run    func() error
	}{
		{"notifications over HTTP, one a call", bulkShipments, func() error {
			from := g.caller.next
			g.caller.next += bulkShipments
			return closedLoop(ctx, bulkCallers, bulkShipments, func(ctx context.Context, i int) error {
				return g.caller.notify(ctx, a, from+i)
			})
		}},
		{"notifications in the inbox, decided", bulkShipments, func() (err error) {
			first, err = g.create(ctx, a, bulkShipments)
			return err
		}},
		{fmt.Sprintf("commands over HTTP, %d a call", bulkPerCall), bulkShipments * linesPerShipment, func() error {
			return closedLoop(ctx, bulkCallers, bulkShipments*linesPerShipment/bulkPerCall, func(ctx context.Context, i int) error {
				perLine := bulkShipments / bulkPerCall
				shipments := make([]int, bulkPerCall)
				for k := range shipments {
					shipments[k] = first + i%perLine*bulkPerCall + k
				}
				return g.caller.cancels(ctx, a, shipments, i/perLine)
			})
		}},
	} {
		if err := g.measure(ctx, a, part.name, part.events, part.run); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// measure runs something that makes an instance record so many events, until it has.
func (g *stage) measure(ctx context.Context, p *program, name string, events int, run func() error) error {
	cpu, err := p.metric(ctx, metricCPU)
	if err != nil {
		return err
	}
	before, err := p.metric(ctx, metricEvents)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := run(); err != nil {
		return err
	}
	if err := p.await(ctx, metricEvents, func(v float64) bool { return v >= before+float64(events) }); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := p.metric(ctx, metricCPU)
	if err != nil {
		return err
	}
	g.out.add(name, "events/core-s", float64(events)/(after-cpu))
	g.out.add(name, "µs-CPU/event", 1e6*(after-cpu)/float64(events))
	g.out.add(name, "events/s", float64(events)/took.Seconds())
	return nil
}
