// Command orderledger is the operator's tool. It also runs the whole ledger in one process, for trying it out.
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
	context.AfterFunc(ctx, stop) // A second Ctrl-C ends the process at once, whatever it is doing.
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

Try it: "orderledger demo" runs everything in one process, plays order histories, and shows the
events, the tables and the pushes. "orderledger up" runs the same and waits for your requests;
"orderledger import" sends it a file of notifications, and "orderledger tail" follows the events.

Every command exits with 0 if it did all that you asked for, and with 1 otherwise; the reason is in
standard error. Ctrl-C and SIGTERM stop a command; a second one ends it at once.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       service.Version(),
	}
	root.AddCommand(upCommand(), demoCommand(), importCommand(), tailCommand(), timelineCommand(), laneCommand(),
		layoutCommand(), checkCommand(), refillCommand(), engineCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	for _, cmd := range root.Commands() {
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error { return usageError(cmd, check(cmd, args)) }
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// usageError adds the usage of the command to an error in its arguments.
func usageError(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nusage: %s; see %s --help", err, cmd.UseLine(), cmd.CommandPath())
}
