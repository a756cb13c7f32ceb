package journal

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// batch is a transaction in the making: the decisions about its inputs, taken against an overlay that later inputs of
// the same batch see, and their records. Nothing of the lane changes before the commit is confirmed, so an abort only
// drops the batch.
type batch struct {
	l *lane
	times

	events, decisions events.Chain // After the records made so far.

	steps   []step
	states  map[string]*shipment.State
	answers map[answerID]int // Key → the step that answered it, -1 if it no longer does.
	waiting map[string][]*heldInput
	tallies map[string]lanestore.Tally   // How many inputs wait, as far as the batch has looked.
	senders map[senderID]lanestore.Tally // The same by sender.
	loaded  map[uint64]*InboxRecord      // The content of inputs that wait, by the decisionseq.
	ended   map[int64]bool               // Inbox offsets whose waiting ended in this batch.

	inboxNext int64 // Position after this batch.

	probe lanestore.Probe // Open while inputs are decided.

	more string // A shipment for which more inputs wait than the batch holds; they are decided before anything else.

	encoder
}

// answerID names what a decision answers: a key of a shipment, or, while its input waits, the key of one sender.
type answerID struct {
	shipmentID, key string
	sender          lanestore.Sender // Zero for an answer for good.
}

// step is one input and its decision.
type step struct {
	in *input
	d  shipment.Decision
	// repeats is the answer given before; the step then has no decision of its own (commands only).
	repeats *lanestore.Answer
	// refused is why the step has no decision at all, which nothing records (commands only).
	refused error
	// sameAs is the step of this batch that gave the answer, -1 when it is older.
	sameAs int

	first, last uint64 // Versions of its events; 0 for none.
	eventRec    int    // Index of the last event's record, -1 for none.
	decisionRec int    // Index of the decision's record, -1 if the input has none of its own.
	occurred    time.Time
}

// newBatch returns an empty batch that starts at the store's position. It takes the memory of the last batch: a lane
// decides thousands of inputs a second, and new maps and buffers for each batch caused most of the garbage collector's
// work.
func (c *committer) newBatch() *batch {
	l, b := c.l, c.spare
	c.spare = nil
	if b == nil {
		b = &batch{
			l: l, states: map[string]*shipment.State{}, answers: map[answerID]int{},
			waiting: map[string][]*heldInput{}, tallies: map[string]lanestore.Tally{},
			senders: map[senderID]lanestore.Tally{}, ended: map[int64]bool{},
		}
	}
	b.steps = b.steps[:0]
	clear(b.states)
	clear(b.answers)
	clear(b.waiting)
	clear(b.tallies)
	clear(b.senders)
	b.loaded = nil
	clear(b.ended)
	b.encoder.reset()
	m := l.store.Meta()
	b.events, b.decisions = m.Events.Chain(), m.Decisions.Chain()
	b.inboxNext, b.more = l.inboxNext, ""
	b.times = timesAt(l.j.deps.Now(), m.RecordedMs)
	l.intake.clock = max(l.intake.clock, b.wall.UnixMilli())
	b.recorded = timestamppb.New(b.now)
	b.headers.begin(&b.arena, l.j.source)
	return b
}

// build decides inputs until the batch is full, and returns how many it took.
func (b *batch) build(inputs []*input) (n int, err error) {
	defer func() { err = errors.Join(err, b.probe.Close()) }()
	if inputs, err = b.loadWaiting(inputs); err != nil {
		return 0, err
	}
	for i, in := range inputs {
		if i > 0 && b.size >= b.l.j.cfg.MaxBatchBytes {
			b.finish()
			return i, nil
		}
		if err := b.add(in); err != nil {
			return 0, err
		}
		if b.more != "" {
			b.finish()
			return i + 1, nil
		}
	}
	b.finish()
	return len(inputs), nil
}

func (b *batch) add(in *input) error {
	given, err := b.step(in)
	if err != nil || given == 0 || in.waiting != nil || in.noExpand {
		return err
	}
	// Inputs that waited for this shipment, or for its new state, are applied at once and in order: a later input of the
	// same shipment must not overtake them.
	waiting, err := b.waitingFor(in.record.ShipmentID)
	if err != nil {
		return err
	}
	for i, w := range waiting {
		if w.record == nil || i >= b.l.j.cfg.MaxBatch || i > 0 && b.size >= b.l.j.cfg.MaxBatchBytes {
			b.more = in.record.ShipmentID
			return nil
		}
		if _, err := b.step(b.l.waitingInput(w, false)); err != nil {
			return err
		}
	}
	return nil
}

// step decides one input and returns how many events it gave.
func (b *batch) step(in *input) (int, error) {
	s := step{in: in, sameAs: -1, decisionRec: -1, eventRec: -1}
	fromInbox := in.call == nil && in.waiting == nil
	if fromInbox {
		if in.record.Offset < b.l.inboxNext || b.l.ahead[in.record.Offset] {
			// The ledger already has its decision: that of a record ahead of the position was restored from its events.
			b.inboxNext = max(b.inboxNext, in.record.Offset+1)
			b.steps = append(b.steps, s)
			return 0, nil
		}
		b.inboxNext = max(b.inboxNext, in.record.Offset+1)
	}
	in.decidedAt = b.l.decider.timeOf(in.record.SellerID, b.wall)
	repeated, err := b.repeat(&s)
	if err != nil {
		return 0, err
	}
	if repeated {
		if s.repeats == nil && s.refused == nil {
			b.decided(s)
		} else {
			b.steps = append(b.steps, s)
		}
		return 0, nil
	}
	state, err := b.state(in.record.ShipmentID)
	if err != nil {
		return 0, err
	}
	s.d = b.l.decider.run(in, state, b.times)
	if s.d.Outcome == ledgerv1.Outcome_OUTCOME_WAITING {
		if in.waiting != nil {
			return 0, nil // It still waits, and needs no second decision that says so.
		}
		if err := b.hold(&s); err != nil {
			return 0, err
		}
	}
	if len(s.d.Events) > 0 {
		if err := b.write(&s, state); err != nil {
			return 0, err
		}
	}
	n := len(s.d.Events)
	b.decided(s)
	return n, nil
}

