package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
)

// ErrNoLedger says that a Kafka has no ledger yet: no layout is recorded.
var ErrNoLedger = errors.New("no ledger on this kafka yet")

// ErrLayout says that the recorded layout is not the one that a program works with.
var ErrLayout = errors.New("another layout")

// EnsureLayout returns the layout of the ledger, and records one if there is no ledger yet. Several programs may call
// it at the same time.
//
// The order of its steps makes the layout the first record of a ledger, whatever fails in between: it looks for records
// of other topics before it looks for a layout, since a program that starts at the same time may write both in the
// meantime; and nobody creates another topic before the layout can be read back.
func EnsureLayout(ctx context.Context, client *kgo.Client, cfg Config, on Backend) (events.Layout, error) {
	adm := kadm.NewClient(client)
	adm.SetTimeoutMillis(int32(cfg.timeout().Milliseconds()))
	existing, err := list(ctx, adm, cfg)
	if err != nil {
		return events.Layout{}, err
	}
	filled, err := withRecords(ctx, adm, cfg, existing)
	if err != nil {
		return events.Layout{}, err
	}
	if err := ensureLayoutTopic(ctx, adm, cfg, on, existing); err != nil {
		return events.Layout{}, err
	}
	layout, err := readLayout(ctx, client, cfg)
	if errors.Is(err, ErrNoLedger) {
		if err := mayRecord(cfg, existing, filled); err != nil {
			return events.Layout{}, err
		}
		if err := writeLayout(ctx, cfg, newLayout(cfg)); err != nil {
			return events.Layout{}, err
		}
		// Of several programs the lowest record wins, so what counts is what the topic says.
		layout, err = readLayout(ctx, client, cfg)
	}
	if err != nil {
		return events.Layout{}, err
	}
	return layout, cfg.accepts(&layout)
}

// ReadLayout returns the layout of the ledger, or an error that wraps ErrNoLedger. It is for programs that only read.
func ReadLayout(ctx context.Context, client *kgo.Client, cfg Config) (events.Layout, error) {
	layout, err := readLayout(ctx, client, cfg)
	if err != nil {
		return events.Layout{}, err
	}
	return layout, cfg.accepts(&layout)
}

// CheckLayout returns an error that wraps ErrLayout unless the recorded layout is still the given one. A program that
// writes calls it before it begins to write: the topics may have been deleted, and created by another ledger, since it
// started.
func CheckLayout(ctx context.Context, client *kgo.Client, cfg Config, layout *events.Layout) error {
	got, err := readLayout(ctx, client, cfg)
	if err != nil {
		return err
	}
	if got != *layout {
		return fmt.Errorf("%w: %s holds %s, and this program started with %s; restart it", ErrLayout,
			events.TopicLayout, describeLayout(&got), describeLayout(layout))
	}
	return nil
}

func newLayout(cfg Config) events.Layout {
	lanes := cfg.Lanes
	if lanes == 0 {
		lanes = DefaultLanes
	}
	return events.Layout{
		LedgerID: rand.Text(), Cluster: cfg.Cluster, Format: events.LayoutFormat,
		Partitioner: events.PartitionerMurmur2, Lanes: uint32(lanes),
	}
}

func describeLayout(l *events.Layout) string {
	return fmt.Sprintf("ledger %s of cluster %q, epoch %d, format %d, %d lanes by %s",
		l.LedgerID, l.Cluster, l.Epoch, l.Format, l.Lanes, l.Partitioner)
}

// accepts returns why a program with this configuration must not touch a ledger of that layout, or nil.
func (c Config) accepts(l *events.Layout) error {
	var problems []error
	bad := func(format string, args ...any) {
		args = append([]any{events.TopicLayout, ErrLayout}, args...)
		problems = append(problems, fmt.Errorf("topic %s: %w: "+format, args...))
	}
	if l.Format != events.LayoutFormat {
		bad("the records have format %d, and this build reads format %d; run the build that wrote them, or use an empty "+
			"Kafka: no build converts records", l.Format, events.LayoutFormat)
	}
	if l.Partitioner != events.PartitionerMurmur2 {
		bad("shipments are assigned to lanes by %q, and this build knows %q; run the build that wrote the ledger",
			l.Partitioner, events.PartitionerMurmur2)
	}
	if l.Cluster != c.Cluster {
		bad("this Kafka holds the ledger of cluster %q, and %q is configured; set %s=%s, or use another Kafka: two ledgers "+
			"on one would write to the same topics", l.Cluster, c.Cluster, EnvCluster, l.Cluster)
	}
	if c.Lanes > 0 && l.Lanes != uint32(c.Lanes) {
		bad("the ledger has %d lanes, and %d are configured; set %s to %d or 0: the number is fixed when a ledger is created",
			l.Lanes, c.Lanes, EnvLanes, l.Lanes)
	}
	if l.Lanes > MaxLanes {
		bad("%d lanes; a ledger has at most %d", l.Lanes, MaxLanes)
	}
	return errors.Join(problems...)
}

// mayRecord returns why no layout may be recorded, or nil. Existing is the ledger's topics, filled those with records.
func mayRecord(cfg Config, existing kadm.TopicDetails, filled []string) error {
	if len(filled) > 0 {
		return fmt.Errorf("topic %s: %w: it is empty, but these topics have had records: %s; if a build before format 2 "+
			"wrote them, use an empty Kafka, or an empty data folder for `orderledger up`; if the layout was lost, "+
			"write it again with `orderledger layout write`", events.TopicLayout, ErrLayout, strings.Join(filled, ", "))
	}
	lanes := int(newLayout(cfg).Lanes)
	var problems []error
	for _, t := range Topics() {
		d, ok := existing[t.Name]
		if !ok || t.Name == events.TopicLayout {
			continue
		}
		// The number would be fixed for ever, so it must not come from a topic that a broker created on its own.
		if n, want := len(d.Partitions), t.Partitions(lanes); n != want {
			problems = append(problems, fmt.Errorf("topic %s: %d partitions, want %d; it is empty: delete it, and it will be "+
				"created; or set %s if it has the number of lanes that you want", t.Name, n, want, EnvLanes))
		}
	}
	return errors.Join(problems...)
}
