// Command orderledger is the operator's tool, and the whole ledger in one process for trying it out.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/service"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "orderledger:", err)
		os.Exit(1) //nolint:gocritic // The deferred stop only restores signals.
	}
}

func run(ctx context.Context, args []string) error {
	root := &cobra.Command{
		Use:   "orderledger",
		Short: "An event-sourced order ledger on Kafka, with its state and SLA analytics in ClickHouse",
		Long: `orderledger runs and operates an event-sourced order ledger.

Try it: "orderledger demo" plays order histories against everything in one process and shows the
events, the tables and the pushes. "orderledger up" runs the same for you to use; "orderledger
import" feeds it a file of notifications, "orderledger tail" shows events as they come.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       service.Version(),
	}
	root.AddCommand(upCommand(), demoCommand(), importCommand(), tailCommand(), timelineCommand(), engineCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	for _, cmd := range root.Commands() {
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error { return usageError(cmd, check(cmd, args)) }
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// usageError adds how the command is used to an error in how it was.
func usageError(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nusage: %s; see %s --help", err, cmd.UseLine(), cmd.CommandPath())
}
