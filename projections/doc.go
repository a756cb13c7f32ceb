// Package projections holds the read models as pure functions: from an event, or a decision, to rows; and the SQL of
// the tables they fill and of the views that people read.
//
// Two kinds of tables:
//
//   - A history has one row per record and is never changed: events, decisions. A row is made by [EventRow.Read] and
//     [Decision].
//   - A state table has one row per thing and version and keeps the highest version: shipments, order items, services,
//     returns, clocks. Rows are made from the state that every event carries as `after`, by [Shipment], [AppendItems] and their
//     like, so the last event of a shipment is enough, and applying one again, or an older one later, changes nothing.
//
// # What readers may rely on
//
//   - Views are right without FINAL and without DISTINCT; base tables (*_state, *_history, sla_clocks) are not for
//     reading.
//   - Every table, view and column has a comment. Times are UTC in milliseconds, NULL where they are not known.
//   - No row depends on the clock, on how often a batch was repeated, or on what other rows there are. What does depend
//     on now (open or overdue) is judged by the view at reading.
//
// # What it does not do
//
// It knows no ClickHouse client and no Kafka. [Migrations] gives the SQL in order; who applies it is not its concern.
// Nothing here fails: what a row can't hold (a time out of range) is shown as unknown.
package projections
