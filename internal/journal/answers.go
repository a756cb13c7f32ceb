package journal

import (
	"context"
	"log/slog"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// answers gives callers their receipts, and resolves calls whose commit had an unknown outcome.
type answers struct {
	l       *lane
	inDoubt []*call               // In a commit of unknown outcome.
	found   map[answerID]*Receipt // Their receipts, as takeovers find them; nil until then.
}

// settled answers the inputs of a batch that is committed, and writes the log line of each.
func (a *answers) settled(b *batch) {
	m := a.l.j.metrics
	for i := range b.steps {
		s := &b.steps[i]
		s.in.settled = true
		if s.decisionRec >= 0 {
			m.decisions.WithLabelValues(outcomeLabel(s.d.Outcome)).Inc()
			m.events.Add(float64(len(s.d.Events)))
			a.countParts(s)
		}
		a.logOutcome(s)
		switch {
		case s.in.call == nil:
		case s.refused != nil:
			s.in.call.answer(Receipt{}, s.refused)
		default:
			s.in.call.answer(b.receipt(s), nil)
		}
	}
}

func (b *batch) receipt(s *step) Receipt {
	r := Receipt{ShipmentID: s.in.record.ShipmentID, Lane: b.l.id}
	if s.repeats != nil {
		a := s.repeats
		if s.sameAs >= 0 {
			a.Offset = b.offset(&b.steps[s.sameAs])
		}
		r.fill(a)
		r.Repeated = true
		return r
	}
	r.Version, r.Outcome, r.Reason, r.Message = s.last, s.d.Outcome, s.d.Reason, s.d.Message
	r.Offset = b.offset(s)
	return r
}

func (r *Receipt) fill(a *lanestore.Answer) {
	r.Version, r.Offset, r.Outcome, r.Reason, r.Message = a.Last, a.Offset, a.Outcome, a.Reason, a.Message
}

func (b *batch) offset(s *step) int64 {
	if s.eventRec >= 0 {
		return b.eventRecs[s.eventRec].Offset
	}
	return b.decisionRecs[s.decisionRec].Offset
}

// countParts counts what a notification was not recorded with.
func (a *answers) countParts(s *step) {
	a.l.j.metrics.leftOut.Add(float64(len(s.d.LeftOut)))
	if s.d.Outcome == ledgerv1.Outcome_OUTCOME_QUARANTINED && s.d.Reason == shipment.ReasonTooLarge {
		a.l.j.metrics.tooLarge.Inc()
	}
}

func (a *answers) logOutcome(s *step) {
	ctx := context.Background() // The outcome is recorded, whether or not its caller still waits.
	level, msg := slog.LevelDebug, "notification decided"
	switch {
	case s.decisionRec < 0:
		return
	case s.d.Outcome == ledgerv1.Outcome_OUTCOME_REJECTED:
		msg = "command rejected" // The program that submitted it logs it at INFO, with the caller's request.
	case s.in.call != nil:
		msg = "command accepted"
	case s.d.Outcome == ledgerv1.Outcome_OUTCOME_QUARANTINED:
		level, msg = slog.LevelWarn, "notification quarantined"
	}
	if !a.l.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("shipment_id", s.in.record.ShipmentID), slog.String("input_type", s.in.kind()),
		slog.String("outcome", outcomeLabel(s.d.Outcome)), slog.String("reason", string(s.d.Reason)),
		slog.Uint64("version", s.last), slog.String("correlation_id", s.in.record.CorrelationID),
	}
	if s.in.record.Offset != events.NoInboxOffset {
		attrs = append(attrs, slog.Int64("inbox_offset", s.in.record.Offset))
	}
	a.l.log.LogAttrs(ctx, level, msg, attrs...)
}

// pending reports whether calls are in doubt.
func (a *answers) pending() bool { return len(a.inDoubt) > 0 }

// inDoubtID names a command in doubt. The hash is part of it because the key may also have an answer to another input.
func inDoubtID(shipmentID, key string, hash events.Hash) answerID {
	return answerID{shipmentID: shipmentID, key: key + "\x00" + string(hash[:])}
}

// note remembers a decision that answers a command in doubt. After an unknown commit the store is still where it was
// before, so the takeover reads every record that the commit may have written. It reads each record only once, even if
// only a later attempt succeeds, so the answers are kept until all calls are settled.
func (a *answers) note(env *events.Envelope, d *ledgerv1.Decision, offset int64) {
	if !a.pending() {
		return
	}
	answer := lanestore.AnswerOf(d, offset)
	r := a.noted(env.ShipmentID, d.GetInputKey(), answer.Hash)
	if r == nil {
		return
	}
	at := r.Offset
	r.fill(&answer)
	if answer.Last > 0 {
		r.Offset = at // Of the event, which may have been read before.
	}
}

// noteEvent remembers where the events of a command in doubt are.
func (a *answers) noteEvent(env *events.Envelope, offset int64) {
	if !a.pending() {
		return
	}
	if env.DecisionEvent > 1 {
		return // The first event has the key.
	}
	if r := a.noted(env.ShipmentID, env.InputKey, env.InputHash); r != nil {
		r.Offset = lanestore.LastEvent(env, offset)
	}
}

func (a *answers) noted(shipmentID, key string, hash events.Hash) *Receipt {
	id := inDoubtID(shipmentID, key, hash)
	if r := a.found[id]; r != nil {
		return r
	}
	for _, c := range a.inDoubt {
		if c.key == key && c.cmd.ShipmentID == shipmentID && c.cmd.Hash == hash {
			if a.found == nil {
				a.found = map[answerID]*Receipt{}
			}
			r := &Receipt{ShipmentID: shipmentID, Lane: a.l.id}
			a.found[id] = r
			return r
		}
	}
	return nil
}

// forget drops the answers that were found, because the lane is read again from its beginning.
func (a *answers) forget() { clear(a.found) }

// settle answers the commands in doubt that were stored, and returns the others: those were certainly not stored, and
// the lane decides them again.
func (a *answers) settle() (retry []*call) {
	for _, c := range a.inDoubt {
		r := a.found[inDoubtID(c.cmd.ShipmentID, c.key, c.cmd.Hash)]
		if r == nil || r.Outcome == ledgerv1.Outcome_OUTCOME_UNSPECIFIED {
			c.state.Store(callQueued)
			retry = append(retry, c)
			continue
		}
		c.answer(*r, nil)
	}
	a.inDoubt, a.found = nil, nil
	return retry
}

// refuseInDoubt answers the calls in doubt with ErrInDoubt: the lane is given up, so this instance will not learn their
// outcomes.
func (a *answers) refuseInDoubt() {
	for _, c := range a.inDoubt {
		c.answer(Receipt{}, ErrInDoubt)
	}
	a.inDoubt, a.found = nil, nil
}
