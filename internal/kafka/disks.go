package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/disk"
)

const (
	disksEvery     = 15 * time.Second
	disksFullEvery = 2 * time.Second // While one is full: an operator waits for the effect.
	disksLogEvery  = time.Minute     // Of the line about a disk that stays full.
	// disksAgain is the least interval if somebody asks why a write failed, and explainWait how long that one waits.
	disksAgain  = time.Second
	explainWait = 2 * disksAgain
	// noSpace is how much space counts as none: less than a batch.
	noSpace = 1 << 20
)

// Disks watches the disks of the brokers. A client can't learn from a failed write that a disk is full: it repeats
// writes that a broker refuses with KAFKA_STORAGE_ERROR until its time is over, and a broker of Apache Kafka that has
// no other disk ends. So it asks the brokers about their log folders.
type Disks struct {
	options []kgo.Opt
	log     *slog.Logger
	again   chan struct{} // Asks for a look soon.

	usable, total *prometheus.GaugeVec

	mu       sync.Mutex
	full     error         // Guarded by mu, as all below: no broker has a disk with space.
	suspect  error         // A disk that has no space, or hardly any.
	loggedAt time.Time     // When suspect was last logged as full.
	looked   chan struct{} // Closed at the end of the next look.
	looks    int           // How many looks have ended.
}

// NewDisks returns a watch that knows nothing until Run. A nil registerer exports nothing.
func NewDisks(options []kgo.Opt, log *slog.Logger, reg prometheus.Registerer) (*Disks, error) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "orderledger_kafka_disk_" + name, Help: help},
			[]string{"broker", "dir"})
	}
	d := &Disks{
		options: options, log: log, again: make(chan struct{}, 1), looked: make(chan struct{}),
		usable: gauge("usable_bytes", "Space that a broker can still write to the disk of a log folder; none while unknown."),
		total:  gauge("total_bytes", "Size of the disk of a log folder of a broker."),
	}
	if reg != nil {
		if err := errors.Join(reg.Register(d.usable), reg.Register(d.total)); err != nil {
			return nil, fmt.Errorf("disk metrics: %w", err)
		}
	}
	return d, nil
}

// Full returns a disk.FullError if no broker can write, as far as it is known. Nil Disks know of no full one.
func (d *Disks) Full() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full
}

// Suspect returns a disk.FullError if the disk of some broker is full, or nearly. It explains a write that failed; in a
// cluster whose other brokers have space, writes go on.
func (d *Disks) Suspect() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.suspect
}

// Explain is Suspect for a write that has failed just now: it looks again and waits up to two
// seconds for the result.
func (d *Disks) Explain(ctx context.Context) error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	known, looked := d.suspect, d.looked
	d.mu.Unlock()
	if known != nil {
		return known
	}
	select {
	case d.again <- struct{}{}:
	default: // Somebody else asked already.
	}
	wait := time.NewTimer(explainWait)
	defer wait.Stop()
	select {
	case <-looked:
	case <-wait.C:
	case <-ctx.Done():
	}
	return d.Suspect()
}

// Run asks the brokers until ctx ends.
func (d *Disks) Run(ctx context.Context) error {
	client, err := kgo.NewClient(d.options...)
	if err != nil {
		return fmt.Errorf("disks client: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for {
		next := disksEvery
		if d.look(ctx, admin) {
			next = disksFullEvery
		}
		began := time.Now()
		select {
		case <-time.After(next):
		case <-d.again:
			wait := time.NewTimer(disksAgain - time.Since(began))
			select {
			case <-wait.C:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// look asks once and reports whether to ask again soon. It keeps the last verdict if no broker answers: a broker may
// have ended because its disk is full.
func (d *Disks) look(ctx context.Context, admin *kadm.Client) bool {
	defer d.endLook()
	asked, cancel := context.WithTimeout(ctx, disksEvery)
	defer cancel()
	// Of all topics: a request that names some goes only to the brokers that have them.
	brokers, err := admin.DescribeAllLogDirs(asked, nil)
	if err != nil && !errors.Is(err, context.Canceled) {
		d.log.DebugContext(ctx, "disks of kafka not described", slog.Any("err", err))
	}
	known, without := 0, 0
	var full, suspect error
	brokers.Each(func(dir kadm.DescribedLogDir) {
		offline := errors.Is(dir.Err, kerr.KafkaStorageError)
		if !offline && (dir.Err != nil || dir.TotalBytes <= 0) {
			return // A broker before 3.3 does not say.
		}
		known++
		labels := []string{strconv.Itoa(int(dir.Broker)), dir.Dir}
		if !offline {
			d.usable.WithLabelValues(labels...).Set(float64(dir.UsableBytes))
			d.total.WithLabelValues(labels...).Set(float64(dir.TotalBytes))
		}
		problem := describeDisk(dir, offline)
		switch reserve := (disk.Space{Total: dir.TotalBytes}).Reserve(); {
		case offline, dir.UsableBytes < noSpace:
			without++
			full, suspect = problem, problem
		case dir.UsableBytes < reserve && suspect == nil:
			suspect = problem
		}
	})
	if known == 0 {
		return d.Suspect() != nil
	}
	if without < known {
		full = nil
	}
	d.set(ctx, full, suspect)
	return suspect != nil
}

// endLook wakes those who wait for a look.
func (d *Disks) endLook() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	close(d.looked)
	d.looked = make(chan struct{})
}

func describeDisk(dir kadm.DescribedLogDir, offline bool) *disk.FullError {
	e := &disk.FullError{What: fmt.Sprintf("the disk of Kafka (%s of broker %d)", dir.Dir, dir.Broker)}
	if offline {
		e.Do = "the broker reports KAFKA_STORAGE_ERROR; see its log, free space or replace the disk, and restart it"
	} else {
		e.Do = fmt.Sprintf("%.1f MB of %.0f MB can be written; free space or enlarge it",
			float64(dir.UsableBytes)/1e6, float64(dir.TotalBytes)/1e6)
	}
	return e
}

// set keeps a verdict. It logs that a disk is full at once and then once in a while, and that none is full any more.
func (d *Disks) set(ctx context.Context, full, suspect error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	was, now := d.suspect, time.Now()
	d.full, d.suspect = full, suspect
	switch {
	case suspect != nil && (was == nil || now.Sub(d.loggedAt) >= disksLogEvery):
		d.loggedAt = now
		d.log.WarnContext(ctx, "disk of kafka full or nearly full", slog.Any("err", suspect),
			slog.Bool("all_full", full != nil))
	case suspect == nil && was != nil:
		d.log.InfoContext(ctx, "disks of kafka have space again")
	}
}
