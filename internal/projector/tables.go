package projector

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/deadletter"
	"github.com/orderledger/orderledger/projections"
)

// Names of the tables that are written. The order of inserts is that of batch.writes.
const (
	tableEvents      = "events"
	tableDecisions   = "decisions_history"
	tableVoids       = "decision_voids"
	tableShipments   = "shipments_state"
	tableItems       = "order_items_state"
	tableServices    = "services_state"
	tableReturns     = "returns_state"
	tableClocks      = "sla_clocks"
	tableDeadLetters = "dead_letters_history"
)

// eventTable is events. Its body column is filled apart from the row: a body of kilobytes is rendered straight into the
// column's buffer, and is the one cell that can fail.
type eventTable struct {
	*table[projections.EventRow]
	body *clickhouse.Text
}

func newEventTable() *eventTable {
	body := new(clickhouse.Text)
	return &eventTable{body: body, table: newTable(tableEvents, func(r *projections.EventRow) []column {
		return []column{
			partitionNumber("lane", &r.Lane),
			offset("offset", &r.Offset),
			number("laneseq", &r.LaneSeq),
			bytes("shipment_id", &r.ShipmentID),
			number("version", &r.Version),
			bytes("event_id", &r.ID),
			dict("event_type", &r.EventType),
			nullTime("occurred_at", &r.Occurred),
			timestamp("decided_at", &r.Decided),
			timestamp("recorded_at", &r.Recorded),
			bytes("order_id", &r.OrderID),
			bytes("seller_id", &r.SellerID),
			dictBytes("location_id", &r.LocationID),
			dict("from_status", &r.FromStatus),
			dict("to_status", &r.ToStatus),
			boolean("irregular", &r.Irregular),
			boolean("late", &r.Late),
			dictBytes("auth_type", &r.AuthType),
			bytes("auth_id", &r.AuthID),
			bytes("correlation_id", &r.CorrelationID),
			bytes("causation_id", &r.CausationID),
			bytes("input_key", &r.InputKey),
			hash("chain_hash", &r.ChainHash),
			bind("body", body, nil),
		}
	})}
}

// add appends t.row, whose record has this value. It appends nothing when it returns an error: the body comes first,
// because columns of different lengths would spoil the whole batch.
func (t *eventTable) add(value []byte) error {
	body, err := events.AppendJSON(t.body.Begin(), t.row.Type, value)
	if err != nil {
		return err
	}
	t.body.End(body)
	t.appendRow()
	return nil
}

func newDecisionTable() *table[projections.DecisionRow] {
	return newTable(tableDecisions, func(r *projections.DecisionRow) []column {
		return []column{
			partitionNumber("lane", &r.Lane),
			offset("offset", &r.Offset),
			number("decisionseq", &r.DecisionSeq),
			text("decision_id", &r.DecisionID),
			dict("outcome", &r.Outcome),
			dict("reason", &r.Reason),
			text("message", &r.Message),
			text("input_key", &r.InputKey),
			dict("input_type", &r.InputType),
			hash("input_hash", &r.InputHash),
			text("shipment_id", &r.ShipmentID),
			text("seller_id", &r.SellerID),
			nullInt("inbox_offset", &r.InboxOffset, &r.FromInbox),
			number("first_version", &r.FirstVersion),
			number("last_version", &r.LastVersion),
			text("correlation_id", &r.CorrelationID),
			text("causation_id", &r.CausationID),
			dict("auth_type", &r.AuthType),
			text("auth_id", &r.AuthID),
			nullTime("occurred_at", &r.Occurred),
			timestamp("decided_at", &r.Decided),
			timestamp("recorded_at", &r.Recorded),
			boolean("waited", &r.Waited),
			texts("unknown_items", &r.UnknownItems),
			texts("left_out", &r.LeftOut),
			number("events_laneseq", &r.EventsLaneSeq),
			hash("events_head", &r.EventsHead),
			hash("chain_hash", &r.ChainHash),
			bytes("body", &r.Body),
			count("body_bytes", &r.BodyBytes),
		}
	})
}

func newVoidTable() *table[projections.VoidRow] {
	return newTable(tableVoids, func(r *projections.VoidRow) []column {
		return []column{
			partitionNumber("lane", &r.Lane),
			offset("first_offset", &r.FirstOffset),
			offset("last_offset", &r.LastOffset),
			text("reason", &r.Reason),
			offset("offset", &r.Offset),
			timestamp("recorded_at", &r.Recorded),
		}
	})
}

func newLetterTable() *table[deadletter.Letter] {
	return newTable(tableDeadLetters, func(l *deadletter.Letter) []column {
		return []column{
			dict("topic", &l.Topic),
			partitionNumber("partition", &l.Partition),
			offset("offset", &l.Offset),
			text("reason", &l.Reason),
			bytes("key", &l.Key),
			headers("headers", &l.Headers),
			bytes("value", &l.Value),
			wallTime("at", &l.At),
		}
	})
}
