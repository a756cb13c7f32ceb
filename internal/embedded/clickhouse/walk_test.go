package clickhouse

import (
	"bufio"
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/require"
)

// testBlock is a block of many types as a client sends it.
func testBlock(t testing.TB, rows int) (input proto.Input, block proto.Block) {
	t.Helper()
	var u proto.ColUInt64
	var s proto.ColStr
	lc := new(proto.ColStr).LowCardinality()
	n := new(proto.ColStr).Nullable()
	arr := new(proto.ColStr).Array()
	alc := proto.NewArray(new(proto.ColStr).LowCardinality())
	m := proto.NewMap(new(proto.ColStr), new(proto.ColUInt32))
	for i := range rows {
		u.Append(uint64(i) * 2570)
		s.AppendBytes(bytes.Repeat([]byte{'x'}, i*7%300))
		lc.Append(string(rune('a' + i%26)))
		n.Append(proto.Nullable[string]{Set: i%2 == 0, Value: "v"})
		arr.Append(make([]string, i%4))
		alc.Append([]string{"one", "two"}[:i%3])
		m.Append(map[string]uint32{"k": uint32(i)})
	}
	input = proto.Input{{Name: "u", Data: &u}, {Name: "s", Data: &s}, {Name: "lc", Data: lc}, {Name: "n", Data: n}, {Name: "arr", Data: arr}, {Name: "alc", Data: alc}, {Name: "m", Data: m}}
	return input, proto.Block{Columns: len(input), Rows: rows, Info: proto.BlockInfo{BucketNum: -1}}
}

func encode(t testing.TB, rows int, v revision) []byte {
	t.Helper()
	input, block := testBlock(t, rows)
	var buf proto.Buffer
	require.NoError(t, block.EncodeBlock(&buf, int(v), input))
	return buf.Buf
}

func TestWalkerConvertsBlocks(t *testing.T) {
	t.Parallel()
	for _, rows := range []int{1, 7, 5000} {
		wire, plain := encode(t, rows, serverRevision), encode(t, rows, 0)
		for _, way := range []struct {
			in, out  revision
			from, to []byte
		}{{serverRevision, 0, wire, plain}, {0, serverRevision, plain, wire}} {
			var out bytes.Buffer
			k := newWalker(way.in, way.out)
			// One byte at a time, so that nothing depends on the content of the buffer, with more bytes behind the block.
			k.r = bufio.NewReaderSize(iotest.OneByteReader(io.MultiReader(bytes.NewReader(way.from), bytes.NewReader([]byte("next")))), decodeBuffer)
			k.w = &out
			n, columns, err := k.block()
			require.NoError(t, err)
			require.Equal(t, []int{rows, 7}, []int{n, columns})
			require.Equal(t, way.to, out.Bytes())
			rest, err := io.ReadAll(k.r)
			require.NoError(t, err)
			require.Equal(t, "next", string(rest))
		}
	}
}

func TestWalkerRefusesATruncatedBlock(t *testing.T) {
	t.Parallel()
	wire := encode(t, 3, serverRevision)
	for n := 1; n < len(wire); n++ {
		k := newWalker(serverRevision, 0)
		k.r, k.w = bufio.NewReaderSize(bytes.NewReader(wire[:n]), decodeBuffer), io.Discard
		_, _, err := k.block()
		require.Error(t, err, n)
	}
}

func FuzzWalker(f *testing.F) {
	f.Add(encode(f, 5, serverRevision))
	f.Fuzz(func(t *testing.T, b []byte) {
		k := newWalker(serverRevision, 0)
		k.r, k.w = bufio.NewReaderSize(bytes.NewReader(b), decodeBuffer), io.Discard
		_, _, _ = k.block()
	})
}

func TestShapeOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]form{
		"UInt8": formFixed, "DateTime64(3, 'UTC')": formFixed, "Enum8('a(,' = 1)": formFixed, "FixedString(3)": formFixed,
		"Decimal(38, 4)": formFixed, "String": formString, "Nullable(String)": formNullable,
		"LowCardinality(Nullable(String))": formLowCardinality, "Array(Array(Tuple(a String, `b (c` UInt8)))": formArray,
		"Map(LowCardinality(String), Array(UInt8))": formArray, "Tuple(UInt8, String)": formTuple, "Nested(a UInt8, b String)": formArray,
		"SimpleAggregateFunction(max, DateTime64(3))": formFixed, "Polygon": formArray,
		"JSON": formUnknown, "Array(JSON)": formUnknown, "Dynamic": formUnknown, "Variant(String, UInt8)": formUnknown,
		"AggregateFunction(sum, UInt64)": formUnknown, "FixedString(x)": formUnknown, "Array": formUnknown, "": formUnknown,
	} {
		require.Equal(t, want, shapeOf(name).form, name)
	}
	require.Equal(t, 16, shapeOf("Decimal(38, 4)").width)
	require.Equal(t, 32, shapeOf("Decimal(39, 4)").width)
	require.Equal(t, formString, shapeOf("Tuple(a String, b UInt8)").parts[0].form)
}

func TestSpoolMovesToDiskAndIsRemoved(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]int64{"in memory": 1 << 30, "on disk": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &spool{tmp: dir, limit: limit}
			for range 2 { // it can be reused
				var want bytes.Buffer
				for i := range 3000 {
					b := bytes.Repeat([]byte{byte(i)}, 1000)
					want.Write(b)
					_, err := s.Write(b)
					require.NoError(t, err)
				}
				path, err := s.ready()
				require.NoError(t, err)
				got, err := readFile(path)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want.Bytes(), got))
				s.reset()
				require.Empty(t, list(t, dir))
			}
		})
	}
}

func TestFrameReaderRefusesATruncatedFrame(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	w := newFrameWriter(&buf)
	want := bytes.Repeat([]byte("0123456789"), 300_000)
	_, err := w.Write(want)
	require.NoError(t, err)
	require.NoError(t, w.flush())
	got, err := io.ReadAll(newFrameReader(bytes.NewReader(buf.Bytes())))
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))
	for _, n := range []int{buf.Len() - 1, 10, frameHeader} {
		_, err = io.ReadAll(newFrameReader(bytes.NewReader(buf.Bytes()[:n])))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d: %v", n, err)
	}
}
