// Command emitter tells external fulfilment systems about suborders: it translates the ledger's events into SUBORDER
// messages, and delivers these to endpoints, in order for each suborder.
//
// It is configured by the environment; see config.go. It stops on SIGINT and SIGTERM: first it takes no more events,
// then no more messages; requests in flight are waited for, positions are committed, clients are closed, and the admin
// server goes last.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/service"
)

const program = "emitter"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "emitter:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	cfg, done, err := service.Configure(ctx, service.Program[config]{
		Name: program, Read: func() (config, error) { return readConfig(getenv) }, Checks: checks,
	}, args, stdout, stderr)
	if done || err != nil {
		return err
	}

	log := service.Logger(stderr, cfg.LogLevel, program)
	reg, err := service.Registry(program)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kafka.Options(cfg.Kafka)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	if err := kafka.Await(ctx, cfg.Kafka, log); err != nil {
		return err
	}
	if err := preflight.Run(ctx, checks(cfg)).Start(ctx, log); err != nil {
		return err
	}
	if _, err := kafka.EnsureTopics(ctx, client, cfg.Kafka, cfg.Kafka.Backend()); err != nil {
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
	admin.HandleProfiles()
	return service.Run(ctx, log, append([]service.Unit{admin.Unit()}, emit.Units()...)...)
}
