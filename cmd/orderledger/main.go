// Command orderledger is the operator's tool. It also runs the whole ledger in one process, for trying it out.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/console"
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
standard error. Ctrl-C and SIGTERM stop a command; a second one ends it at once. A command that was
stopped before it was done says "interrupted" and exits with 1; "up", and "tail" without -n, are never
done, and exit with 0.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       service.Version(),
	}
	root.PersistentFlags().Bool(flagNoColour, false, "print without colour (also: NO_COLOR, CLICOLOR=0, TERM=dumb)")
	root.AddCommand(upCommand(), demoCommand(), importCommand(), engineCommand())
	for _, cmd := range []*cobra.Command{
		tailCommand(), timelineCommand(), laneCommand(), layoutCommand(), checkCommand(), refillCommand(),
	} {
		endAtOnce(cmd)
		root.AddCommand(cmd)
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	for _, cmd := range root.Commands() {
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error { return usageError(cmd, check(cmd, args)) }
	}
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil {
		err = cmp.Or(withoutCancellation(err), errInterrupted)
	}
	return err
}

const flagNoColour = "no-color"

// screenOf returns where a command prints for people.
func screenOf(cmd *cobra.Command) console.Screen {
	noColour, _ := cmd.Flags().GetBool(flagNoColour) // A command that runs without the root, in a test, has no such flag.
	return console.NewScreen(cmd.OutOrStdout(), noColour, os.Getenv)
}

// endAtOnce makes a command and its subcommands end within a second of the context. The clients of Kafka and ClickHouse
// don't look at the context while they wait for the greeting of a server, which a server that hangs never sends; they
// give up after ten seconds and five. It is only for commands that hold nothing: they may be left behind.
func endAtOnce(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		endAtOnce(sub)
	}
	work := cmd.RunE
	if work == nil {
		return
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		done := make(chan error, 1)
		go func() { done <- work(cmd, args) }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
		}
		select {
		case err := <-done:
			return err
		case <-time.After(time.Second):
			return ctx.Err()
		}
	}
}

// errInterrupted is the error of a command that was stopped before it was done.
var errInterrupted = errors.New("interrupted")

// withoutCancellation drops the errors that only say that the context was cancelled. Whoever stopped the command knows
// that; what else went wrong, such as a file that was not flushed, must not be lost among them.
func withoutCancellation(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var kept []error
		for _, part := range joined.Unwrap() {
			kept = append(kept, withoutCancellation(part))
		}
		return errors.Join(kept...)
	}
	if isCancellation(err) {
		return nil
	}
	return err
}

// isCancellation reports whether everything that an error wraps is the cancellation of a context.
func isCancellation(err error) bool {
	switch e := err.(type) { //nolint:errorlint // It walks the tree.
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !isCancellation(part) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return isCancellation(inner)
		}
	}
	return errors.Is(err, context.Canceled)
}

// usageError adds the usage of the command to an error in its arguments.
func usageError(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nusage: %s; see %s --help", err, cmd.UseLine(), cmd.CommandPath())
}
