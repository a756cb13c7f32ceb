package e2e

import (
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// tables are all rows that ClickHouse returns, duplicates included.
type tables struct {
	events, decisions []historyRow
	shipments         []shipmentRow
	items             []itemRow
	returns           []returnRow
}

// historyRow is a row of events or of decisions: Seq is laneseq or decisionseq, Kind the type or the outcome.
type historyRow struct {
	Lane         uint16
	Offset, Seq  uint64
	ID, Shipment string
	Version      uint64 // Of the event, or of the last event of the decision.
	Kind, Key    string
	Chain        string
}

type shipmentRow struct {
	Shipment, Status   string
	Version            uint64
	Ordered, Cancelled uint32
	State              string
}

type itemRow struct {
	Shipment, Item                                  string
	Version                                         uint64
	Ordered, Held, Cancelled, Shipped, Delivered, _ uint32
}

type returnRow struct {
	Return, Item, Shipment, Status string
	Units                          uint32
	Version                        uint64
}

func readTables(t testing.TB, conn driver.Conn) tables {
	t.Helper()
	return tables{
		events: selectAll(t, conn, `SELECT lane, offset, laneseq, event_id, shipment_id, version, toString(event_type), input_key, chain_hash FROM events`,
			func(r *historyRow) []any {
				return []any{&r.Lane, &r.Offset, &r.Seq, &r.ID, &r.Shipment, &r.Version, &r.Kind, &r.Key, &r.Chain}
			}),
		decisions: selectAll(t, conn, `SELECT lane, offset, decisionseq, decision_id, shipment_id, last_version, toString(outcome), input_key, chain_hash FROM decisions`,
			func(r *historyRow) []any {
				return []any{&r.Lane, &r.Offset, &r.Seq, &r.ID, &r.Shipment, &r.Version, &r.Kind, &r.Key, &r.Chain}
			}),
		shipments: selectAll(t, conn, `SELECT shipment_id, toString(status), version, units_ordered, units_cancelled, state FROM shipments_state FINAL`,
			func(r *shipmentRow) []any {
				return []any{&r.Shipment, &r.Status, &r.Version, &r.Ordered, &r.Cancelled, &r.State}
			}),
		items: selectAll(t, conn, `SELECT shipment_id, order_item_id, version, units_ordered, units_held, units_cancelled, units_shipped, units_delivered FROM order_items`,
			func(r *itemRow) []any {
				return []any{&r.Shipment, &r.Item, &r.Version, &r.Ordered, &r.Held, &r.Cancelled, &r.Shipped, &r.Delivered}
			}),
		returns: selectAll(t, conn, `SELECT return_id, order_item_id, shipment_id, toString(status), units, version FROM returns`,
			func(r *returnRow) []any {
				return []any{&r.Return, &r.Item, &r.Shipment, &r.Status, &r.Units, &r.Version}
			}),
	}
}

func selectAll[R any](t testing.TB, conn driver.Conn, query string, into func(*R) []any) []R {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	require.NoError(t, err, query)
	defer rows.Close()
	var out []R
	for rows.Next() {
		var r R
		require.NoError(t, rows.Scan(into(&r)...), query)
		out = append(out, r)
	}
	require.NoError(t, rows.Err(), query)
	return out
}

// countTables compares every table with the rows that follow from the ledger: none is missing, duplicated or different.
func (e *evidence) countTables(v *verdict, l *ledger) {
	var eventRows, decisionRows []historyRow
	for i := range l.events {
		ev := &l.events[i]
		eventRows = append(eventRows, historyRow{
			Lane: uint16(ev.lane), Offset: uint64(ev.record.Offset), Seq: ev.env.LaneSeq,
			ID: ev.env.ID, Shipment: ev.env.ShipmentID, Version: ev.env.Version,
			Kind: events.ShortType(ev.env.Type), Key: ev.env.InputKey, Chain: string(ev.env.ChainHash[:]),
		})
	}
	for i := range l.decisions {
		d := &l.decisions[i]
		decisionRows = append(decisionRows, historyRow{
			Lane: uint16(d.lane), Offset: uint64(d.record.Offset), Seq: d.env.LaneSeq, ID: d.env.ID, Shipment: d.env.ShipmentID,
			Version: d.decision.GetLastVersion(), Kind: strings.ToLower(strings.TrimPrefix(d.decision.GetOutcome().String(), "OUTCOME_")),
			Key: d.env.InputKey, Chain: string(d.env.ChainHash[:]),
		})
	}
	var shipments []shipmentRow
	var items []itemRow
	var returns []returnRow
	for id, s := range l.states {
		row := shipmentRow{Shipment: id, Status: strings.TrimPrefix(s.GetStatus().String(), "STATUS_"), Version: s.GetVersion()}
		for _, i := range s.GetItems() {
			r := itemRow{
				Shipment: id, Item: i.GetOrderItemId(), Version: s.GetVersion(), Ordered: i.GetOrdered(), Held: i.GetHeld(),
				Cancelled: cancelledUnits(i), Shipped: i.GetShipped(), Delivered: i.GetDelivered(),
			}
			row.Ordered, row.Cancelled = row.Ordered+r.Ordered, row.Cancelled+r.Cancelled
			items = append(items, r)
		}
		shipments = append(shipments, row)
		for _, r := range s.GetReturns() {
			returns = append(returns, returnRow{
				Return: r.GetReturnId(), Item: r.GetOrderItemId(), Shipment: id, Units: r.GetUnits(), Version: s.GetVersion(),
				Status: strings.TrimPrefix(r.GetStatus().String(), "RETURN_STATUS_"),
			})
		}
	}
	// Equal states may have different bytes, so they are compared as messages.
	shown := make([]shipmentRow, 0, len(e.tables.shipments))
	for _, row := range e.tables.shipments {
		state := &ledgerv1.Shipment{}
		err := state.UnmarshalVT([]byte(row.State))
		v.check(err == nil && state.EqualVT(l.states[row.Shipment]), "table shipments", "the state of %s at version %d is not the ledger's", row.Shipment, row.Version)
		row.State = ""
		shown = append(shown, row)
	}
	compareRows(v, "table events", eventRows, e.tables.events)
	compareRows(v, "table decisions", decisionRows, e.tables.decisions)
	compareRows(v, "table shipments", shipments, shown)
	compareRows(v, "table order_items", items, e.tables.items)
	compareRows(v, "table returns", returns, e.tables.returns)
}

// compareRows notes each row that is in one list more often than in the other.
func compareRows[R comparable](v *verdict, table string, want, got []R) {
	n := map[R]int{}
	for _, r := range want {
		n[r]++
	}
	for _, r := range got {
		n[r]--
	}
	for r, left := range n {
		switch {
		case left > 0:
			v.add(table, "missing %d: %+v", left, r)
		case left < 0:
			v.add(table, "too many by %d: %+v", -left, r)
		}
	}
}
