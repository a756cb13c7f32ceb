// Command ingest takes orders in: the marketplace's notifications and the seller API. It owns lanes of the ledger,
// decides the inputs of their shipments, and answers once the decisions are durable.
//
// The environment configures it; see config.go. It stops on SIGINT and SIGTERM. If there are other instances, it first
// reports that it is not ready and hands its lanes over to them, while it still serves everything. Then it accepts no
// more requests and finishes those in hand; then its workers stop, the listener for other instances, the journal with
// the lanes that are left, and last the admin server.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
)

const program = "ingest"

func main() { service.Main(program, run) }

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	cfg, process, err := service.Configure(ctx, service.Program[config]{
		Name: program, Environ: environ, Read: read, Checks: checks, Local: local,
	}, args, stdout, stderr)
	if process == nil || err != nil {
		return err
	}
	folder, err := lockFolder(cfg)
	if err != nil {
		return err
	}
	return errors.Join(serve(ctx, cfg, process), folder.Release())
}

// serve wires the parts and runs them until ctx ends.
func serve(ctx context.Context, cfg config, process *service.Process) (err error) {
	log, reg := process.Log, process.Metrics
	client, err := kgo.NewClient(append(kafka.Options(cfg.Kafka), kafka.Logging(log))...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	if err := process.AwaitServers(ctx, cfg.Kafka.Await); err != nil {
		return err
	}
	layout, err := kafka.EnsureTopics(ctx, client, cfg.Kafka, cfg.Kafka.Backend())
	if err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	lanes := int(layout.Lanes)
	cfg.Kafka.Lanes = lanes
	options := append(kafka.Options(cfg.Kafka), kafka.Logging(log))
	prefix, err := kafka.ResolvePrefix(ctx, cfg.Kafka)
	if err != nil {
		return fmt.Errorf("transactional prefix: %w", err)
	}
	cfg.Ingest.Lanes, cfg.Journal.Lanes, cfg.Journal.Prefix = lanes, lanes, prefix
	cfg.Journal.Layout, cfg.Ingest.LedgerID = layout.Hash(), layout.LedgerID

	live := sellers.NewLive(cfg.Ingest.Sellers)
	peers := peer.NewClient(cfg.Ingest.Peers, cfg.Ingest.Cluster)
	defer peers.Close()
	watch, err := newWatches(client, cfg.Kafka, layout, options, process)
	if err != nil {
		return err
	}
	deps := journal.Deps{
		Options: options, Decode: marketplace.Decode(cfg.Ingest.Marketplace), Policy: live.Policy,
		Log: log, Registerer: reg, ClockGood: watch.clock.Good, DiskFull: watch.disks.Suspect,
		CheckLayout: func(ctx context.Context) error { return kafka.CheckLayout(ctx, client, cfg.Kafka, &layout) },
	}
	if peers != nil {
		deps.AskRelease = peers.AskRelease
	}
	ledger, err := journal.New(cfg.Journal, deps)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	reads, err := clickhouse.Open(cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reads.Close()) }()
	lookups, err := clickhouse.Open(cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lookups.Close()) }()
	in, err := ingest.New(cfg.Ingest, ingest.Deps{
		Options: options, Journal: ledger, Peers: peers, ClickHouse: reads, Lookups: lookups, Log: log, Registerer: reg,
		Sellers: live, Disks: watch.disks,
	})
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	defer in.Close()

	admin := process.Admin(in.Ready)
	in.HandleReadiness(admin)
	in.HandleOperations(admin)
	units := append(watch.units(cfg.Journal.Embedded), admin.Unit(), service.Unit{Name: "journal", Run: ledger.Run})
	reload, err := reloadSellers(cfg, live, process)
	if err != nil {
		return err
	}
	units = append(units, reload...)
	return service.Run(ctx, log, append(units, in.Units()...)...)
}

// watches follow what may change in Kafka while the program runs.
type watches struct {
	layout *kafka.LayoutMonitor
	clock  *kafka.Clock
	disks  *kafka.Disks
}

func newWatches(
	client *kgo.Client, cfg kafka.Config, layout events.Layout, options []kgo.Opt, process *service.Process,
) (w watches, err error) {
	log, reg := process.Log, process.Metrics
	if w.layout, err = kafka.NewLayoutMonitor(client, cfg, layout, log, reg); err != nil {
		return w, err
	}
	if w.clock, err = kafka.NewClock(options, log, reg); err != nil {
		return w, err
	}
	w.disks, err = kafka.NewDisks(options, log, reg)
	return w, err
}

// units returns the watches as parts of the program. An embedded broker has the clock of its machine, and no
// controller.
func (w watches) units(embedded bool) []service.Unit {
	units := []service.Unit{{Name: "layout", Run: w.layout.Run}, {Name: "disks", Run: w.disks.Run}}
	if embedded {
		return units
	}
	return append(units, service.Unit{Name: "clock", Run: w.clock.Run})
}

// reloadSellers returns the unit that puts a changed sellers file in force, if there is a file.
func reloadSellers(cfg config, live *sellers.Live, process *service.Process) ([]service.Unit, error) {
	if cfg.SellersFile == "" {
		return nil, nil
	}
	reloader, err := sellers.NewReloader(sellers.Reload{
		Path: cfg.SellersFile, Started: cfg.Ingest.Sellers, Live: live, Log: process.Log, Registerer: process.Metrics,
		Validate: func(next sellers.Config) error {
			changed := cfg.Ingest
			changed.Sellers = next
			return changed.Validate()
		},
	})
	if err != nil {
		return nil, err
	}
	return []service.Unit{{Name: "sellers", Run: reloader.Run}}, nil
}
