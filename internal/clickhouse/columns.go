package clickhouse

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
)

// Text is a String column that holds its rows in the wire format, so that sending it copies nothing.
type Text struct {
	buf  []byte
	rows int
}

// Append adds a row.
func (c *Text) Append(v string) {
	c.buf = binary.AppendUvarint(c.buf, uint64(len(v)))
	c.buf = append(c.buf, v...)
	c.rows++
}

// AppendBytes adds a row.
func (c *Text) AppendBytes(v []byte) {
	c.buf = binary.AppendUvarint(c.buf, uint64(len(v)))
	c.buf = append(c.buf, v...)
	c.rows++
}

// textRoom is the number of bytes that Begin reserves for the length: enough for rows below 16 KiB, which nearly all
// are.
const textRoom = 2

// Begin returns the buffer to which the caller appends the bytes of a new row. End adds the row; without End it is
// dropped.
func (c *Text) Begin() []byte { return append(c.buf, make([]byte, textRoom)...) }

// End adds the row. Its argument is the buffer of Begin with the bytes of the row appended.
func (c *Text) End(buf []byte) {
	start := len(c.buf) + textRoom
	n := len(buf) - start
	var length [binary.MaxVarintLen64]byte
	l := binary.PutUvarint(length[:], uint64(n))
	for range l - textRoom {
		buf = append(buf, 0)
	}
	if l != textRoom {
		copy(buf[len(c.buf)+l:], buf[start:start+n])
		buf = buf[:len(c.buf)+l+n]
	}
	copy(buf[len(c.buf):], length[:l])
	c.buf = buf
	c.rows++
}

// Type is the column's type.
func (*Text) Type() proto.ColumnType { return proto.ColumnTypeString }

// Rows returns the number of rows.
func (c *Text) Rows() int { return c.rows }

// Reset empties the column.
func (c *Text) Reset() { c.buf, c.rows = c.buf[:0], 0 }

// EncodeColumn appends the column to a buffer.
func (c *Text) EncodeColumn(b *proto.Buffer) { b.Buf = append(b.Buf, c.buf...) }

// WriteColumn writes the column to the connection.
func (c *Text) WriteColumn(w *proto.Writer) {
	if len(c.buf) > 0 {
		w.ChainWrite(c.buf)
	}
}

// Dict is a LowCardinality(String) column: a dictionary that grows with new values, and an index for every row.
type Dict struct {
	known  map[string]uint32
	values Text
	keys   []uint32
}

// Append adds a row.
func (c *Dict) Append(v string) {
	k, ok := c.known[v]
	if !ok {
		k = c.learn(v)
	}
	c.keys = append(c.keys, k)
}

// AppendBytes adds a row. It allocates only for a new value.
func (c *Dict) AppendBytes(v []byte) {
	k, ok := c.known[string(v)]
	if !ok {
		k = c.learn(string(v))
	}
	c.keys = append(c.keys, k)
}

func (c *Dict) learn(v string) uint32 {
	if c.known == nil {
		c.known = map[string]uint32{}
	}
	k := uint32(len(c.known))
	c.known[v] = k
	c.values.Append(v)
	return k
}

// maxDict is the largest number of values that a column keeps from one block to the next.
const maxDict = 1 << 12

// Type is the column's type.
func (*Dict) Type() proto.ColumnType { return "LowCardinality(String)" }

// Rows returns the number of rows.
func (c *Dict) Rows() int { return len(c.keys) }

// Reset empties the column. It keeps a small dictionary: the next block will hold the same values.
func (c *Dict) Reset() {
	c.keys = c.keys[:0]
	if len(c.known) > maxDict {
		clear(c.known)
		c.values.Reset()
	}
}

// The flags of a low-cardinality column on the wire.
const (
	sharedDictionaries = 1       // The version of the keys, in the prefix.
	additionalKeys     = 1 << 9  // The block has its own dictionary,
	updateDictionary   = 1 << 10 // which replaces the one before.
)

// EncodeState appends the column's prefix.
func (*Dict) EncodeState(b *proto.Buffer) { b.PutInt64(sharedDictionaries) }

// EncodeColumn appends the column to a buffer.
func (c *Dict) EncodeColumn(b *proto.Buffer) {
	if len(c.keys) == 0 {
		return
	}
	width, code := 1, int64(0)
	switch n := c.values.rows; {
	case n > 1<<16:
		width, code = 4, 2
	case n > 1<<8:
		width, code = 2, 1
	}
	b.PutInt64(additionalKeys | updateDictionary | code)
	b.PutInt64(int64(c.values.rows))
	c.values.EncodeColumn(b)
	b.PutInt64(int64(len(c.keys)))
	switch width {
	case 1:
		for _, k := range c.keys {
			b.Buf = append(b.Buf, byte(k))
		}
	case 2:
		for _, k := range c.keys {
			b.Buf = binary.LittleEndian.AppendUint16(b.Buf, uint16(k))
		}
	default:
		for _, k := range c.keys {
			b.Buf = binary.LittleEndian.AppendUint32(b.Buf, k)
		}
	}
}

// WriteColumn writes the column to the connection.
func (c *Dict) WriteColumn(w *proto.Writer) { w.ChainBuffer(c.EncodeColumn) }
