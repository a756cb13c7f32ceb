package eventstest

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Event returns an event of a type with every field set. The values differ from field to field and are the same in
// every call. It returns nil for a type that is not in the catalogue.
func Event(ceType string) *ledgerv1.Event {
	if !slices.Contains(events.Types(), ceType) {
		return nil
	}
	e := &ledgerv1.Event{Transition: new(ledgerv1.Transition), After: new(ledgerv1.Shipment)}
	m := e.ProtoReflect()
	members := m.Descriptor().Oneofs().ByName("body").Fields()
	for i := range members.Len() {
		if member := members.Get(i); string(member.Message().Name()) == events.ShortType(ceType) {
			Fill(m.Mutable(member).Message())
		}
	}
	Fill(e.Transition.ProtoReflect())
	Fill(e.After.ProtoReflect())
	return e
}

// Decision returns a decision with every field set.
func Decision() *ledgerv1.Decision {
	d := new(ledgerv1.Decision)
	Fill(d.ProtoReflect())
	d.InputHash, d.EventsHead = make([]byte, 32), make([]byte, 32)
	d.InputHash[0], d.EventsHead[0] = 1, 2
	return d
}

// Envelope returns an envelope for Event and Decision.
func Envelope(ceType string) events.Envelope {
	e := events.Envelope{
		ID: events.EventID("shipment_id-1", 2), Type: ceType, Source: events.Source + "/test",
		ShipmentID: "shipment_id-1", Version: 2, LaneSeq: 7,
		SellerID: "seller_id-1", LocationID: "location_id-1", AuthType: events.AuthSeller, AuthID: "seller_id-1",
		OccurredAt: Start, DecidedAt: Start.Add(time.Second), RecordedAt: Start.Add(1500 * time.Millisecond),
		CorrelationID: "correlation-1", CausationID: "causation-1", History: true, DecisionEvents: 2, DecisionEvent: 1,
		InputType: "command.cancel", InputKey: "key-1", InputHash: events.Hash{1, 2, 3},
		InboxOffset: 41, DecisionSeq: 5, DecisionRow: true,
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	if ceType == events.TypeDecision || ceType == events.TypeDecisionsVoided {
		e.ID, e.Version = events.DecisionID(3, 7), 0
	}
	return e
}

// Record returns the record with this envelope, linked to an empty chain of lane 3 of the ledger without a layout.
func Record(env events.Envelope, m proto.Message) *events.Record {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err) // Only for messages that no schema allows.
	}
	topic := events.TopicEvents
	if env.Type == events.TypeDecision || env.Type == events.TypeDecisionsVoided {
		topic = events.TopicDecisions
	}
	r := &events.Record{Timestamp: env.RecordedAt, Headers: env.AppendHeaders(nil), Value: value}
	if env.ShipmentID != "" {
		r.Key = []byte(env.ShipmentID)
	}
	env.ChainHash = events.ChainStart(events.Hash{}, topic, 3).Next(topic, 3, r).Head
	r.Headers = env.AppendUnchained(r.Headers)
	return r
}

// Fill sets every field of a message. Lists get two elements.
func Fill(m protoreflect.Message) {
	fds := m.Descriptor().Fields()
	for i := range fds.Len() {
		fd := fds.Get(i)
		switch {
		case fd.IsList():
			l := m.Mutable(fd).List()
			for n := range 2 {
				if fd.Message() != nil {
					e := l.NewElement()
					Fill(e.Message())
					l.Append(e)
					continue
				}
				l.Append(scalar(fd, n+1))
			}
		case fd.Message() != nil && fd.Message().FullName() == "google.protobuf.Timestamp":
			ts := m.Mutable(fd).Message()
			ts.Set(ts.Descriptor().Fields().ByNumber(1), protoreflect.ValueOfInt64(Start.Unix()+int64(fd.Number())*3600))
			// All four lengths of a fraction occur.
			nanos := []int32{0, 120_000_000, 123_456_000, 123_456_789}[int(fd.Number())%4]
			ts.Set(ts.Descriptor().Fields().ByNumber(2), protoreflect.ValueOfInt32(nanos))
		case fd.Message() != nil:
			Fill(m.Mutable(fd).Message())
		default:
			m.Set(fd, scalar(fd, 1))
		}
	}
}

func scalar(fd protoreflect.FieldDescriptor, n int) protoreflect.Value {
	num := int(fd.Number()) + n
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(fmt.Sprintf("%s-%d", fd.Name(), n))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 0xff, byte(num)})
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(1 + num%(fd.Enum().Values().Len()-1)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(-num))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(num))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(num) << 40)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(num))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(num) + 0.125)
	default:
		panic("eventstest: no value for " + string(fd.FullName()))
	}
}
