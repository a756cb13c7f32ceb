package events

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// kind is how a field's value is written as JSON.
type kind uint8

const (
	kindString kind = iota + 1
	kindMessage
	kindTimestamp
	kindEnum
	kindBool
	kindUint32
	kindInt32
	kindUint64
	kindInt64
	kindDouble
	kindBytes
)

// message is the plan of one message type: what AppendJSON needs to know about each field, by its number.
type message struct {
	fields []field
}

// field is the plan of one field.
type field struct {
	num      protowire.Number
	wire     protowire.Type
	kind     kind
	list     bool
	presence bool     // A zero on the wire is shown.
	key      string   // The name as JSON, quoted, with its colon.
	enum     []string // Names by number; "" where there is none.
	message  *message
	// taken is a bit for the field or for its oneof: a second occurrence on the wire has to be merged with the first.
	taken uint64
}

func (m *message) field(n protowire.Number) *field {
	if n <= 0 || int(n) >= len(m.fields) || m.fields[n].kind == 0 {
		return nil
	}
	return &m.fields[n]
}

// The plans of all messages that a record may hold. Building them takes a fraction of a millisecond, once per process.
//
//nolint:gochecknoglobals // Tables.
var (
	plans        = map[protoreflect.FullName]*message{}
	eventPlan    = planOf((*ledgerv1.Event)(nil).ProtoReflect().Descriptor())
	decisionPlan = planOf((*ledgerv1.Decision)(nil).ProtoReflect().Descriptor())
	voidedPlan   = planOf((*ledgerv1.DecisionsVoided)(nil).ProtoReflect().Descriptor())
)

// planOf builds the plan of a message. It panics for anything that the tables do not cover (maps, groups, numbers above
// 63, other scalar kinds). Only a change of the schema can cause that, and then every test fails.
func planOf(d protoreflect.MessageDescriptor) *message {
	if m := plans[d.FullName()]; m != nil {
		return m
	}
	m := new(message)
	plans[d.FullName()] = m
	fds := d.Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		n := int(fd.Number())
		if n > 63 || fd.IsMap() {
			panic(fmt.Sprintf("events: no JSON plan for %s", fd.FullName()))
		}
		for len(m.fields) <= n {
			m.fields = append(m.fields, field{})
		}
		m.fields[n] = planField(fd)
	}
	return m
}

func planField(fd protoreflect.FieldDescriptor) field {
	f := field{
		num: fd.Number(), list: fd.IsList(), presence: fd.HasPresence(),
		key: `"` + fd.JSONName() + `":`, taken: 1 << fd.Number(),
	}
	if o := fd.ContainingOneof(); o != nil {
		f.taken = 1 << o.Fields().Get(0).Number()
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		f.kind, f.wire = kindString, protowire.BytesType
	case protoreflect.BytesKind:
		f.kind, f.wire = kindBytes, protowire.BytesType
	case protoreflect.BoolKind:
		f.kind, f.wire = kindBool, protowire.VarintType
	case protoreflect.Uint32Kind:
		f.kind, f.wire = kindUint32, protowire.VarintType
	case protoreflect.Int32Kind:
		f.kind, f.wire = kindInt32, protowire.VarintType
	case protoreflect.Uint64Kind:
		f.kind, f.wire = kindUint64, protowire.VarintType
	case protoreflect.Int64Kind:
		f.kind, f.wire = kindInt64, protowire.VarintType
	case protoreflect.DoubleKind:
		f.kind, f.wire = kindDouble, protowire.Fixed64Type
	case protoreflect.EnumKind:
		f.kind, f.wire = kindEnum, protowire.VarintType
		f.enum = enumNames(fd.Enum())
	case protoreflect.MessageKind:
		f.kind, f.wire = kindMessage, protowire.BytesType
		if fd.Message().FullName() == "google.protobuf.Timestamp" {
			f.kind = kindTimestamp
		} else {
			f.message = planOf(fd.Message())
		}
	default:
		panic(fmt.Sprintf("events: no JSON plan for %s", fd.FullName()))
	}
	return f
}

func enumNames(d protoreflect.EnumDescriptor) []string {
	var names []string
	for i := range d.Values().Len() {
		v := d.Values().Get(i)
		for len(names) <= int(v.Number()) {
			names = append(names, "")
		}
		names[v.Number()] = string(v.Name())
	}
	return names
}
