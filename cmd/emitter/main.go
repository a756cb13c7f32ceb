// Command emitter tells external fulfilment systems about suborders: it translates the ledger's events into SUBORDER
// messages, and delivers these to endpoints, in order for each suborder.
//
// It is configured by the environment; see config.go. It stops on SIGINT and SIGTERM: first it takes no more events,
// then no more messages; requests in flight are waited for, positions are committed, clients are closed, and the admin
// server goes last.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
)

const program = "emitter"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "emitter:", err)
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
	if _, err := kafka.EnsureTopics(ctx, client, cfg.Kafka, cfg.backend()); err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	emit, err := emitter.New(cfg.Emitter, cfg.Kafka, log, reg)
	if err != nil {
		return err
	}
	admin := service.NewAdmin(cfg.Admin, log, reg, func(ctx context.Context) error {
		if err := client.Ping(ctx); err != nil {
			return fmt.Errorf("ping kafka: %w", err)
		}
		return nil
	})
	return service.Run(ctx, log, append([]service.Unit{admin.Unit()}, emit.Units()...)...)
}
