package clickhouse

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
)

// walker copies blocks between the wire and the engine without building columns: it only follows lengths, which costs a
// third of decoding and encoding. On the wire, a block has a block info, and a byte for custom serialization after the
// type of each column; the engine's format has neither. Columns of types whose data can't be followed by lengths (JSON,
// Variant, Dynamic) are decoded and encoded.
type walker struct {
	r       *bufio.Reader // at least decodeBuffer large, so that decoding a column reads through it
	w       io.Writer
	in, out revision
	header  *[]columnHeader // when set, gets the names and types of the columns
	shapes  map[string]*shape
	scratch []byte
	err     error // of w; checked once a block
}

// revision is the revision of the native format at one end. 0 is that of the engine, without block info.
type revision int

func (v revision) blockInfo() bool { return proto.FeatureBlockInfo.In(int(v)) }
func (v revision) custom() bool    { return proto.FeatureCustomSerialization.In(int(v)) }

// columnHeader is a column without its data.
type columnHeader struct{ name, typ string }

// decodeBuffer is the buffer size of ch-go's reader. It uses a bufio.Reader of that size directly, instead of putting a
// second buffer behind it, which would swallow the bytes after the block.
const decodeBuffer = 128 << 10

// Limits on counts and lengths, which can be wrong on the wire.
const (
	maxColumns    = 100_000
	maxRows       = 1 << 30
	maxNameLength = 1 << 20
)

// errBlock says that the bytes are not a block.
var errBlock = errors.New("malformed block")

func newWalker(in, out revision) *walker {
	return &walker{in: in, out: out, shapes: map[string]*shape{}}
}

// block copies one block and returns its numbers of rows and columns. It does not copy a block without rows.
func (k *walker) block() (rows, columns int, err error) {
	if k.in.blockInfo() {
		if err := k.skipInfo(); err != nil {
			return 0, 0, err
		}
	}
	c, err := binary.ReadUvarint(k.r)
	if err != nil {
		return 0, 0, err
	}
	n, err := binary.ReadUvarint(k.r)
	if err != nil {
		return 0, 0, cut(err)
	}
	if c > maxColumns || n > maxRows {
		return 0, 0, fmt.Errorf("%w: %d columns and %d rows", errBlock, c, n)
	}
	if n > 0 {
		k.putHead(c, n)
	}
	for range c {
		if err := k.column(int(n)); err != nil {
			return 0, 0, cut(err)
		}
	}
	return int(n), int(c), k.err
}

// cut turns the end of the input inside a block into io.ErrUnexpectedEOF.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (k *walker) skipInfo() error {
	for {
		field, err := binary.ReadUvarint(k.r)
		if err != nil {
			return err
		}
		switch field {
		case 0:
			return nil
		case 1: // overflows
			_, err = k.r.Discard(1)
		case 2: // bucket number
			_, err = k.r.Discard(4)
		default:
			err = fmt.Errorf("%w: info field %d", errBlock, field)
		}
		if err != nil {
			return cut(err)
		}
	}
}

func (k *walker) putHead(columns, rows uint64) {
	b := k.scratch[:0]
	if k.out.blockInfo() {
		b = append(b, 1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0)
	}
	b = binary.AppendUvarint(b, columns)
	b = binary.AppendUvarint(b, rows)
	k.scratch = b
	k.put(b)
}

func (k *walker) column(rows int) error {
	name, err := k.str()
	if err != nil {
		return err
	}
	typ, err := k.str()
	if err != nil {
		return err
	}
	if k.in.custom() {
		custom, err := k.r.ReadByte()
		if err != nil {
			return err
		}
		if custom != 0 {
			return fmt.Errorf("column %s %s: custom serialization is not supported", name, typ)
		}
	}
	if k.header != nil {
		*k.header = append(*k.header, columnHeader{name, typ})
	}
	if rows == 0 {
		return nil
	}
	b := appendString(k.scratch[:0], name)
	b = appendString(b, typ)
	if k.out.custom() {
		b = append(b, 0)
	}
	k.scratch = b
	k.put(b)
	s, ok := k.shapes[typ]
	if !ok {
		s = shapeOf(typ)
		k.shapes[typ] = s
	}
	if s.form == formUnknown {
		return k.recode(name, typ, rows)
	}
	if err := k.prefix(s); err != nil {
		return err
	}
	return k.data(s, rows)
}

// prefix copies the state before a column's data, which only LowCardinality has.
func (k *walker) prefix(s *shape) error {
	if s.form == formLowCardinality {
		return k.copyN(8)
	}
	for _, p := range s.parts {
		if err := k.prefix(p); err != nil {
			return err
		}
	}
	return nil
}

func (k *walker) data(s *shape, rows int) error {
	if rows == 0 {
		return nil
	}
	switch s.form {
	case formFixed:
		return k.copyN(s.width * rows)
	case formString:
		return k.strings(rows)
	case formNullable:
		if err := k.copyN(rows); err != nil {
			return err
		}
		return k.data(s.parts[0], rows)
	case formLowCardinality:
		return k.lowCardinality(s)
	case formArray:
		if err := k.copyN(8 * (rows - 1)); err != nil {
			return err
		}
		// The last offset is the number of values.
		total, err := k.uint64()
		if err != nil {
			return err
		}
		if total > maxRows {
			return fmt.Errorf("%w: an array of %d values", errBlock, total)
		}
		rows = int(total)
	case formTuple:
		if len(s.parts) == 0 { // Tuple() has a byte a row
			return k.copyN(rows)
		}
	case formUnknown:
		return fmt.Errorf("%w: a type that can't be followed", errBlock)
	}
	for _, p := range s.parts {
		if err := k.data(p, rows); err != nil {
			return err
		}
	}
	return nil
}

