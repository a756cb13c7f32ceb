package eventstest

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Start is when the clock of the tests starts.
var Start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) //nolint:gochecknoglobals // Go has no constants of this type.

// Lane writes the records of one lane as its owner would: with dense sequences and linked chains.
type Lane struct {
	ID        int32
	Events    events.Chain
	Decisions events.Chain
	// Now is the time of recording. It advances by a millisecond with each record.
	Now time.Time
	// Ahead is by how much Now is ahead of the clock, as after a clock that ran ahead.
	Ahead time.Duration
}

// NewLane returns an empty lane.
func NewLane(id int32) *Lane {
	return &Lane{
		ID: id, Now: Start, Events: events.ChainStart(events.Hash{}, events.TopicEvents, id),
		Decisions: events.ChainStart(events.Hash{}, events.TopicDecisions, id),
	}
}

// Rec is a record without an offset.
type Rec struct {
	Topic   string
	Lane    int32
	Key     string
	Headers []events.Header
	Value   []byte
	At      time.Time
}

// Record returns the record as package events reads it.
func (r Rec) Record() *events.Record {
	rec := &events.Record{Timestamp: r.At, Headers: r.Headers, Value: r.Value}
	if r.Key != "" {
		rec.Key = []byte(r.Key)
	}
	return rec
}

// Event returns the record of an event. It sets the time of recording in the event's state.
func (l *Lane) Event(e *ledgerv1.Event) Rec {
	return l.Forged(events.TopicEvents, e, func(*events.Envelope) {})
}

// Forged returns the record of an event in a topic, with an envelope as no writer makes it; the chain is that of the
// topic.
func (l *Lane) Forged(topic string, e *ledgerv1.Event, change func(*events.Envelope)) Rec {
	l.Now = l.Now.Add(time.Millisecond)
	e.After.UpdatedAt = timestamppb.New(l.Now)
	env := events.Envelope{
		ID: events.EventID(e.After.ShipmentId, e.After.Version), Type: events.TypeOf(e), Source: events.Source + "/test",
		ShipmentID: e.After.ShipmentId, Version: e.After.Version, OccurredAt: l.Now.Add(-time.Second),
		DecidedAt: l.Now.Add(-l.Ahead), RecordedAt: l.Now,
		SellerID: e.After.SellerId, LocationID: e.After.LocationId, InboxOffset: events.NoInboxOffset,
		AuthType: "marketplace", AuthID: "m", CorrelationID: fmt.Sprintf("c-%d-%d", l.ID, l.Events.Seq/100),
		InputKey: fmt.Sprintf("%s/%s/%d", events.ShortType(events.TypeOf(e)), e.After.ShipmentId, e.After.Version),
	}
	chain := &l.Events
	if topic == events.TopicDecisions {
		chain = &l.Decisions
	}
	env.LaneSeq = chain.Seq + 1
	change(&env)
	return l.record(topic, chain, env, e)
}

// Decision returns the record of a decision.
func (l *Lane) Decision(d *ledgerv1.Decision) Rec {
	return l.decision(events.TypeDecision, d.ShipmentId, d, func(*events.Envelope) {})
}

// ForgedDecision returns the record of a decision with an envelope as no writer makes it.
func (l *Lane) ForgedDecision(d *ledgerv1.Decision, change func(*events.Envelope)) Rec {
	return l.decision(events.TypeDecision, d.ShipmentId, d, change)
}

// Void returns the record that voids decisions.
func (l *Lane) Void(first, last int64) Rec {
	v := &ledgerv1.DecisionsVoided{FirstOffset: first, LastOffset: last, Reason: "torn"}
	return l.decision(events.TypeDecisionsVoided, "", v, func(*events.Envelope) {})
}

func (l *Lane) decision(typ, shipment string, m proto.Message, change func(*events.Envelope)) Rec {
	l.Now = l.Now.Add(time.Millisecond)
	env := events.Envelope{
		Type: typ, Source: events.Source + "/test", ShipmentID: shipment,
		OccurredAt: l.Now.Add(-time.Second), RecordedAt: l.Now,
		AuthType: "marketplace", AuthID: "m", CorrelationID: fmt.Sprintf("c-%d", l.ID), InboxOffset: events.NoInboxOffset,
	}
	env.LaneSeq = l.Decisions.Seq + 1
	env.ID = events.DecisionID(l.ID, env.LaneSeq)
	change(&env)
	return l.record(events.TopicDecisions, &l.Decisions, env, m)
}

func (l *Lane) record(topic string, chain *events.Chain, env events.Envelope, m proto.Message) Rec {
	value, err := marshal(m)
	if err != nil {
		panic(err) // Only for messages that no schema allows.
	}
	r := &events.Record{
		Timestamp: env.RecordedAt, Headers: env.AppendHeaders(make([]events.Header, 0, 20)), Value: value,
	}
	if env.ShipmentID != "" {
		r.Key = []byte(env.ShipmentID)
	}
	*chain = chain.Next(topic, l.ID, r)
	env.ChainHash = chain.Head
	return Rec{
		Topic: topic, Lane: l.ID, Key: env.ShipmentID, Headers: env.AppendUnchained(r.Headers), Value: value, At: l.Now,
	}
}

func marshal(m proto.Message) ([]byte, error) {
	if v, ok := m.(interface{ MarshalVT() ([]byte, error) }); ok {
		return v.MarshalVT()
	}
	return proto.Marshal(m)
}
