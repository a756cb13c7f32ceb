package projector

import (
	"github.com/ClickHouse/ch-go/proto"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/projections"
)

// Names of the tables that are written. The order of inserts is that of batch.tables.
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

// col names a column for an insert.
func col(name string, data proto.ColInput) proto.InputColumn {
	return proto.InputColumn{Name: name, Data: data}
}

// nullTime is a column of times that may be unknown.
type nullTime struct{ *clickhouse.Null }

func newNullTime() nullTime { return nullTime{clickhouse.NullTime()} }

func (c nullTime) add(t projections.Time) { c.Append(int64(t), t != projections.Unknown) }

// stampOf is a time in a column that has no NULL: 1970 stands for unknown.
func stampOf(t projections.Time) int64 {
	if t == projections.Unknown {
		return 0
	}
	return int64(t)
}

// eventTable is the columns of events.
type eventTable struct {
	clickhouse.Table
	lane                                                        proto.ColUInt16
	offset, laneSeq, version                                    proto.ColUInt64
	shipment, id, order, seller, auth, corr, cause, input, body clickhouse.Text
	typ, location, from, to, authType                           clickhouse.Dict
	irregular, late                                             proto.ColBool
	occurred                                                    nullTime
	recorded                                                    clickhouse.Time
	chain                                                       proto.ColFixedStr32
}

func newEventTable() *eventTable {
	t := &eventTable{occurred: newNullTime()}
	t.Table = clickhouse.Table{Name: tableEvents, Columns: proto.Input{
		col("lane", &t.lane), col("offset", &t.offset), col("laneseq", &t.laneSeq), col("shipment_id", &t.shipment),
		col("version", &t.version), col("event_id", &t.id), col("event_type", &t.typ), col("occurred_at", t.occurred),
		col("recorded_at", &t.recorded), col("order_id", &t.order), col("seller_id", &t.seller), col("location_id", &t.location),
		col("from_status", &t.from), col("to_status", &t.to), col("irregular", &t.irregular), col("late", &t.late),
		col("auth_type", &t.authType), col("auth_id", &t.auth), col("correlation_id", &t.corr), col("causation_id", &t.cause),
		col("input_key", &t.input), col("chain_hash", &t.chain), col("body", &t.body),
	}}
	return t
}

// add adds a row. It adds nothing when it returns an error.
func (t *eventTable) add(r *projections.EventRow, value []byte) error {
	body, err := events.AppendJSON(t.body.Begin(), r.Type, value)
	if err != nil {
		return err
	}
	t.body.End(body)
	t.lane.Append(uint16(r.Lane))
	t.offset.Append(uint64(r.Offset))
	t.laneSeq.Append(r.LaneSeq)
	t.shipment.AppendBytes(r.ShipmentID)
	t.version.Append(r.Version)
	t.id.AppendBytes(r.ID)
	t.typ.Append(r.EventType)
	t.occurred.add(r.Occurred)
	t.recorded.Append(int64(r.Recorded))
	t.order.AppendBytes(r.OrderID)
	t.seller.AppendBytes(r.SellerID)
	t.location.AppendBytes(r.LocationID)
	t.from.Append(projections.EventStatus(r.From))
	t.to.Append(projections.EventStatus(r.To))
	t.irregular.Append(r.Irregular)
	t.late.Append(r.Late)
	t.authType.AppendBytes(r.AuthType)
	t.auth.AppendBytes(r.AuthID)
	t.corr.AppendBytes(r.CorrelationID)
	t.cause.AppendBytes(r.CausationID)
	t.input.AppendBytes(r.InputKey)
	t.chain.Append(r.ChainHash)
	return nil
}

// decisionTable is the columns of decisions_history.
type decisionTable struct {
	clickhouse.Table
	lane                                                          proto.ColUInt16
	offset, seq, first, last, eventsSeq                           proto.ColUInt64
	id, message, input, shipment, seller, corr, cause, auth, body clickhouse.Text
	outcome, reason, inputType, authType                          clickhouse.Dict
	inputHash, eventsHead, chain                                  proto.ColFixedStr32
	inbox                                                         *clickhouse.Null
	occurred                                                      nullTime
	recorded                                                      clickhouse.Time
	waited                                                        proto.ColBool
	unknown                                                       clickhouse.Texts
	bodyBytes                                                     proto.ColUInt32
}

func newDecisionTable() *decisionTable {
	t := &decisionTable{occurred: newNullTime(), inbox: clickhouse.NullInt64()}
	t.Table = clickhouse.Table{Name: tableDecisions, Columns: proto.Input{
		col("lane", &t.lane), col("offset", &t.offset), col("decisionseq", &t.seq), col("decision_id", &t.id),
		col("outcome", &t.outcome), col("reason", &t.reason), col("message", &t.message), col("input_key", &t.input),
		col("input_type", &t.inputType), col("input_hash", &t.inputHash), col("shipment_id", &t.shipment),
		col("seller_id", &t.seller), col("inbox_offset", t.inbox), col("first_version", &t.first), col("last_version", &t.last),
		col("correlation_id", &t.corr), col("causation_id", &t.cause), col("auth_type", &t.authType), col("auth_id", &t.auth),
		col("occurred_at", t.occurred), col("recorded_at", &t.recorded), col("waited", &t.waited),
		col("unknown_items", &t.unknown), col("events_laneseq", &t.eventsSeq), col("events_head", &t.eventsHead),
		col("chain_hash", &t.chain), col("body", &t.body), col("body_bytes", &t.bodyBytes),
	}}
	return t
}

func (t *decisionTable) add(r projections.DecisionRow) {
	d := r.Decision
	t.lane.Append(uint16(r.Lane))
	t.offset.Append(uint64(r.Offset))
	t.seq.Append(r.LaneSeq)
	t.id.Append(r.ID)
	t.outcome.Append(r.Outcome)
	t.reason.Append(d.GetReason())
	t.message.Append(d.GetMessage())
	t.input.Append(d.GetInputKey())
	t.inputType.Append(d.GetInputType())
	t.inputHash.Append(hash(d.GetInputHash()))
	t.shipment.Append(d.GetShipmentId())
	t.seller.Append(d.GetSellerId())
	t.inbox.Append(d.GetInboxOffset(), d.InboxOffset != nil)
	t.first.Append(d.GetFirstVersion())
	t.last.Append(d.GetLastVersion())
	t.corr.Append(r.CorrelationID)
	t.cause.Append(r.CausationID)
	t.authType.Append(r.AuthType)
	t.auth.Append(r.AuthID)
	t.occurred.add(r.Occurred)
	t.recorded.Append(int64(r.Recorded))
	t.waited.Append(d.GetWaited())
	t.unknown.Append(d.GetUnknownItems())
	t.eventsSeq.Append(d.GetEventsLaneseq())
	t.eventsHead.Append(hash(d.GetEventsHead()))
	t.chain.Append(r.ChainHash)
	t.body.AppendBytes(d.GetBody())
	t.bodyBytes.Append(d.GetBodyBytes())
}

// hash returns bytes as a column of hashes holds them: cut or filled up with zeroes.
func hash(b []byte) (h [32]byte) {
	copy(h[:], b)
	return h
}
