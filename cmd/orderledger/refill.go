package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
)

func refillCommand() *cobra.Command {
	return onKafka(&cobra.Command{
		Use:   "refill",
		Short: "Make the projectors fill the tables of ClickHouse again",
		Long: `refill sets the positions of the projectors back to the start of the ledger. When they run again, they
fill the tables from all events and decisions. Use it when ClickHouse was emptied, replaced, or restored
from an older backup: projectors refuse to start then, and reads answer 503. Rows that are there stay,
and none is written twice.

Stop all projectors first; refill refuses while one runs. The ledger itself is not touched.`,
		Example: "  orderledger refill --kafka kafka-1:9092",
	}, refill)
}

func refill(ctx context.Context, cfg kafka.Config, out io.Writer) error {
	client, err := kgo.NewClient(kafka.Options(cfg)...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	if err := projector.Refill(ctx, client, cfg.Cluster); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "positions of %s deleted: start the projectors; GET /progress shows how far they are\n",
		kafka.GroupProjector(cfg.Cluster))
	return err
}