// lowCardinality copies a dictionary and the keys into it.
func (k *walker) lowCardinality(s *shape) error {
	flags, err := k.uint64()
	if err != nil {
		return err
	}
	size, err := k.uint64()
	if err != nil {
		return err
	}
	if size > maxRows {
		return fmt.Errorf("%w: a dictionary of %d values", errBlock, size)
	}
	if err := k.data(s.parts[0], int(size)); err != nil {
		return err
	}
	keys, err := k.uint64()
	if err != nil {
		return err
	}
	keyWidth := flags & 0xff // as a power of two
	if keyWidth > 3 || keys > maxRows {
		return fmt.Errorf("%w: %d keys of width 2^%d", errBlock, keys, keyWidth)
	}
	return k.copyN(int(keys) << keyWidth)
}

// strings copies values of a length and that many bytes, as many at a time as the buffer holds.
func (k *walker) strings(n int) error {
	for n > 0 {
		if k.r.Buffered() == 0 {
			if _, err := k.r.Peek(1); err != nil {
				return err
			}
		}
		window, err := k.r.Peek(k.r.Buffered())
		if err != nil {
			return err
		}
		at := 0
		for n > 0 {
			size, w := binary.Uvarint(window[at:])
			if w <= 0 || size > uint64(len(window)-at-w) {
				break
			}
			at += w + int(size)
			n--
		}
		k.put(window[:at])
		if _, err := k.r.Discard(at); err != nil {
			return err
		}
		if at > 0 || n == 0 {
			continue
		}
		// A value that the buffer does not hold as a whole.
		size, err := binary.ReadUvarint(k.r)
		if err != nil {
			return err
		}
		if size > maxRows {
			return fmt.Errorf("%w: a string of %d bytes", errBlock, size)
		}
		k.scratch = binary.AppendUvarint(k.scratch[:0], size)
		k.put(k.scratch)
		if err := k.copyN(int(size)); err != nil {
			return err
		}
		n--
	}
	return nil
}

// copyN copies n bytes. It never asks the reader for more, because the next bytes may not have arrived yet.
func (k *walker) copyN(n int) error {
	for n > 0 {
		b, err := k.r.Peek(min(n, max(k.r.Buffered(), 1)))
		if err != nil {
			return err
		}
		k.put(b)
		if _, err := k.r.Discard(len(b)); err != nil {
			return err
		}
		n -= len(b)
	}
	return nil
}

func (k *walker) uint64() (uint64, error) {
	b, err := k.r.Peek(8)
	if err != nil {
		return 0, err
	}
	v := binary.LittleEndian.Uint64(b)
	k.put(b)
	_, err = k.r.Discard(8)
	return v, err
}

func (k *walker) put(b []byte) {
	if k.err == nil && len(b) > 0 {
		_, k.err = k.w.Write(b)
	}
}

func (k *walker) str() (string, error) {
	n, err := binary.ReadUvarint(k.r)
	if err != nil {
		return "", err
	}
	if n > maxNameLength {
		return "", fmt.Errorf("%w: a name of %d bytes", errBlock, n)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(k.r, b)
	return string(b), err
}

// recode decodes and encodes a column of a type that can't be followed by lengths.
func (k *walker) recode(name, typ string, rows int) (err error) {
	defer func() {
		// The decoders trust every length, and panic on some.
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: column %s %s: %v", errBlock, name, typ, r)
		}
	}()
	server := &column.ServerContext{Revision: uint64(max(k.in, k.out)), Timezone: time.UTC}
	col, err := column.Type(typ).Column(name, server)
	if err != nil {
		return fmt.Errorf("column %s %s: %w", name, typ, err)
	}
	reader := proto.NewReader(k.r)
	state, _ := col.(column.CustomSerialization)
	if state != nil {
		if err := state.ReadStatePrefix(reader); err != nil {
			return fmt.Errorf("column %s %s: %w", name, typ, err)
		}
	}
	if err := col.Decode(reader, rows); err != nil {
		return fmt.Errorf("column %s %s: %w", name, typ, err)
	}
	var buf proto.Buffer
	if state != nil {
		if err := state.WriteStatePrefix(&buf); err != nil {
			return fmt.Errorf("column %s %s: %w", name, typ, err)
		}
	}
	col.Encode(&buf)
	k.put(buf.Buf)
	return nil
}

// appendEmpty appends a block without rows; one without columns too ends a stream of blocks.
func appendEmpty(b []byte, columns []columnHeader, out revision) []byte {
	w := bytes.NewBuffer(b)
	k := &walker{w: w, out: out}
	k.putHead(uint64(len(columns)), 0)
	b = w.Bytes()
	for _, c := range columns {
		b = appendString(b, c.name)
		b = appendString(b, c.typ)
		if out.custom() {
			b = append(b, 0)
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
