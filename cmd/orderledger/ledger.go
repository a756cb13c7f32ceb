package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/embedded/broker"
	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/projections"
)

// ledger is the three services in one process, on running servers.
type ledger struct {
	broker    service.Unit
	kafka     *kgo.Client // For the layout.
	layout    events.Layout
	monitor   *kafka.LayoutMonitor
	disks     *kafka.Disks
	journal   *journal.Journal
	ingest    *ingest.Ingest
	reload    []service.Unit // Empty without a sellers file.
	projector *projector.Projector
	emitter   *emitter.Emitter
	admin     *service.Admin
	tables    driver.Conn
	lookups   driver.Conn
}

// newLedger creates missing topics and tables and wires the services; units runs them.
func newLedger(
	ctx context.Context, o upOptions, s servers, log *slog.Logger, reg prometheus.Registerer,
) (*ledger, error) {
	brokers := kafka.DefaultConfig()
	brokers.Brokers, brokers.Lanes = []string{s.kafka.Addr()}, o.Lanes
	tables := clickhouse.DefaultConfig()
	tables.Addrs = []string{s.clickhouse.NativeAddr()}
	l := &ledger{broker: s.unit()}
	err := l.ensureTopics(ctx, &brokers, s.kafka)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if l.monitor, err = kafka.NewLayoutMonitor(l.kafka, brokers, l.layout, log, reg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if l.disks, err = kafka.NewDisks(kafka.Options(brokers), log, reg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := clickhouse.Migrate(ctx, tables, log, projections.Migrations()); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if l.tables, err = clickhouse.Open(tables); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.checkTables(ctx, o, brokers, log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if l.lookups, err = clickhouse.Open(tables); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.newIngest(o, brokers, kafka.TransactionalPrefix(brokers.Cluster, s.kafka.Boot()), log, reg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	fill := projector.DefaultConfig()
	fill.LedgerID = l.layout.LedgerID
	l.projector = projector.New(fill, brokers, tables, log.With(slog.String("part", "projector")), reg)
	if err := l.newEmitter(o, brokers, log, reg); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	api := service.AdminConfig{Addr: o.Listen, MaxConnections: ingest.DefaultConfig().MaxConnections}
	l.admin = service.NewAdmin(api, log, reg.(prometheus.Gatherer), l.ingest.Ready)
	l.ingest.HandleReadiness(l.admin)
	l.admin.Handle("GET /boot", s.kafka.BootHandler())
	l.admin.HandleRest(l.ingest.Handler())
	return l, nil
}

// ensureTopics creates the topics, reads the layout and sets the number of lanes. The layout must be on the disk before
// any other topic is: records that survive a loss of power without their layout could not be read.
func (l *ledger) ensureTopics(ctx context.Context, brokers *kafka.Config, embedded *broker.Broker) (err error) {
	if l.kafka, err = kgo.NewClient(kafka.Options(*brokers)...); err != nil {
		return fmt.Errorf("connect to the embedded Kafka: %w", err)
	}
	if _, err := kafka.EnsureLayout(ctx, l.kafka, *brokers, kafka.Embedded); err != nil {
		return wrap("layout of the ledger in the embedded Kafka", err)
	}
	if err := embedded.Sync(); err != nil {
		return wrap("layout of the ledger in the embedded Kafka", err)
	}
	l.layout, err = kafka.EnsureTopics(ctx, l.kafka, *brokers, kafka.Embedded)
	brokers.Lanes = int(l.layout.Lanes)
	return wrap("topics of the embedded Kafka", err)
}

// checkTables lets the projector fill the tables again if they lost their rows: their folder was deleted, or replaced
// by an older one. Nobody else does it for a ledger that runs in one process.
func (l *ledger) checkTables(ctx context.Context, o upOptions, brokers kafka.Config, log *slog.Logger) error {
	err := projector.CheckTables(ctx, l.kafka, brokers.Cluster, l.tables, l.layout.LedgerID)
	switch {
	case errors.Is(err, clickhouse.ErrOtherLedger):
		return fmt.Errorf("%w: move %s away and start again: the tables are then filled from this ledger", err,
			filepath.Join(o.Data, "clickhouse"))
	case errors.Is(err, clickhouse.ErrTablesLost):
		log.WarnContext(ctx, "tables filled again from the ledger", slog.Any("err", err))
		return projector.Refill(ctx, l.kafka, brokers.Cluster)
	}
	return err
}

func (l *ledger) newIngest(
	o upOptions, brokers kafka.Config, prefix string, log *slog.Logger, reg prometheus.Registerer,
) error {
	in, err := o.ingest()
	if err != nil {
		return err
	}
	in.Cluster, in.Lanes, in.LedgerID = brokers.Cluster, brokers.Lanes, l.layout.LedgerID

	live := sellers.NewLive(in.Sellers)
	if err := l.newReloader(o, in, live, log, reg); err != nil {
		return err
	}

	j := journal.DefaultConfig()
	j.Cluster, j.Prefix, j.Lanes, j.Embedded = brokers.Cluster, prefix, brokers.Lanes, true
	j.Layout = l.layout.Hash()
	j.InboxKeep = 100_000 // As in cmd/ingest.
	j.StoreDir, j.InstanceID = filepath.Join(o.Data, "lanes"), "up"
	l.journal, err = journal.New(j, journal.Deps{
		Options: kafka.Options(brokers), Decode: marketplace.Decode(in.Marketplace), Policy: live.Policy,
		Log: log.With(slog.String("part", "journal")), Registerer: reg, Now: o.Now,
		DiskFull:    l.disks.Suspect,
		CheckLayout: func(ctx context.Context) error { return kafka.CheckLayout(ctx, l.kafka, brokers, &l.layout) },
	})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	l.ingest, err = ingest.New(in, ingest.Deps{
		Options: kafka.Options(brokers), Journal: l.journal, ClickHouse: l.tables, Lookups: l.lookups, Sellers: live,
		Disks: l.disks, Log: log.With(slog.String("part", "ingest")), Registerer: reg, Now: o.Now,
	})
	return wrap("ingest", err)
}

// newReloader makes the unit that puts a changed sellers file in force, if there is a file.
func (l *ledger) newReloader(
	o upOptions, in ingest.Config, live *sellers.Live, log *slog.Logger, reg prometheus.Registerer,
) error {
	if o.SellersFile == "" {
		return nil
	}
	reloader, err := sellers.NewReloader(sellers.Reload{
		Path: o.SellersFile, Started: in.Sellers, Extra: o.Sellers, Live: live,
		Log: log.With(slog.String("part", "ingest")), Registerer: reg,
		Validate: func(next sellers.Config) error {
			changed := in
			changed.Sellers = next
			return changed.Validate()
		},
	})
	if err != nil {
		return err
	}
	l.reload = []service.Unit{{Name: "sellers", Run: reloader.Run}}
	return nil
}

func (l *ledger) newEmitter(o upOptions, brokers kafka.Config, log *slog.Logger, reg prometheus.Registerer) error {
	cfg, err := o.emitter()
	if err != nil {
		return err
	}
	l.emitter, err = emitter.New(cfg, brokers, log.With(slog.String("part", "emitter")), reg)
	return wrap("emitter", err)
}

// units returns the units in the order of their start. They stop in reverse: HTTP first, then the readers of the
// ledger, then the journal, so that every answered request is in the ledger, and the readers continue from there at the
// next start.
func (l *ledger) units() []service.Unit {
	units := []service.Unit{
		l.broker,
		{Name: "layout", Run: l.monitor.Run},
		{Name: "disks", Run: l.disks.Run},
		{Name: "journal", Run: l.journal.Run},
		{Name: "projector", Run: l.projector.Run},
	}
	units = append(units, l.reload...)
	units = append(units, l.emitter.Units()...)
	units = append(units, l.ingest.Units()...)
	return append(units, l.admin.Unit())
}

// ready returns an error unless notifications, commands and reads are served.
func (l *ledger) ready(ctx context.Context) error {
	if err := l.ingest.Ready(ctx); err != nil {
		return err
	}
	return l.ingest.ReadyReads(ctx)
}

// awaitReady returns when everything is ready, or the error of the context.
func (l *ledger) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for l.ready(ctx) != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Close releases the resources of newLedger. The units must have ended.
func (l *ledger) Close() error {
	var errs []error
	if l.emitter != nil {
		l.emitter.Close()
	}
	if l.ingest != nil {
		l.ingest.Close()
	}
	if l.journal != nil {
		errs = append(errs, l.journal.Close())
	}
	if l.kafka != nil {
		l.kafka.Close()
	}
	if l.tables != nil {
		errs = append(errs, l.tables.Close())
	}
	if l.lookups != nil {
		errs = append(errs, l.lookups.Close())
	}
	return errors.Join(errs...)
}