// decided adds a step that has a decision of its own.
func (b *batch) decided(s step) {
	in := s.in
	if in.waiting != nil {
		b.ended[in.waiting.Inbox] = true
	}
	b.size += 512 + len(s.d.Message)
	if holdsBody(&s) {
		b.size += lanestore.HeldBytes(in.record.Body, in.record.Sellers)
	}
	s.decisionRec = b.ndecisions
	b.ndecisions++
	if key := in.record.Key; key != "" && s.d.Reason != ReasonRepeated && s.d.Reason != shipment.CodeIdempotencyKeyReused {
		id := answerID{shipmentID: in.record.ShipmentID, key: key}
		switch {
		case lanestore.IsAnswer(s.d.Outcome, s.d.Reason):
			b.answers[id] = len(b.steps)
		case s.d.Outcome == ledgerv1.Outcome_OUTCOME_WAITING:
			id.sender = in.sender()
			b.answers[id] = len(b.steps)
		case in.waiting != nil:
			id.sender = in.sender()
			b.answers[id] = -1
		}
	}
	accepted := s.d.Outcome == ledgerv1.Outcome_OUTCOME_ACCEPTED && s.last > 0
	if in.call != nil && accepted && lanestore.Keyless(in.record.Key) {
		b.answers[answerID{shipmentID: in.record.ShipmentID, key: lanestore.LastCall}] = len(b.steps)
	}
	b.steps = append(b.steps, s)
}

// state returns the latest state of a shipment as this batch sees it, nil when it is not known. It looks in the
// overlay, the cache and the store: the cheapest first.
func (b *batch) state(id string) (*shipment.State, error) {
	if s, ok := b.states[id]; ok {
		return s, nil
	}
	if raw, ok := b.l.cache.Get(id); ok {
		return lanestore.DecodeState(id, raw)
	}
	raw, ok, err := b.probe.State(b.l.store, id)
	if err != nil || !ok {
		return nil, err
	}
	b.l.cache.Put(id, raw)
	return lanestore.DecodeState(id, raw)
}

// write encodes the events of a step and updates the overlay. Events too large for a record turn the step into a
// refusal.
func (b *batch) write(s *step, before *shipment.State) error {
	start := len(b.values)
	for _, e := range s.d.Events {
		if n := b.event(e); n > b.l.j.cfg.MaxRecordBytes-b.overhead(s.in) {
			b.values = b.values[:start]
			s.d = s.in.refuse(shipment.ReasonTooLarge, fmt.Sprintf("an event of %d bytes would be too large to be recorded", n))
			return nil
		}
	}
	s.first = before.GetVersion() + 1
	s.last = before.GetVersion() + uint64(len(s.d.Events))
	state := s.d.Events[len(s.d.Events)-1].GetAfter()
	env := b.eventEnvelope(s, state)
	for i, e := range s.d.Events {
		b.link(s, &env, e, b.values[start+i])
	}
	s.eventRec = len(b.eventRecs) - 1
	b.states[s.in.record.ShipmentID] = state
	return nil
}

func (b *batch) nextDecision() uint64 { return b.decisions.Seq + uint64(b.ndecisions) + 1 }

// records calls fn for the records of the transaction: the events, then the decisions about them.
func (b *batch) records(fn func(*kgo.Record)) {
	for i := range b.eventRecs {
		fn(b.eventRecs[i])
	}
	for i := range b.decisionRecs {
		fn(b.decisionRecs[i])
	}
}

// store puts the records of a committed batch, which have their offsets now, into a change of the store. It is the same
// change that a takeover makes when it reads these records from the topics.
func (b *batch) store(sb *lanestore.Batch) error {
	rec := 0
	for i := range b.steps {
		s := &b.steps[i]
		for ; s.eventRec >= 0 && rec <= s.eventRec; rec++ {
			env := b.envelope(s.in)
			env.DecisionEvents = int(s.last - s.first + 1)
			env.DecisionEvent = env.DecisionEvents - (s.eventRec - rec)
			r := b.eventRecs[rec]
			after, err := events.RawAfter(r.Value)
			if err == nil {
				err = sb.Event(&env, after, r.Offset, b.chains[rec])
			}
			if err != nil {
				return err
			}
			if rec == s.eventRec {
				b.l.cache.Put(env.ShipmentID, after)
			}
		}
	}
	for i := range b.steps {
		s := &b.steps[i]
		if s.decisionRec < 0 {
			continue
		}
		env := b.envelope(s.in)
		chain := b.chains[len(b.eventRecs)+s.decisionRec]
		env.LaneSeq = chain.Seq
		if err := sb.Decision(&env, b.bodies[s.decisionRec], b.decisionRecs[s.decisionRec].Offset, chain); err != nil {
			return err
		}
	}
	return nil
}
