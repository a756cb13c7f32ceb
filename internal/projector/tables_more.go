package projector

import (
	"github.com/ClickHouse/ch-go/proto"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/deadletter"
	"github.com/orderledger/orderledger/projections"
)

// clockTable is the columns of sla_clocks.
type clockTable struct {
	clickhouse.Table
	shipment, seller, subject               clickhouse.Text
	location, clock                         clickhouse.Dict
	started, firstDue, due, done, cancelled nullTime
	day                                     proto.ColBool
	attempts                                proto.ColUInt32
	version                                 proto.ColUInt64
	updated                                 clickhouse.Time
}

func newClockTable() *clockTable {
	t := &clockTable{
		started: newNullTime(), firstDue: newNullTime(), due: newNullTime(), done: newNullTime(), cancelled: newNullTime(),
	}
	t.Table = clickhouse.Table{Name: tableClocks, Columns: proto.Input{
		col("shipment_id", &t.shipment), col("seller_id", &t.seller), col("location_id", &t.location), col("clock", &t.clock),
		col("subject_id", &t.subject), col("started_at", t.started), col("first_due_at", t.firstDue), col("due_at", t.due),
		col("done_at", t.done), col("done_day", &t.day), col("cancelled_at", t.cancelled), col("attempts", &t.attempts),
		col("version", &t.version), col("updated_at", &t.updated),
	}}
	return t
}

func (t *clockTable) add(r *projections.ClockRow) {
	t.shipment.Append(r.ShipmentID)
	t.seller.Append(r.SellerID)
	t.location.Append(r.LocationID)
	t.clock.Append(r.Clock)
	t.subject.Append(r.SubjectID)
	t.started.add(r.Started)
	t.firstDue.add(r.FirstDue)
	t.due.add(r.Due)
	t.done.add(r.Done)
	t.day.Append(r.DoneDay)
	t.cancelled.add(r.Cancelled)
	t.attempts.Append(r.Attempts)
	t.version.Append(r.Version)
	t.updated.Append(stampOf(r.Updated))
}

// voidTable is the columns of decision_voids.
type voidTable struct {
	clickhouse.Table
	lane                proto.ColUInt16
	first, last, offset proto.ColUInt64
	reason              clickhouse.Text
	recorded            clickhouse.Time
}

func newVoidTable() *voidTable {
	t := &voidTable{}
	t.Table = clickhouse.Table{Name: tableVoids, Columns: proto.Input{
		col("lane", &t.lane), col("first_offset", &t.first), col("last_offset", &t.last), col("reason", &t.reason),
		col("offset", &t.offset), col("recorded_at", &t.recorded),
	}}
	return t
}

func (t *voidTable) add(r projections.VoidRow) {
	t.lane.Append(uint16(r.Lane))
	t.first.Append(uint64(r.FirstOffset))
	t.last.Append(uint64(r.LastOffset))
	t.reason.Append(r.Reason)
	t.offset.Append(uint64(r.Offset))
	t.recorded.Append(int64(r.Recorded))
}

// letterTable is the columns of dead_letters_history.
type letterTable struct {
	clickhouse.Table
	topic              clickhouse.Dict
	partition          proto.ColUInt16
	offset             proto.ColUInt64
	reason, key, value clickhouse.Text
	headers            clickhouse.Pairs
	at                 clickhouse.Time
}

func newLetterTable() *letterTable {
	t := &letterTable{}
	t.Table = clickhouse.Table{Name: tableDeadLetters, Columns: proto.Input{
		col("topic", &t.topic), col("partition", &t.partition), col("offset", &t.offset), col("reason", &t.reason),
		col("key", &t.key), col("headers", &t.headers), col("value", &t.value), col("at", &t.at),
	}}
	return t
}

func (t *letterTable) add(l deadletter.Letter) {
	t.topic.Append(l.Topic)
	t.partition.Append(uint16(l.Partition))
	t.offset.Append(uint64(l.Offset))
	t.reason.Append(l.Reason)
	t.key.AppendBytes(l.Key)
	for _, h := range l.Headers {
		t.headers.Add(h.Key, h.Value)
	}
	t.headers.End()
	t.value.AppendBytes(l.Value)
	t.at.Append(l.At.UnixMilli())
}
