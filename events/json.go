package events

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/orderledger/orderledger/internal/jsontext"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// AppendJSON appends the readable form of a record's value to dst: canonical proto3 JSON (lowerCamel names, enums by
// name, times in RFC 3339, 64-bit integers as strings) of the Event, Decision or DecisionsVoided that typ names.
//
// It converts the wire form directly, from tables that are built once, without decoding into structs and without
// allocating beyond dst, because the projector converts every event. It does not refuse values that no writer of the
// ledger makes: invalid UTF-8 becomes U+FFFD, and a time out of range becomes null.
//
// An error wraps ErrUndecodable, and dst is returned unchanged.
func AppendJSON(dst []byte, typ string, body []byte) ([]byte, error) {
	var m *message
	switch {
	case typ == TypeDecision:
		m = decisionPlan
	case typ == TypeDecisionsVoided:
		m = voidedPlan
	case known(typ):
		m = eventPlan
	default:
		return dst, fmt.Errorf("%w %q", ErrUnknownType, typ)
	}
	start := len(dst)
	out, ok := m.append(dst, body)
	if ok {
		return out, nil
	}
	// The ledger does not write this: fields are out of order or repeated, or it is no message at all. Decoding and
	// encoding it again gives the usual form, or an error that says what is wrong.
	body, err := canonical(m, body)
	if err != nil {
		return out[:start], fmt.Errorf("%w: body of %s: %w", ErrUndecodable, typ, err)
	}
	if out, ok = m.append(out[:start], body); !ok {
		return out[:start], fmt.Errorf("%w: body of %s: malformed", ErrUndecodable, typ)
	}
	return out, nil
}

// canonical writes a message as MarshalVT does: each field once, repeated ones in one run.
func canonical(m *message, body []byte) ([]byte, error) {
	var v interface {
		UnmarshalVT(b []byte) error
		MarshalVT() ([]byte, error)
	}
	switch m {
	case decisionPlan:
		v = new(ledgerv1.Decision)
	case voidedPlan:
		v = new(ledgerv1.DecisionsVoided)
	default:
		v = new(ledgerv1.Event)
	}
	if err := v.UnmarshalVT(body); err != nil {
		return nil, err
	}
	return v.MarshalVT()
}

// append writes one message as an object. It returns false for bytes that are not in canonical form.
func (m *message) append(dst, b []byte) ([]byte, bool) {
	dst = append(dst, '{')
	empty := true
	var seen uint64
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return dst, false
		}
		f := m.field(num)
		if f == nil {
			skip := protowire.ConsumeFieldValue(num, typ, b[n:])
			if skip < 0 {
				return dst, false
			}
			b = b[n+skip:]
			continue
		}
		if seen&f.taken != 0 {
			return dst, false
		}
		seen |= f.taken
		mark := len(dst)
		if !empty {
			dst = append(dst, ',')
		}
		dst = append(dst, f.key...)
		var shown, ok bool
		if f.list {
			dst, b, shown, ok = f.appendList(dst, b)
		} else {
			dst, b, shown, ok = f.appendOne(dst, b[n:], typ)
		}
		if !ok {
			return dst, false
		}
		if !shown {
			dst = dst[:mark]
			continue
		}
		empty = false
	}
	return append(dst, '}'), true
}

// appendOne writes the value of a singular field, whose tag is already read. It omits a zero that equals an absent
// field.
func (f *field) appendOne(dst, b []byte, typ protowire.Type) (out, rest []byte, shown, ok bool) {
	if typ != f.wire {
		return dst, b, false, false
	}
	v, n := consume(b, typ)
	if n < 0 {
		return dst, b, false, false
	}
	if v.zero() && !f.presence {
		return dst, b[n:], false, true
	}
	dst, ok = f.appendValue(dst, v)
	return dst, b[n:], true, ok
}

// appendList writes all consecutive elements of a repeated field, packed or not.
func (f *field) appendList(dst, b []byte) (out, rest []byte, shown, ok bool) {
	dst = append(dst, '[')
	first := true
	element := func(v value) bool {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var ok bool
		dst, ok = f.appendValue(dst, v)
		return ok
	}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return dst, b, false, false
		}
		if num != f.num {
			break
		}
		b = b[n:]
		v, n := consume(b, typ)
		if n < 0 {
			return dst, b, false, false
		}
		b = b[n:]
		switch typ {
		case f.wire:
			if !element(v) {
				return dst, b, false, false
			}
		case protowire.BytesType:
			for packed := v.bytes; len(packed) > 0; {
				e, n := consume(packed, f.wire)
				if n < 0 || !element(e) {
					return dst, b, false, false
				}
				packed = packed[n:]
			}
		default:
			return dst, b, false, false
		}
	}
	return append(dst, ']'), b, !first, true
}

// value is the value of a field in the wire format: a number or bytes.
type value struct {
	number uint64
	bytes  []byte
}

func (v value) zero() bool { return v.number == 0 && len(v.bytes) == 0 }

func consume(b []byte, typ protowire.Type) (v value, n int) {
	switch typ {
	case protowire.VarintType:
		v.number, n = protowire.ConsumeVarint(b)
	case protowire.Fixed32Type:
		var x uint32
		x, n = protowire.ConsumeFixed32(b)
		v.number = uint64(x)
	case protowire.Fixed64Type:
		v.number, n = protowire.ConsumeFixed64(b)
	case protowire.BytesType:
		v.bytes, n = protowire.ConsumeBytes(b)
	default:
		n = -1
	}
	return v, n
}

func (f *field) appendValue(dst []byte, v value) ([]byte, bool) {
	switch f.kind {
	case kindString:
		return jsontext.AppendString(dst, v.bytes), true
	case kindMessage:
		return f.message.append(dst, v.bytes)
	case kindTimestamp:
		return appendTimestamp(dst, v.bytes)
	case kindEnum:
		return f.appendEnum(dst, int32(v.number)), true
	case kindBool:
		return strconv.AppendBool(dst, v.number != 0), true
	case kindUint32:
		return strconv.AppendUint(dst, uint64(uint32(v.number)), 10), true
	case kindInt32:
		return strconv.AppendInt(dst, int64(int32(v.number)), 10), true
	case kindUint64:
		dst = strconv.AppendUint(append(dst, '"'), v.number, 10)
		return append(dst, '"'), true
	case kindInt64:
		dst = strconv.AppendInt(append(dst, '"'), int64(v.number), 10)
		return append(dst, '"'), true
	case kindDouble:
		return appendDouble(dst, math.Float64frombits(v.number)), true
	case kindBytes:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v.bytes)
		return append(dst, '"'), true
	}
	return dst, false
}

// appendEnum writes the name of a value, or its number if this version does not know it.
func (f *field) appendEnum(dst []byte, n int32) []byte {
	if n >= 0 && int(n) < len(f.enum) && f.enum[n] != "" {
		dst = append(dst, '"')
		dst = append(dst, f.enum[n]...)
		return append(dst, '"')
	}
	return strconv.AppendInt(dst, int64(n), 10)
}
