package events

import (
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// appendDouble writes a number like protojson.
func appendDouble(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

// The range of google.protobuf.Timestamp: the years 1 to 9999.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// appendTimestamp writes a google.protobuf.Timestamp as RFC 3339 in UTC with 0, 3, 6 or 9 digits after the second.
func appendTimestamp(dst, b []byte) ([]byte, bool) {
	seconds, nanos, ok := consumeTimestamp(b)
	if !ok {
		return dst, false
	}
	if seconds < minSeconds || seconds > maxSeconds || nanos < 0 || nanos > 999999999 {
		return append(dst, "null"...), true
	}
	dst = append(dst, '"')
	dst = appendSeconds(dst, seconds)
	if nanos != 0 {
		digits, n := 9, nanos
		for digits > 3 && n%1000 == 0 {
			digits, n = digits-3, n/1000
		}
		dst = append(dst, ".000000000"[:digits+1]...)
		for i := len(dst) - 1; n > 0; i, n = i-1, n/10 {
			dst[i] = byte('0' + n%10)
		}
	}
	return append(dst, 'Z', '"'), true
}

// consumeTimestamp reads the two fields of a Timestamp. It returns false unless each occurs at most once, in order.
func consumeTimestamp(b []byte) (seconds int64, nanos int32, ok bool) {
	last := protowire.Number(0)
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || typ != protowire.VarintType || num <= last || num > 2 {
			return 0, 0, false
		}
		last = num
		v, m := protowire.ConsumeVarint(b[n:])
		if m < 0 {
			return 0, 0, false
		}
		if num == 1 {
			seconds = int64(v)
		} else {
			nanos = int32(v)
		}
		b = b[n+m:]
	}
	return seconds, nanos, true
}

// appendSeconds writes yyyy-mm-ddThh:mm:ss of a Unix time within the years 1 to 9999.
func appendSeconds(dst []byte, seconds int64) []byte {
	t := time.Unix(seconds, 0).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	two := func(v int, sep byte) { dst = append(dst, byte('0'+v/10), byte('0'+v%10), sep) }
	dst = append(dst, byte('0'+year/1000), byte('0'+year/100%10))
	two(year%100, '-')
	two(int(month), '-')
	two(day, 'T')
	two(hour, ':')
	two(minute, ':')
	return append(dst, byte('0'+second/10), byte('0'+second%10))
}
