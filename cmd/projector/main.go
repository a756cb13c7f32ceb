// Command projector fills the ClickHouse tables from the ledger's topics and keeps them up to date.
//
// It is configured by the environment; see config.go. At start it waits for ClickHouse, applies the migrations, and
// waits until ingest has created the ledger. It stops on SIGINT and SIGTERM: it collects no more batches, finishes
// those in hand, acknowledges them, leaves its group and closes its connections; the admin server stops last.
package main

import (
	"context"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/projections"
)

const program = "projector"

func main() { service.Main(program, run) }

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	cfg, process, err := service.Configure(ctx, service.Program[config]{
		Name: program, Environ: environ, Read: read, Checks: checks,
	}, args, stdout, stderr)
	if process == nil || err != nil {
		return err
	}
	client, err := kgo.NewClient(kafka.Options(cfg.Kafka)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	pool, err := clickhouse.Open(cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer pool.Close() //nolint:errcheck // Nothing is left to lose.

	ledger := kafka.NewLedgerWait(client, cfg.Kafka, process.Log)
	admin := process.Admin(func(ctx context.Context) error {
		if err := client.Ping(ctx); err != nil {
			return fmt.Errorf("ping kafka: %w", err)
		}
		if err := pool.Ping(ctx); err != nil {
			return fmt.Errorf("ping clickhouse: %w", err)
		}
		return ledger.Ready()
	})
	return service.Run(ctx, process.Log, admin.Unit(), service.Unit{Name: program, Run: func(ctx context.Context) error {
		return project(ctx, cfg, ledger, process)
	}})
}

// project waits for both servers, prepares the tables, waits for the ledger, and projects. It is a unit, so that the
// admin port responds while it waits.
func project(ctx context.Context, cfg config, ledger *kafka.LedgerWait, process *service.Process) error {
	if err := process.AwaitServers(ctx, cfg.ClickHouse.Await, cfg.Kafka.Await); err != nil {
		return err
	}
	if err := clickhouse.Migrate(ctx, cfg.ClickHouse, process.Log, projections.Migrations()); err != nil {
		return err
	}
	layout, err := ledger.Wait(ctx)
	if err != nil {
		return err
	}
	cfg.Kafka.Lanes, cfg.Projector.LedgerID = int(layout.Lanes), layout.LedgerID
	return projector.New(cfg.Projector, cfg.Kafka, cfg.ClickHouse, process.Log, process.Metrics).Run(ctx)
}
