package journal

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// encoder makes the records of a batch. Their bodies and headers lie in an arena, which the next batch uses again once
// the broker has confirmed this one: a lane writes thousands of records a second, with about twenty headers each.
type encoder struct {
	arena    arena
	headers  headers
	recorded *timestamppb.Timestamp // The batch's time, shared by its decisions.
	scratch  []events.Header
	values   [][]byte // Encoded events of this step and the ones before.
	spareRec []*kgo.Record

	eventRecs    []*kgo.Record
	decisionRecs []*kgo.Record
	bodies       []*ledgerv1.Decision // Of decisionRecs.
	chains       []events.Chain       // After each event, then after each decision.
	ndecisions   int
	size         int
}

func (c *encoder) reset() {
	c.spareRec = append(append(c.spareRec, c.eventRecs...), c.decisionRecs...)
	c.arena.reset()
	c.values, c.eventRecs, c.decisionRecs = c.values[:0], c.eventRecs[:0], c.decisionRecs[:0]
	c.chains, c.bodies = c.chains[:0], c.bodies[:0]
	c.ndecisions, c.size = 0, 0
}

// record returns an empty record. It reuses the header slice of a record of the last batch.
func (c *encoder) record() *kgo.Record {
	n := len(c.spareRec)
	if n == 0 {
		return new(kgo.Record)
	}
	r := c.spareRec[n-1]
	c.spareRec = c.spareRec[:n-1]
	headers := r.Headers[:0]
	*r = kgo.Record{Headers: headers}
	return r
}

// event encodes an event and returns its size.
func (c *encoder) event(e *ledgerv1.Event) int {
	n := e.SizeVT()
	v := c.arena.take(n)
	if _, err := e.MarshalToSizedBufferVT(v); err != nil {
		// Generated code fails only on a short buffer, which would be a bug in the line above. No reader could decode the
		// record.
		panic(err)
	}
	c.values = append(c.values, v)
	return n
}

// overhead estimates what headers and key add to a record. It errs upward: a record that the broker finds too large
// costs an aborted transaction and a search by halving.
func (b *batch) overhead(in *input) int {
	r := &in.record
	return 1024 + 3*len(r.ShipmentID) + len(r.Key) + len(r.CorrelationID) + len(r.AuthID) + len(r.TraceParent) +
		len(in.cause)
}

// envelope returns the part of an envelope that all records of an input share.
func (b *batch) envelope(in *input) events.Envelope {
	r := &in.record
	return events.Envelope{
		Source: b.l.j.source, ShipmentID: r.ShipmentID, DecidedAt: in.decidedAt, RecordedAt: b.now,
		AuthType: r.AuthType, AuthID: r.AuthID, CorrelationID: r.CorrelationID, CausationID: in.cause,
		SellerID: r.SellerID, InputKey: r.Key, InputHash: r.Hash, InboxOffset: r.Offset, TraceParent: r.TraceParent,
	}
}

// eventEnvelope returns the envelope of a step's first event, but for what differs from event to event.
func (b *batch) eventEnvelope(s *step, after *shipment.State) events.Envelope {
	env := b.envelope(s.in)
	env.SellerID, env.LocationID, env.History = after.GetSellerId(), after.GetLocationId(), after.GetHistory()
	env.InputType, env.DecisionSeq = s.in.kind(), b.nextDecision()
	env.DecisionEvents = len(s.d.Events)
	env.DecisionRow = s.in.waiting != nil || s.d.Reason != "" || s.d.Message != "" || len(s.d.UnknownItems) > 0 ||
		len(s.d.LeftOut) > 0
	env.Version = s.first - 1
	return env
}

// link makes the record of a step's next event and links it into the chain. The envelope is that of the event before.
func (b *batch) link(s *step, env *events.Envelope, e *ledgerv1.Event, body []byte) {
	env.Version++
	env.DecisionEvent++
	env.ID = events.EventID(env.ShipmentID, env.Version)
	env.Type = events.TypeOf(e)
	env.OccurredAt = writable(events.At(e).GetAt())
	if env.OccurredAt.IsZero() {
		env.OccurredAt = s.in.decidedAt
	}
	s.occurred = env.OccurredAt
	rec := b.linked(events.TopicEvents, env, &b.events, body)
	b.eventRecs = append(b.eventRecs, rec)
	b.chains = append(b.chains, b.events)
	b.size += len(body) + b.overhead(s.in)
}

// writable returns a time, or zero if an envelope can't hold it.
func writable(t *timestamppb.Timestamp) time.Time {
	if t == nil || t.CheckValid() != nil {
		return time.Time{}
	}
	return t.AsTime()
}

