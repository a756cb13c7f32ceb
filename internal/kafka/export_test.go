package kafka

import (
	"time"

	dto "github.com/prometheus/client_model/go"
)

// SetClockInterval sets the interval between comparisons, before Run.
func SetClockInterval(c *Clock, every time.Duration) { c.every = every }

// ClockAhead returns the value of the clock's metric.
func ClockAhead(c *Clock) float64 {
	var out dto.Metric
	if err := c.ahead.Write(&out); err != nil {
		panic(err)
	}
	return out.GetGauge().GetValue()
}

// Looked reports whether the first look is over.
func (d *Disks) Looked() bool { return d.Looks() > 0 }

// Looks returns how many looks are over.
func (d *Disks) Looks() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.looks
}
