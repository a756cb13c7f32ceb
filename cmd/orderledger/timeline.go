package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/spf13/cobra"

	tables "github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/console"
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
the tables events, sla and decisions in ClickHouse. Of a shipment that is not created it says what waits for
it or was refused, why, and what to do.

Database, user, password and TLS come from the variables of the services: ORDERLEDGER_CLICKHOUSE_DATABASE,
ORDERLEDGER_CLICKHOUSE_USER, ORDERLEDGER_CLICKHOUSE_PASSWORD, ORDERLEDGER_CLICKHOUSE_TLS and the others
of that prefix.`,
		Example: "  orderledger timeline 9c757705-ec98-594c-b6ae-9a7a08106c45",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg.DialTimeout = 5 * time.Second
			err := setting.Renamed(errors.Join(append(e.Problems(), cfg.Validate())...), tables.EnvAddr,
				nameOf(cmd, e, "clickhouse", tables.EnvAddr))
			if err != nil {
				return err
			}
			conn, err := tables.Open(cfg)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			return cfg.Explain(timeline(cmd.Context(), conn, args[0], screenOf(cmd)))
		},
	}
	cmd.Flags().StringSliceVar(&cfg.Addrs, "clickhouse", cfg.Addrs,
		"addresses of the native protocol, host:port, separated by commas")
	return cmd
}

// timeline prints the tables of one shipment.
func timeline(ctx context.Context, conn driver.Conn, shipmentID string, screen console.Screen) error {
	var order, seller, fulfilment, status string
	var version uint64
	row := conn.QueryRow(ctx, "SELECT order_id, seller_id, toString(fulfilment), toString(status), toUInt64(version) "+
		"FROM shipments WHERE shipment_id = {id:String}",
		clickhouse.Named("id", shipmentID))
	err := row.Scan(&order, &seller, &fulfilment, &status, &version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if err := missing(ctx, conn, shipmentID, screen); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("read from ClickHouse (is `orderledger up` running?): %w", err)
	default:
		screen.Line(console.Bold, fmt.Sprintf("shipment %s  %s", shipmentID, status))
		screen.Line(console.Plain, fmt.Sprintf("order %s, seller %s, %s, version %d", order, seller, fulfilment, version))
	}
	for _, part := range timelineParts() {
		if err := part.print(ctx, conn, shipmentID, screen); err != nil {
			return err
		}
	}
	return nil
}

// timelinePart is a table of the timeline: a query of four text columns.
type timelinePart struct {
	title, query string
	columns      [4]console.Column
}

// timelineParts returns the tables. Where only a day was reported they show that day, in IST as the marketplace counts
// days: its end, which stands for it in the tables, would look like a time that somebody reported. A due time has no
// mark; the last second of a day in IST is that day.
func timelineParts() []timelinePart {
	const when = 19
	return []timelinePart{
		{
			"history", `SELECT multiIf(occurred_at IS NULL, '',
				JSONExtractBool(body, concat(lower(left(event_type, 1)), substring(event_type, 2)), 'at', 'day'),
				formatDateTime(assumeNotNull(occurred_at), '%F', 'Asia/Kolkata'),
				formatDateTime(assumeNotNull(occurred_at), '%F %T')),
			replaceRegexpOne(event_type, '^orders\\.(.*)\\.v1$', '\\1'),
			if(from_status IN ('', to_status), toString(to_status), concat(from_status, ' → ', to_status)),
			concat(if(irregular, 'irregular ', ''), if(late, 'late ', ''), 'v', toString(version), ', by ', auth_type)
			FROM events WHERE shipment_id = {id:String} ORDER BY version`,
			[4]console.Column{{Min: when}, {Min: 12}, {Min: 14}, {Min: 12}},
		},
		{
			"clocks", `SELECT toString(clock), toString(outcome),
			concat('due ', multiIf(due_at IS NULL, '',
				formatDateTime(assumeNotNull(due_at), '%T', 'Asia/Kolkata') = '23:59:59',
				formatDateTime(assumeNotNull(due_at), '%F', 'Asia/Kolkata'),
				formatDateTime(assumeNotNull(due_at), '%F %T'))),
			multiIf(done_at IS NULL, '',
				done_day, concat('done ', formatDateTime(assumeNotNull(done_at), '%F', 'Asia/Kolkata')),
				concat('done ', formatDateTime(assumeNotNull(done_at), '%F %T')))
			FROM sla WHERE shipment_id = {id:String} ORDER BY due_at`,
			[4]console.Column{{}, {}, {Min: when + len("due ")}, {Min: when + len("done ")}},
		},
		{
			"inputs", `SELECT formatDateTime(recorded_at, '%F %T'), input_type, toString(outcome),
			concat(reason, if(message = '', '', concat(': ', message)))
			FROM decisions WHERE shipment_id = {id:String} ORDER BY decisionseq`,
			[4]console.Column{{Min: when}, {Min: 16}, {Min: 11}, {}},
		},
	}
}

// print prints the rows of the query under the title. Without rows it prints nothing.
func (p timelinePart) print(ctx context.Context, conn driver.Conn, shipmentID string, screen console.Screen) error {
	rows, err := conn.Query(ctx, p.query, clickhouse.Named("id", shipmentID))
	if err != nil {
		return fmt.Errorf("%s of %s: %w", p.title, shipmentID, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err below has the error.
	table := screen.NewTable("  ", p.columns[:]...)
	for rows.Next() {
		var texts [4]string
		if err := rows.Scan(&texts[0], &texts[1], &texts[2], &texts[3]); err != nil {
			return fmt.Errorf("%s of %s: %w", p.title, shipmentID, err)
		}
		cells := make([]console.Cell, len(texts))
		for i, text := range texts {
			cells[i] = console.Cell{Text: text, Style: styleOf(text)}
		}
		table.Row(cells...)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s of %s: %w", p.title, shipmentID, err)
	}
	if table.Len() == 0 {
		return nil
	}
	fmt.Fprintln(screen.Out)
	screen.Line(console.Bold, p.title)
	return table.Flush()
}

// styleOf returns the style of a status, an outcome or a remark.
func styleOf(text string) console.Style {
	switch text {
	case "met", "applied", "accepted", "DELIVERED", "COMPLETED":
		return console.Good
	case "breached", "overdue", "quarantined", "rejected":
		return console.Bad
	case "breached_unproven", "waiting":
		return console.Odd
	case "duplicate", "stale", "cancelled":
		return console.Dim
	}
	if strings.HasPrefix(text, "irregular ") || strings.HasPrefix(text, "late ") {
		return console.Odd
	}
	return console.Plain
}