// linked makes a record whose envelope takes the next sequence of a chain. The chain covers only part of the headers:
// it can't cover its own hash, and a trace id is not part of the ledger.
func (b *batch) linked(topic string, env *events.Envelope, chain *events.Chain, value []byte) *kgo.Record {
	r := b.record()
	r.Topic, r.Partition = topic, b.l.id
	if env.ShipmentID != "" {
		r.Key = b.arena.text(env.ShipmentID)
	}
	r.Value = value
	// The time of recording, never the time it happened: a broker refuses timestamps that lie more than an hour ahead
	// (message.timestamp.after.max.ms), and facts of the marketplace may have any.
	r.Timestamp = env.RecordedAt

	env.LaneSeq = chain.Seq + 1
	b.scratch = b.headers.chained(b.scratch[:0], env)
	*chain = chain.Next(topic, b.l.id, &events.Record{
		Key: r.Key, Timestamp: r.Timestamp, Headers: b.scratch, Value: value,
	})
	env.ChainHash = chain.Head
	b.scratch = b.headers.unchained(b.scratch, env)
	r.Headers = kafka.AppendRecordHeaders(r.Headers, b.scratch)
	return r
}

// finish writes the decisions. They come last because each names the chain head of the events of the whole batch.
func (b *batch) finish() {
	for i := range b.steps {
		s := &b.steps[i]
		if s.decisionRec < 0 {
			continue
		}
		if s.occurred.IsZero() {
			s.occurred = b.occurred(s.in)
		}
		d := b.decision(s)
		env := b.envelope(s.in)
		env.Type = events.TypeDecision
		env.OccurredAt = s.occurred
		env.ID = events.DecisionID(b.l.id, b.decisions.Seq+1)
		b.appendDecision(&env, d)
	}
}

func (b *batch) appendDecision(env *events.Envelope, d *ledgerv1.Decision) {
	v := b.arena.take(d.SizeVT())
	if _, err := d.MarshalToSizedBufferVT(v); err != nil {
		panic(err) // As in event.
	}
	b.decisionRecs = append(b.decisionRecs, b.linked(events.TopicDecisions, env, &b.decisions, v))
	b.chains = append(b.chains, b.decisions)
	b.bodies = append(b.bodies, d)
}

// holdsBody reports whether a decision holds the body of its input. The inbox is trimmed, so for an input that waits,
// is quarantined, or names items that the shipment does not have, this is the only copy that lasts.
func holdsBody(s *step) bool {
	if s.in.call != nil || s.in.bare {
		return false
	}
	return s.d.Outcome == ledgerv1.Outcome_OUTCOME_WAITING || s.d.Outcome == ledgerv1.Outcome_OUTCOME_QUARANTINED ||
		len(s.d.UnknownItems) > 0
}

// decision returns the decision about a step. If it leaves the body out, it records at least its size.
func (b *batch) decision(s *step) *ledgerv1.Decision {
	in := s.in
	d := &ledgerv1.Decision{
		Outcome: s.d.Outcome, InputKey: in.record.Key, InputType: in.kind(),
		ShipmentId: in.record.ShipmentID, SellerId: in.record.SellerID,
		FirstVersion: s.first, LastVersion: s.last,
		Reason: string(s.d.Reason), Message: clip(s.d.Message), UnknownItems: clipAll(s.d.UnknownItems),
		LeftOut:    clipList(s.d.LeftOut),
		EventsHead: b.events.Head[:], EventsLaneseq: b.events.Seq,
		RecordedAt: b.recorded, Waited: in.waiting != nil, History: s.d.State.GetHistory(),
	}
	if in.record.Hash != (events.Hash{}) {
		d.InputHash = in.record.Hash[:]
	}
	d.DecidedAt = unless(in.decidedAt, b.now)
	d.OccurredAt = b.recorded
	if !s.occurred.Equal(b.now) {
		d.OccurredAt = timestamppb.New(s.occurred)
	}
	if in.record.Offset >= 0 {
		offset := in.record.Offset
		d.InboxOffset = &offset
	}
	if holdsBody(s) {
		if len(in.record.Body) <= b.l.j.cfg.MaxDecisionBody {
			d.Body = in.record.Body
		} else {
			d.BodyBytes = uint32(len(in.record.Body))
		}
		if s.d.Outcome == ledgerv1.Outcome_OUTCOME_WAITING {
			d.SenderSellers = in.record.Sellers
			d.History = in.record.History // So that the mark survives the waiting.
		}
	} else if in.bare {
		d.BodyBytes = uint32(len(in.record.Body))
	}
	return d
}

// unless returns a time as a decision holds it, nil if it is the one that its absence stands for.
func unless(t, other time.Time) *timestamppb.Timestamp {
	if t.IsZero() || t.Equal(other) {
		return nil
	}
	return timestamppb.New(t)
}

// Limits on texts from outside: a decision that is too large could not be recorded at all.
const (
	maxMessage      = 2 << 10
	maxUnknownItems = 1000
	maxLeftOut      = 100
	maxLeftOutText  = 256
)

func clip(s string) string { return clipTo(maxMessage, s) }

func clipTo(n int, s string) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 { // Not in the middle of a character.
		n--
	}
	return s[:n]
}

func clipAll(ids []string) []string {
	if len(ids) > maxUnknownItems {
		ids = ids[:maxUnknownItems]
	}
	return ids
}

func clipList(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, min(len(list), maxLeftOut))
	for i := range out {
		out[i] = clipTo(maxLeftOutText, list[i])
	}
	return out
}
