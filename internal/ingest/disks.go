package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/orderledger/orderledger/internal/disk"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/kafka"
)

// disks says which full disk keeps this instance from taking inputs: the brokers', or its own, on which lane stores,
// the pending store and documents are. Inputs are refused before such a disk is really full, because a lane store that
// meets the end of its disk ends the process.
type disks struct {
	kafka   *kafka.Disks // Nil if nobody watches them.
	folders []string
	log     *slog.Logger

	mu       sync.Mutex
	at       time.Time // When it looked at the folders last; guarded by mu, as all below.
	full     error
	refusing bool
	loggedAt time.Time
}

const (
	// disksEvery is how long a look at the folders counts.
	disksEvery = time.Second
	// disksLogEvery is the interval of the line about a disk that stays full.
	disksLogEvery = time.Minute
	// retryFull is the Retry-After of a full disk: somebody has to act first.
	retryFull = 10 * time.Second
)

// diskFull is a problem of its own although others with 503 are answered in the same way: nobody else can end it.
//
//nolint:gochecknoglobals // A constant.
var diskFull = httpx.Kind{
	Name: "disk_full", Status: httpx.Unavailable.Status, Code: httpx.CodeUnavailable, Title: "Disk full",
}

// check returns a disk.FullError if inputs must be refused.
func (d *disks) check(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	full := d.verdict()
	d.note(ctx, full)
	return full
}

// verdict is check without its line in the log. The caller holds d.mu.
func (d *disks) verdict() error {
	if full := d.kafka.Full(); full != nil {
		return full
	}
	return d.own()
}

// own returns the full disk of a folder, nil if there is none.
func (d *disks) own() error {
	if time.Since(d.at) >= disksEvery {
		d.at, d.full = time.Now(), nil
		for _, folder := range d.folders {
			if err := disk.Check(folder); err != nil {
				d.full = err
				break
			}
		}
	}
	return d.full
}

// note logs that inputs are refused, once in a while, and that they no longer are.
func (d *disks) note(ctx context.Context, full error) {
	was, now := d.refusing, time.Now()
	d.refusing = full != nil
	switch {
	case d.refusing && (!was || now.Sub(d.loggedAt) >= disksLogEvery):
		d.loggedAt = now
		d.log.WarnContext(ctx, "disk full, notifications and calls refused", slog.Any("err", full))
	case !d.refusing && was:
		d.log.InfoContext(ctx, "notifications and calls taken again, the disk has space")
	}
}

// admit refuses an input if a disk is full.
func (d *disks) admit(ctx context.Context) error {
	if err := d.check(ctx); err != nil {
		return fullProblem(err)
	}
	return nil
}

func fullProblem(err error) *httpx.Problem {
	return diskFull.New(err.Error() + "; nothing was stored").Because(err).After(retryFull)
}

// explains makes the answers of a handler name the full disk that made Kafka fail. The client library knows only that
// its time was over.
func (d *disks) explains(h httpx.Handler) httpx.Handler {
	return func(ctx context.Context, c *httpx.Call) error {
		err := h(ctx, c)
		if err == nil {
			return nil
		}
		p := problemOf(err)
		if p.Status != httpx.Unavailable.Status || p.Name == diskFull.Name {
			return p
		}
		full := d.kafka.Explain(context.WithoutCancel(ctx)) // The time of the request may be over.
		if full == nil {
			return p
		}
		if p.Kind == httpx.Unavailable {
			p.Kind = diskFull
		}
		p.Detail += ": " + full.Error()
		return p.After(retryFull)
	}
}

// register exports whether inputs are refused.
func (d *disks) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "orderledger_ingest_disk_full",
		Help: "1 while notifications and calls are refused because a disk is full, Kafka's or this instance's.",
	}, func() float64 {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.verdict() != nil {
			return 1
		}
		return 0
	}))
}
