package demo

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/orderledger/orderledger/internal/console"
)

// Query is a query that a data team would run.
type Query struct{ Title, SQL string }

// Queries returns the queries that the demo runs and the README shows.
func Queries() []Query {
	return []Query{
		{
			"tables: shipments by status",
			"SELECT status, count() AS shipments, sum(units_ordered) AS units, countIf(irregular) AS irregular " +
				"FROM orderledger.shipments GROUP BY status ORDER BY shipments DESC",
		},
		{
			"tables: SLA clocks by outcome",
			"SELECT clock, outcome, count() AS n, " +
				"round(avg(dateDiff('minute', due_at, done_at)) / 60, 1) AS avg_hours_after_due " +
				"FROM orderledger.sla GROUP BY clock, outcome ORDER BY clock, outcome",
		},
		{
			"tables: inputs by outcome",
			"SELECT outcome, reason, count() AS n FROM orderledger.decisions GROUP BY outcome, reason ORDER BY n DESC",
		},
	}
}

// Eventful selects a shipment with a timeline worth showing: one with an irregular event, and with many events.
const Eventful = "SELECT shipment_id FROM orderledger.events GROUP BY shipment_id " +
	"ORDER BY max(irregular) DESC, count() DESC, shipment_id LIMIT 1"

// PrintTable runs a query and prints its rows in columns.
func PrintTable(ctx context.Context, conn driver.Conn, sql string, screen console.Screen) error {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err has the reason.
	columns := make([]console.Column, len(rows.Columns()))
	for i, title := range rows.Columns() {
		columns[i].Title = title
	}
	table := screen.NewTable("  ", columns...)
	for rows.Next() {
		values := make([]any, len(rows.ColumnTypes()))
		for i, c := range rows.ColumnTypes() {
			values[i] = reflect.New(c.ScanType()).Interface()
		}
		if err := rows.Scan(values...); err != nil {
			return fmt.Errorf("read row: %w", err)
		}
		cells := make([]console.Cell, len(values))
		for i, v := range values {
			cells[i].Text = cell(reflect.ValueOf(v).Elem())
		}
		table.Row(cells...)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	fmt.Fprintln(screen.Out)
	return table.Flush()
}

// cell formats a value for people; NULL is empty.
func cell(v reflect.Value) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if t, ok := v.Interface().(time.Time); ok {
		return t.UTC().Format("2006-01-02 15:04:05")
	}
	return fmt.Sprint(v.Interface())
}
