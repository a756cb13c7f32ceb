package main

import (
	"context"
	"fmt"
	"time"
)

// The sizes of one round.
const (
	bulkShipments = 20_000
	bulkPerCall   = 25 // The most that one call may hold.
	bulkCallers   = 256
)

// bulk measures how many events an instance records per second of its CPU when callers send as fast as they get
// answers. The process does nothing else, so all of its CPU counts: HTTP, JSON, Kafka's client. The broker's does not.
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
			const perLine = bulkShipments / bulkPerCall
			return closedLoop(ctx, bulkCallers, perLine*linesPerShipment, func(ctx context.Context, i int) error {
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

// measure runs something that makes an instance record this many events, and waits until it has.
func (g *stage) measure(ctx context.Context, p *program, name string, events int, run func() error) error {
	cpu, err := p.metric(ctx, metricCPU)
	if err != nil {
		return err
	}
	before, err := p.metric(ctx, metricEvents)
	if err != nil {
		return err
	}
	sizeBefore, err := ledgerSize(ctx, g.client)
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
	size, err := ledgerSize(ctx, g.client)
	if err != nil {
		return err
	}
	g.out.add(name, "B-in-Kafka/event", float64(size-sizeBefore)/float64(events))
	g.out.add(name, "events/core-s", float64(events)/(after-cpu))
	g.out.add(name, "µs-CPU/event", 1e6*(after-cpu)/float64(events))
	g.out.add(name, "events/s", float64(events)/took.Seconds())
	return nil
}
