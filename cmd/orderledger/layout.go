package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/setting"
)

// onKafka makes a command that works on a Kafka: it adds the flag --kafka and reads the variables of the services.
func onKafka(cmd *cobra.Command, run func(ctx context.Context, cfg kafka.Config, out io.Writer) error) *cobra.Command {
	cfg := kafka.DefaultConfig()
	e := setting.NewReader(os.Getenv)
	cfg.Read(e)
	cmd.Flags().StringSliceVar(&cfg.Brokers, "kafka", cfg.Brokers, "brokers, host:port, separated by commas")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := validKafka(cmd, e, cfg); err != nil {
			return err
		}
		return run(cmd.Context(), cfg, cmd.OutOrStdout())
	}
	return cmd
}

// validKafka returns the problems of the variables of Kafka, and of --kafka if that is given.
func validKafka(cmd *cobra.Command, e *setting.Reader, cfg kafka.Config) error {
	return setting.Renamed(errors.Join(append(e.Problems(), cfg.Validate())...), kafka.EnvBrokers,
		nameOf(cmd, e, "kafka", kafka.EnvBrokers))
}

// nameOf returns the variable that gave a value, or the flag unless the value comes from the variable.
func nameOf(cmd *cobra.Command, e *setting.Reader, flag, variable string) string {
	if !cmd.Flags().Changed(flag) && e.IsSet(variable) {
		return variable
	}
	return "--" + flag
}

func layoutCommand() *cobra.Command {
	cmd := onKafka(&cobra.Command{
		Use:   "layout",
		Short: "Show what the ledger's topics are",
		Long: `layout prints the layout that the ledger recorded when it was created: its id and name, the format of
its records, and its number of lanes. Keep the output: a layout that was lost can be written again only
by somebody who knows the id.

The brokers, TLS and the user come from the variables of the services: ORDERLEDGER_KAFKA_BROKERS,
ORDERLEDGER_KAFKA_TLS and the others of that prefix.`,
	}, showLayout)
	cmd.AddCommand(layoutWriteCommand())
	return cmd
}

func layoutWriteCommand() *cobra.Command {
	layout := events.Layout{Format: events.LayoutFormat, Partitioner: events.PartitionerMurmur2}
	cmd := onKafka(&cobra.Command{
		Use:   "write --ledger-id ID --lanes N",
		Short: "Write a lost layout again",
		Long: `write records the layout of a ledger whose topic orders.layout.v1 was lost: deleted, truncated, or
missing in a restored backup. It first verifies the layout with the first records of all lanes, whose
hash chains begin with it, and refuses one that they do not follow from. It never replaces a layout; of a
truncated topic, delete what is left first.

Stop all services before. The id and the number of lanes are in the output of "orderledger layout", in the
log of ingest ("ledger opened") and in the metric orderledger_layout_info. The name of the ledger comes from
ORDERLEDGER_CLUSTER.`,
		Example: "  orderledger layout write --ledger-id 4TQ6T3ZPPXXTTHXLBFNNRVZD4A --lanes 12",
	}, func(ctx context.Context, cfg kafka.Config, out io.Writer) error {
		layout.Cluster = cfg.Cluster
		return writeLayout(ctx, cfg, layout, out)
	})
	cmd.Flags().StringVar(&layout.LedgerID, "ledger-id", "", "the id of the ledger")
	cmd.Flags().Uint32Var(&layout.Lanes, "lanes", 0, "the number of lanes of the ledger")
	for _, name := range []string{"ledger-id", "lanes"} {
		_ = cmd.MarkFlagRequired(name) // It fails for unknown flags only.
	}
	return cmd
}

func checkCommand() *cobra.Command {
	return onKafka(&cobra.Command{
		Use:   "check",
		Short: "Check the topics of the ledger, and change nothing",
		Long: `check compares the topics of the ledger with its layout and their settings, and the brokers with what the
ledger needs. It prints every problem with a remedy, and exits with 1 if there is one, such as records in
partitions that the ledger does not use. The services check more with -check: their rights and ClickHouse.`,
	}, func(ctx context.Context, cfg kafka.Config, out io.Writer) error {
		report := preflight.Run(ctx, kafka.Checks(cfg, kafka.Uses{Creates: true}))
		if err := ctx.Err(); err != nil { // The checks failed of that.
			return err
		}
		if err := report.Print(out); err != nil {
			return err
		}
		if n := report.Failed(); n > 0 {
			return fmt.Errorf("checks that failed: %d", n)
		}
		return nil
	})
}

// connect returns a client of a Kafka that answers.
func connect(ctx context.Context, cfg kafka.Config, opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append(kafka.Options(cfg), opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", strings.Join(cfg.Brokers, ","), err)
	}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("no Kafka at %s (is `orderledger up` running?): %w",
			strings.Join(cfg.Brokers, ","), cfg.Explain(err))
	}
	return client, nil
}

func showLayout(ctx context.Context, cfg kafka.Config, out io.Writer) error {
	client, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	layout, err := kafka.ReadLayout(ctx, client, cfg)
	if layout.LedgerID != "" { // Also that of another ledger, which the error explains.
		hash := layout.Hash()
		fmt.Fprintf(out, "ledger id    %s\ncluster      %s\nepoch        %d\nformat       %d\nlanes        %d\n"+
			"partitioner  %s\nhash         %x\n", layout.LedgerID, layout.Cluster, layout.Epoch, layout.Format,
			layout.Lanes, layout.Partitioner, hash[:])
	}
	return err
}

func writeLayout(ctx context.Context, cfg kafka.Config, layout events.Layout, out io.Writer) error {
	client, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	verified, err := kafka.RewriteLayout(ctx, client, cfg, cfg.Backend(), layout)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "layout written; %d first records of lanes verified it\n", verified)
	return nil
}
