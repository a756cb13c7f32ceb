// Command projector fills the ClickHouse tables from the ledger's topics and keeps them up to date.
//
// It is configured by the environment; see config.go. At start it waits for ClickHouse, applies the migrations and
// checks the topics. It stops on SIGINT and SIGTERM: it gathers no more batches, finishes those in hand, acknowledges
// them, leaves its group and closes its connections; the admin server goes last.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/projections"
)

const program = "projector"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "projector:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer) error {
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(stderr)
	version := flags.Bool("version", false, "print the version and exit")
	check := flags.Bool("check", false, "check the configuration and exit")
	printConfig := flags.Bool("print-config", false, "print the configuration, secrets masked, and exit")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *version {
		_, err := fmt.Fprintln(stderr, service.Version())
		return err
	}
	cfg, err := readConfig(getenv)
	if err != nil {
		return err
	}
	if *printConfig {
		out := json.NewEncoder(stderr)
		out.SetIndent("", "  ")
		return out.Encode(cfg.masked())
	}
	if *check {
		return nil
	}

	log := service.Logger(stderr, cfg.LogLevel, program)
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := service.ExportVersion(reg, program); err != nil {
		return fmt.Errorf("export version: %w", err)
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

	admin := service.NewAdmin(cfg.Admin, log, reg, func(ctx context.Context) error {
		if err := client.Ping(ctx); err != nil {
			return fmt.Errorf("ping kafka: %w", err)
		}
		if err := pool.Ping(ctx); err != nil {
			return fmt.Errorf("ping clickhouse: %w", err)
		}
		return nil
	})
	return service.Run(ctx, log, admin.Unit(), service.Unit{Name: program, Run: func(ctx context.Context) error {
		return project(ctx, cfg, client, log, reg)
	}})
}

// project prepares both ends and projects. It is a unit, so that the program answers its admin port while it waits.
func project(ctx context.Context, cfg config, client *kgo.Client, log *slog.Logger, reg prometheus.Registerer) error {
	if err := clickhouse.Await(ctx, cfg.ClickHouse, log); err != nil {
		return err
	}
	if err := clickhouse.Migrate(ctx, cfg.ClickHouse, log, projections.Migrations()); err != nil {
		return err
	}
	if _, err := kafka.EnsureTopics(ctx, client, cfg.Kafka, cfg.backend()); err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	return projector.New(cfg.Projector, cfg.Kafka, cfg.ClickHouse, log, reg).Run(ctx)
}
