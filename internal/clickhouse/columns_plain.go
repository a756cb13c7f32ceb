package clickhouse

import "github.com/ClickHouse/ch-go/proto"

// Time is a DateTime64(3, 'UTC') column of Unix milliseconds.
type Time struct{ proto.ColInt64 }

// Type is the column's type.
func (*Time) Type() proto.ColumnType { return "DateTime64(3, 'UTC')" }

// Null is a nullable column of 64-bit numbers.
type Null struct {
	typ    proto.ColumnType
	nulls  proto.ColUInt8
	values proto.ColInt64
}

// NullTime returns a Nullable(DateTime64(3, 'UTC')) column of Unix milliseconds.
func NullTime() *Null { return &Null{typ: "Nullable(DateTime64(3, 'UTC'))"} }

// NullInt64 returns a Nullable(Int64) column.
func NullInt64() *Null { return &Null{typ: "Nullable(Int64)"} }

// Append adds a row: v if it is known, otherwise NULL.
func (c *Null) Append(v int64, known bool) {
	if known {
		c.nulls = append(c.nulls, 0)
		c.values = append(c.values, v)
		return
	}
	c.nulls = append(c.nulls, 1)
	c.values = append(c.values, 0)
}

// Type is the column's type.
func (c *Null) Type() proto.ColumnType { return c.typ }

// Rows returns the number of rows.
func (c *Null) Rows() int { return len(c.nulls) }

// Reset empties the column.
func (c *Null) Reset() { c.nulls, c.values = c.nulls[:0], c.values[:0] }

// EncodeColumn appends the column to a buffer.
func (c *Null) EncodeColumn(b *proto.Buffer) {
	c.nulls.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn writes the column to the connection.
func (c *Null) WriteColumn(w *proto.Writer) {
	c.nulls.WriteColumn(w)
	c.values.WriteColumn(w)
}

// Texts is an Array(String) column.
type Texts struct {
	ends   proto.ColUInt64
	values Text
}

// Append adds a row.
func (c *Texts) Append(row []string) {
	for _, v := range row {
		c.values.Append(v)
	}
	c.ends = append(c.ends, uint64(c.values.rows))
}

// Type is the column's type.
func (*Texts) Type() proto.ColumnType { return "Array(String)" }

// Rows returns the number of rows.
func (c *Texts) Rows() int { return len(c.ends) }

// Reset empties the column.
func (c *Texts) Reset() {
	c.ends = c.ends[:0]
	c.values.Reset()
}

// EncodeColumn appends the column to a buffer.
func (c *Texts) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn writes the column to the connection.
func (c *Texts) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.values.WriteColumn(w)
}

// Pairs is an Array(Tuple(key String, value String)) column.
type Pairs struct {
	ends         proto.ColUInt64
	keys, values Text
}

// Add adds a pair to the current row.
func (c *Pairs) Add(key string, value []byte) {
	c.keys.Append(key)
	c.values.AppendBytes(value)
}

// End finishes the current row.
func (c *Pairs) End() { c.ends = append(c.ends, uint64(c.keys.rows)) }

// Type is the column's type.
func (*Pairs) Type() proto.ColumnType { return "Array(Tuple(key String, value String))" }

// Rows returns the number of rows.
func (c *Pairs) Rows() int { return len(c.ends) }

// Reset empties the column.
func (c *Pairs) Reset() {
	c.ends = c.ends[:0]
	c.keys.Reset()
	c.values.Reset()
}

// EncodeColumn appends the column to a buffer.
func (c *Pairs) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.keys.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn writes the column to the connection.
func (c *Pairs) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.keys.WriteColumn(w)
	c.values.WriteColumn(w)
}
