package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A clock is off from clockOff on, and right again below half of that: the lanes of an instance follow the verdict, so
// it must not swing.
const (
	clockOff   = 10 * time.Second
	clockEvery = time.Minute
)

// Clock compares this machine's clock with the controller's while a program runs. It stops nothing: it warns, and says
// whether another instance would be the better owner of a lane.
type Clock struct {
	options []kgo.Opt
	log     *slog.Logger
	every   time.Duration
	off     atomic.Bool
	ahead   prometheus.Gauge
}

// NewClock returns a comparison that does nothing until Run. Its metric is NaN until the clock was measured, which
// takes the right to describe the cluster, and a broker of Apache Kafka.
func NewClock(options []kgo.Opt, log *slog.Logger, reg prometheus.Registerer) (*Clock, error) {
	c := &Clock{options: options, log: log, every: clockEvery, ahead: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "orderledger_kafka_clock_ahead_seconds",
		Help: "Time by which this machine's clock is ahead of the Kafka controller's; negative if behind, NaN if unknown.",
	})}
	c.ahead.Set(math.NaN())
	if reg != nil {
		if err := reg.Register(c.ahead); err != nil {
			return nil, fmt.Errorf("clock metric: %w", err)
		}
	}
	return c, nil
}

// Good reports whether the clock is right as far as it is known.
func (c *Clock) Good() bool { return !c.off.Load() }

// Run compares the clocks once a minute until ctx ends.
func (c *Clock) Run(ctx context.Context) error {
	client, err := kgo.NewClient(c.options...)
	if err != nil {
		return fmt.Errorf("clock client: %w", err)
	}
	defer client.Close()
	tick := time.NewTicker(c.every)
	defer tick.Stop()
	for {
		c.compare(ctx, client)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// compare keeps the last verdict where the clock can't be measured: a broker that is away says nothing about clocks.
func (c *Clock) compare(ctx context.Context, client *kgo.Client) {
	asked, cancel := context.WithTimeout(ctx, c.every)
	defer cancel()
	behind, uncertainty, err := clockBehind(asked, client)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			c.log.DebugContext(ctx, "clock not compared", slog.Any("err", err))
		}
		return
	}
	c.ahead.Set(-behind.Seconds())
	by := behind.Abs() - uncertainty
	switch was := c.off.Load(); {
	case !was && by > clockOff:
		c.off.Store(true)
		c.log.WarnContext(ctx, "clock off", slog.Float64("ahead_s", -behind.Seconds()),
			slog.String("do", "synchronize the clocks (NTP) of this machine and of the brokers"))
	case was && by < clockOff/2:
		c.off.Store(false)
		c.log.InfoContext(ctx, "clock right again")
	}
}
