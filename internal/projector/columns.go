package projector

import (
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/projections"
)

// table is the columns of one ClickHouse table and the row that fills them.
//
// A column is declared in one line, which binds its name, its type and a field of the row:
//
//	text("shipment_id", &r.ShipmentID)
//
// Appending a row follows these pointers: one indirect call per cell, and neither reflection nor an allocation. The
// columns keep their memory from batch to batch, because ch-go spends five times as long per row when every batch
// brings new ones.
type table[R any] struct {
	clickhouse.Table
	// row is the row that appendRow reads. The columns point into it, so a table must not be copied.
	row R
	// cells append one field each, in the order of the columns.
	cells []func()
}

// column is one column of a table and how a row gets into it. A nil cell leaves that to the caller.
type column struct {
	proto.InputColumn
	cell func()
}

func newTable[R any](name string, columns func(r *R) []column) *table[R] {
	t := &table[R]{Table: clickhouse.Table{Name: name}}
	for _, c := range columns(&t.row) {
		t.Columns = append(t.Columns, c.InputColumn)
		if c.cell != nil {
			t.cells = append(t.cells, c.cell)
		}
	}
	return t
}

// appendRow appends t.row.
func (t *table[R]) appendRow() {
	for _, cell := range t.cells {
		cell()
	}
}

// add appends rows. It forgets the last one, whose bytes would keep a whole Kafka fetch in memory.
func (t *table[R]) add(rows ...R) {
	for i := range rows {
		t.row = rows[i]
		t.appendRow()
	}
	t.row = *new(R)
}

// bind names a column and says how a row gets into it.
func bind(name string, data proto.ColInput, cell func()) column {
	return column{proto.InputColumn{Name: name, Data: data}, cell}
}

// text is a String column.
func text(name string, from *string) column {
	c := new(clickhouse.Text)
	return bind(name, c, func() { c.Append(*from) })
}

// bytes is a String column of bytes.
func bytes(name string, from *[]byte) column {
	c := new(clickhouse.Text)
	return bind(name, c, func() { c.AppendBytes(*from) })
}

// dict is a LowCardinality(String) column, for text with few distinct values.
func dict(name string, from *string) column {
	c := new(clickhouse.Dict)
	return bind(name, c, func() { c.Append(*from) })
}

// dictBytes is a LowCardinality(String) column of bytes.
func dictBytes(name string, from *[]byte) column {
	c := new(clickhouse.Dict)
	return bind(name, c, func() { c.AppendBytes(*from) })
}

// texts is an Array(String) column.
func texts(name string, from *[]string) column {
	c := new(clickhouse.Texts)
	return bind(name, c, func() { c.Append(*from) })
}

// boolean is a Bool column.
func boolean(name string, from *bool) column {
	c := new(proto.ColBool)
	return bind(name, c, func() { c.Append(*from) })
}

// partitionNumber is a UInt16 column. Kafka's partition numbers are signed, but a ledger has far fewer than 65,536.
func partitionNumber(name string, from *int32) column {
	c := new(proto.ColUInt16)
	return bind(name, c, func() { c.Append(uint16(*from)) })
}

// offset is a UInt64 column of Kafka offsets, which are never negative in a record that was fetched.
func offset(name string, from *int64) column {
	c := new(proto.ColUInt64)
	return bind(name, c, func() { c.Append(uint64(*from)) })
}

// count is a UInt32 column.
func count(name string, from *uint32) column {
	c := new(proto.ColUInt32)
	return bind(name, c, func() { c.Append(*from) })
}

// number is a UInt64 column.
func number(name string, from *uint64) column {
	c := new(proto.ColUInt64)
	return bind(name, c, func() { c.Append(*from) })
}

// nullInt is a Nullable(Int64) column.
func nullInt(name string, from *int64, known *bool) column {
	c := clickhouse.NullInt64()
	return bind(name, c, func() { c.Append(*from, *known) })
}

// nullTime is a nullable column of times: NULL if unknown.
func nullTime(name string, from *projections.Time) column {
	c := clickhouse.NullTime()
	return bind(name, c, func() { c.Append(int64(*from), *from != projections.Unknown) })
}

// timestamp is a column of times without NULL; an unknown time is stored as 1970.
func timestamp(name string, from *projections.Time) column {
	c := new(clickhouse.Time)
	return bind(name, c, func() {
		if *from == projections.Unknown {
			c.Append(0)
			return
		}
		c.Append(int64(*from))
	})
}

// wallTime is a column of times that the projector took itself.
func wallTime(name string, from *time.Time) column {
	c := new(clickhouse.Time)
	return bind(name, c, func() { c.Append(from.UnixMilli()) })
}

// hash is a FixedString(32) column.
func hash(name string, from *events.Hash) column {
	c := new(proto.ColFixedStr32)
	return bind(name, c, func() { c.Append(*from) })
}

// headers is an Array(Tuple(key String, value String)) column. Kafka allows a key several times, hence no Map.
func headers(name string, from *[]kgo.RecordHeader) column {
	c := new(clickhouse.Pairs)
	return bind(name, c, func() {
		for _, h := range *from {
			c.Add(h.Key, h.Value)
		}
		c.End()
	})
}
