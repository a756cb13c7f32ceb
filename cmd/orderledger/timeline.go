package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"

	tables "github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/setting"
)

func timelineCommand() *cobra.Command {
	cfg := tables.DefaultConfig()
	e := setting.NewReader(os.Getenv)
	cfg.Read(e)
	cmd := &cobra.Command{
		Use:   "timeline SHIPMENT_ID",
		Short: "Show the history, the clocks and the inputs of a shipment",
		Long: `timeline prints the events of one shipment, its SLA clocks, and its inputs with their outcomes, from
the tables events, sla and decisions in ClickHouse.

Database, user, password and TLS come from the variables of the services: ORDERLEDGER_CLICKHOUSE_DATABASE,
ORDERLEDGER_CLICKHOUSE_USER, ORDERLEDGER_CLICKHOUSE_PASSWORD, ORDERLEDGER_CLICKHOUSE_TLS and the others
of that prefix.`,
		Example: "  orderledger timeline 9c757705-ec98-594c-b6ae-9a7a08106c45",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.DialTimeout = 5 * time.Second
			if err := errors.Join(append(e.Problems(), cfg.Validate())...); err != nil {
				return err
			}
			conn, err := tables.Open(cfg)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			return cfg.Explain(timeline(cmd.Context(), conn, args[0], cmd.OutOrStdout()))
		},
	}
	cmd.Flags().StringSliceVar(&cfg.Addrs, "clickhouse", cfg.Addrs,
		"addresses of the native protocol, host:port, separated by commas")
	return cmd
}

// timeline prints the tables of one shipment.
func timeline(ctx context.Context, conn driver.Conn, shipmentID string, out io.Writer) error {
	var order, seller, fulfilment, status string
	var version uint64
	row := conn.QueryRow(ctx, "SELECT order_id, seller_id, toString(fulfilment), toString(status), toUInt64(version) "+
		"FROM shipments WHERE shipment_id = {id:String}",
		clickhouse.Named("id", shipmentID))
	err := row.Scan(&order, &seller, &fulfilment, &status, &version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("shipment %s is not in the tables yet", shipmentID)
	case err != nil:
		return fmt.Errorf("read from ClickHouse (is `orderledger up` running?): %w", err)
	}
	fmt.Fprintf(out, "shipment %s  %s\norder %s, seller %s, %s, version %d\n",
		shipmentID, status, order, seller, fulfilment, version)
	parts := []struct{ title, query string }{
		{"history", `SELECT formatDateTime(occurred_at, '%F %T'), replaceRegexpOne(event_type, '^orders\\.(.*)\\.v1$', '\\1'),
			if(from_status IN ('', to_status), toString(to_status), concat(from_status, ' → ', to_status)),
			concat(if(irregular, 'irregular ', ''), if(late, 'late ', ''), 'v', toString(version), ', by ', auth_type)
			FROM events WHERE shipment_id = {id:String} ORDER BY version`},
		{"clocks", `SELECT toString(clock), toString(outcome), concat('due ', formatDateTime(due_at, '%F %T')),
			if(done_at IS NULL, '', concat('done ', formatDateTime(assumeNotNull(done_at), '%F %T')))
			FROM sla WHERE shipment_id = {id:String} ORDER BY due_at`},
		{"inputs", `SELECT formatDateTime(recorded_at, '%F %T'), input_type, toString(outcome),
			concat(reason, if(message = '', '', concat(': ', message)))
			FROM decisions WHERE shipment_id = {id:String} ORDER BY decisionseq`},
	}
	for _, part := range parts {
		if err := printRows(ctx, conn, part.title, part.query, shipmentID, out); err != nil {
			return err
		}
	}
	return nil
}

// printRows prints a query of four text columns under a title. Without rows it prints nothing.
func printRows(ctx context.Context, conn driver.Conn, title, query, shipmentID string, out io.Writer) error {
	rows, err := conn.Query(ctx, query, clickhouse.Named("id", shipmentID))
	if err != nil {
		return fmt.Errorf("%s of %s: %w", title, shipmentID, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err below has the error.
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for first := true; rows.Next(); first = false {
		var a, b, c, d string
		if err := rows.Scan(&a, &b, &c, &d); err != nil {
			return fmt.Errorf("%s of %s: %w", title, shipmentID, err)
		}
		if first {
			fmt.Fprintf(w, "\n%s\n", title)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", a, b, c, d)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s of %s: %w", title, shipmentID, err)
	}
	return w.Flush()
}
