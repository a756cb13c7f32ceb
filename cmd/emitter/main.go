// Command emitter sends suborder messages to external fulfilment systems: it translates the events of the ledger into
// SUBORDER messages and delivers them to endpoints, in order for each suborder.
//
// Environment variables configure it; see config.go. It stops on SIGINT and SIGTERM in this order: it translates no
// more events, starts no more requests, waits for the requests in flight, commits the positions, closes the clients,
// and closes the admin server last.
package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
)

const program = "emitter"

func main() { service.Main(program, run) }

func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	cfg, process, err := service.Configure(ctx, service.Program[config]{
		Name: program, Environ: environ, Read: read, Checks: checks,
	}, args, stdout, stderr)
	if process == nil || err != nil { // -version, -check and -print-config have nothing to run.
		return err
	}
	client, err := kgo.NewClient(kafka.Options(cfg.Kafka)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	ledger := kafka.NewLedgerWait(client, cfg.Kafka, process.Log)
	var stages atomic.Pointer[emitter.Emitter] // Nil while the program waits for the ledger.
	admin := process.Admin(func(ctx context.Context) error {
		if err := client.Ping(ctx); err != nil {
			return fmt.Errorf("ping kafka: %w", err)
		}
		if running := stages.Load(); running != nil {
			return running.Ready()
		}
		return ledger.Ready()
	})
	return service.Run(ctx, process.Log, admin.Unit(), service.Unit{Name: program, Run: func(ctx context.Context) error {
		return emit(ctx, cfg, ledger, process, &stages)
	}})
}

// emit waits for Kafka and the ledger, and runs both stages. It is a unit, so that the admin port responds while it
// waits.
func emit(
	ctx context.Context, cfg config, ledger *kafka.LedgerWait, process *service.Process,
	running *atomic.Pointer[emitter.Emitter],
) error {
	if err := process.AwaitServers(ctx, cfg.Kafka.Await); err != nil {
		return err
	}
	layout, err := ledger.Wait(ctx)
	if err != nil {
		return err
	}
	cfg.Kafka.Lanes = int(layout.Lanes)
	stages, err := emitter.New(cfg.Emitter, cfg.Kafka, process.Log, process.Metrics)
	if err != nil {
		return err
	}
	running.Store(stages)
	// Within the time that the program has for its stop, so that the admin server is the last.
	return service.RunWithin(ctx, process.Log, service.StopTimeout-time.Second, stages.Units()...)
}
