// Package projections holds the read models as pure functions: from an event, or a decision, to rows; and the SQL of
// the tables they fill and of the views that people read.
//
// Two kinds of tables:
//
//   - A history has one row per record and never changes: events, decisions. [EventRow.Read] and [Decision] make its
//     rows.
//   - A state table has one row per thing and version, and the highest version wins: shipments, order items, services,
//     returns, clocks. [Shipment], [AppendItems] and their like make its rows from the state that every event carries
//     as `after`. So the last event of a shipment is enough, and applying an event again, or an older one later,
//     changes nothing.
//
// # What readers may rely on
//
//   - Views are right without FINAL and without DISTINCT. Base tables (*_state, *_history, sla_clocks) are not meant
//     for queries.
//   - Every table, view and column has a comment. Times are UTC in milliseconds, NULL if unknown.
//   - No row depends on the clock, on how often a batch was repeated, or on other rows. Views compute at query time
//     what depends on the current time (open or overdue).
//
// # How a column is described
//
// Its name, type and comment stand once, in the migration that adds it; views repeat them by a placeholder that
// [Migrations] fills in. Its value is a field of the row here. internal/projector binds the two in one line, and a test
// there compares the binding with the tables of a real engine.
//
// # What it does not do
//
// It imports no client of ClickHouse or Kafka. [Migrations] returns the SQL in order; internal/clickhouse applies it.
//
// # How it fails
//
// Only [EventRow.Read] returns an error, for a record that can't be decoded. A value that a row can't hold, such as a
// time out of range, becomes unknown.
package projections
