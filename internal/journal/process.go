package journal

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// culpritError says that the broker refused a record for what it is, and that the transaction was aborted.
type culpritError struct{ err error }

func (e *culpritError) Error() string { return "a record was refused: " + e.err.Error() }
func (e *culpritError) Unwrap() error { return e.err }

// process decides inputs and commits what was decided, in as many transactions as it takes. When it returns an error
// the lane is lost, and the calls that have no answer yet are kept for the next takeover.
func (l *lane) process(inputs []*input) error {
	if len(inputs) == 0 {
		return nil
	}
	err := l.processAll(inputs)
	if err != nil {
		l.giveBack(inputs)
	}
	return err
}

func (l *lane) processAll(inputs []*input) error {
	for len(inputs) > 0 {
		n, err := l.attempt(inputs)
		if culprit := (*culpritError)(nil); errors.As(err, &culprit) {
			if n == 1 {
				err = l.isolate(inputs[0], culprit)
			} else if err = l.processAll(inputs[:n/2]); err == nil {
				err = l.processAll(inputs[n/2 : n])
			}
		}
		if err != nil {
			return err
		}
		inputs = inputs[n:]
	}
	return nil
}

// isolate deals with the one input whose records the broker refuses. What waits for its shipment may be to blame, so
// the input is first tried without that; then it is quarantined, with its body and at last without.
func (l *lane) isolate(in *input, culprit *culpritError) error {
	tries := []func(){
		func() { in.noExpand = true },
		func() { in.forced = culprit.err },
		func() { in.bare = true },
	}
	for i, change := range tries {
		change()
		_, err := l.attempt([]*input{in})
		if err == nil {
			if i == 0 {
				return l.applyWaitingOf(in.record.ShipmentID)
			}
			l.log.Warn("input set aside", slog.String("shipment_id", in.record.ShipmentID),
				slog.Int64("inbox_offset", in.record.Offset), slog.Any("err", culprit.err))
			return nil
		}
		if !errors.As(err, &culprit) {
			return err
		}
	}
	return &lostError{err: culprit}
}

// attempt decides as many inputs as fit into one transaction, commits it, puts it into the store and answers. It
// returns how many inputs it took.
func (l *lane) attempt(inputs []*input) (int, error) {
	b := l.newBatch()
	n, err := b.build(inputs)
	if err != nil {
		return 0, &lostError{err: err, store: true}
	}
	began := time.Now()
	if len(b.decisionRecs) > 0 {
		err = l.owner.commit(b)
	}
	if culprit := (*culpritError)(nil); errors.As(err, &culprit) {
		l.j.metrics.batches.WithLabelValues("aborted").Inc()
		l.spare = b // The abort was confirmed: nobody holds its records any more.
		return n, err
	}
	if err != nil {
		l.j.metrics.batches.WithLabelValues("unknown").Inc()
		if unknown := (*unknownError)(nil); errors.As(err, &unknown) {
			for _, in := range inputs[:n] {
				in.inDoubt = true
			}
		}
		return n, err
	}
	if len(b.decisionRecs) > 0 {
		l.j.metrics.batches.WithLabelValues("committed").Inc()
		l.j.metrics.commit.Observe(time.Since(began).Seconds())
		l.j.metrics.inputs.Observe(float64(n))
		l.j.hooks.committed(l.id)
	}
	// From here on it is durable. A store that can't be written is built again; the answers stand.
	err = l.keep(b)
	l.j.hooks.stored(l.id)
	l.answerAll(b)
	l.spare = b
	if more := b.more; more != "" && err == nil {
		err = l.applyWaitingOf(more)
	}
	return n, err
}

// keep puts a committed batch into the store.
func (l *lane) keep(b *batch) error {
	l.inboxNext = b.inboxNext
	for offset := range l.aheadSet {
		if offset < l.inboxNext {
			delete(l.aheadSet, offset)
		}
	}
	if len(b.decisionRecs) > 0 {
		sb := l.store.begin()
		err := b.store(sb)
		if err == nil {
			sb.m.Inbox = max(sb.m.Inbox, l.inboxNext)
			err = sb.commit()
		}
		if err != nil {
			return &lostError{err: err, store: true}
		}
	}
	// Only now: who sees the position must find what was decided below it.
	l.inbox.Store(l.inboxNext)
	return nil
}

// store puts the batch's records, which have their offsets now, into a change of the store.
func (b *batch) store(sb *storeBatch) error {
	rec := 0
	for i := range b.steps {
		s := &b.steps[i]
		for ; s.eventRec >= 0 && rec <= s.eventRec; rec++ {
			env := b.envelope(s.in)
			r := b.eventRecs[rec]
			after, err := rawAfter(r.Value)
			if err == nil {
				err = sb.event(&env, after, r.Offset, b.chains[rec])
			}
			if err != nil {
				return err
			}
			if rec == s.eventRec {
				b.l.cache.put(env.ShipmentID, after)
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
		if err := sb.decision(&env, b.bodies[s.decisionRec], b.decisionRecs[s.decisionRec].Offset, chain); err != nil {
			return err
		}
	}
	return nil
}

// answerAll tells what became of the inputs, to their callers and to the log.
func (l *lane) answerAll(b *batch) {
	for i := range b.steps {
		s := &b.steps[i]
		s.in.settled = true
		if s.decisionRec >= 0 {
			l.j.metrics.decisions.WithLabelValues(outcomeLabel(s.d.Outcome)).Inc()
			l.j.metrics.events.Add(float64(len(s.d.Events)))
		}
		l.logOutcome(s)
		if s.in.call != nil {
			s.in.call.answer(b.receipt(s), nil)
		}
	}
}

func (b *batch) receipt(s *step) Receipt {
	r := Receipt{ShipmentID: s.in.record.ShipmentID, Lane: b.l.id}
	if s.repeats != nil {
		a := s.repeats
		if s.sameAs >= 0 {
			a.offset = b.offset(&b.steps[s.sameAs])
		}
		r.fill(a)
		r.Repeated = true
		return r
	}
	r.Version, r.Outcome, r.Reason, r.Message = s.last, s.d.Outcome, s.d.Reason, s.d.Message
	r.Offset = b.offset(s)
	return r
}

func (r *Receipt) fill(a *answer) {
	r.Version, r.Offset, r.Outcome, r.Reason, r.Message = a.last, a.offset, a.outcome, a.reason, a.message
}

func (b *batch) offset(s *step) int64 {
	if s.eventRec >= 0 {
		return b.eventRecs[s.eventRec].Offset
	}
	return b.decisionRecs[s.decisionRec].Offset
}

func (l *lane) logOutcome(s *step) {
	ctx := context.Background() // What is logged happened, whoever still waits for it.
	level, msg := slog.LevelDebug, "notification decided"
	switch {
	case s.decisionRec < 0:
		return
	case s.d.Outcome == ledgerv1.Outcome_OUTCOME_REJECTED:
		msg = "command rejected" // Whoever submitted it says so at INFO, with what the caller asked.
	case s.in.call != nil:
		msg = "command accepted"
	case s.d.Outcome == ledgerv1.Outcome_OUTCOME_QUARANTINED:
		level, msg = slog.LevelWarn, "notification quarantined"
	}
	if !l.log.Enabled(ctx, level) {
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
	l.log.LogAttrs(ctx, level, msg, attrs...)
}
