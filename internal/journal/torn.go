package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The embedded broker ends a transaction partition by partition, so a kill can leave the last one of a lane in part.
// Events without their decisions stand, and the decisions are written. Decisions without their events are void, and a
// record names them to every reader. On Apache Kafka neither can happen.

// errRepaired says that the repair wrote records that the lane has not replayed yet.
var errRepaired = errors.New("a torn transaction was repaired")

// voids returns the ranges of void decisions in the part of the topic that is still to be read. They have to be known
// in advance, because the record that voids a batch comes after it. If there can be none, it returns nil without
// reading: the topic would be read twice for nothing.
func (t *takeover) voids(ctx context.Context, end int64) ([]span, error) {
	if !t.l.j.cfg.Embedded && !t.voidsKnown {
		return nil, nil
	}
	pos := &t.l.store.Meta().Decisions
	voids := []span{}
	err := t.l.j.topics.scan(ctx, events.TopicDecisions, t.l.id, pos.From(), end, func(rec *kgo.Record) error {
		if rec.Offset < pos.Next || !hasType(rec, events.TypeDecisionsVoided) {
			return nil
		}
		v := new(ledgerv1.DecisionsVoided)
		if err := v.UnmarshalVT(rec.Value); err != nil {
			return fmt.Errorf("%w: %s lane %d offset %d: %w", ErrDamaged, rec.Topic, t.l.id, rec.Offset, err)
		}
		if v.GetFirstOffset() < pos.Next {
			return fmt.Errorf("%w: it holds decisions that are void", errStale)
		}
		voids = append(voids, span{v.GetFirstOffset(), v.GetLastOffset() + 1})
		return nil
	})
	return voids, err
}

func hasType(rec *kgo.Record, ceType string) bool {
	return slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool {
		return h.Key == events.HeaderType && string(h.Value) == ceType
	})
}

func isVoid(voids []span, offset int64) bool {
	return slices.ContainsFunc(voids, func(v span) bool { return offset >= v.start && offset < v.end })
}

// reconcile compares the last decision with the last event, and repairs the lane if the last transaction is torn. Each
// decision names the laneseq and chain head of the events of its batch, so the two topics are whole if the last
// decision names the last event.
func (t *takeover) reconcile(ctx context.Context, tail decisionTail, orphans []events.Envelope, fresh bool) error {
	m := t.l.store.Meta()
	have, decided := m.Events.Seq, m.DecidedSeq
	switch {
	case have == decided:
		if have > 0 && m.DecidedHead != m.Events.Head {
			return fmt.Errorf("%w: events and decisions disagree about the chain head at laneseq %d", ErrDamaged, have)
		}
		return nil
	case !t.l.j.cfg.Embedded:
		return fmt.Errorf("%w: events end at laneseq %d, decisions at %d", ErrDamaged, have, decided)
	case have > decided:
		if uint64(len(orphans)) != have-decided {
			return fmt.Errorf("%w: it holds events without their decisions", errStale)
		}
		return t.restore(ctx, orphans)
	case !fresh:
		// The store has applied them, and a batch can't be taken out of it again.
		return fmt.Errorf("%w: it holds decisions without their events", errStale)
	case tail.laneseq != decided || tail.before > have || tail.first < 0:
		return fmt.Errorf("%w: more than one batch of decisions lost its events", ErrDamaged)
	}
	return t.void(ctx, &tornError{tail.first, tail.last})
}

// void records that a batch of decisions does not count. It voids the whole batch, because each decision may build on
// events of the ones before, which are lost.
func (t *takeover) void(ctx context.Context, torn *tornError) error {
	b := t.l.commits.newBatch()
	v := &ledgerv1.DecisionsVoided{
		FirstOffset: torn.first, LastOffset: torn.last, Reason: "their events were lost when the broker died",
	}
	body, err := v.MarshalVT()
	if err != nil {
		return err
	}
	env := events.Envelope{
		Source: t.l.j.source, Type: events.TypeDecisionsVoided, ID: events.DecisionID(t.l.id, b.decisions.Seq+1),
		RecordedAt: b.now, AuthType: authSystem, InboxOffset: events.NoInboxOffset,
	}
	b.decisionRecs = append(b.decisionRecs, b.linked(events.TopicDecisions, &env, &b.decisions, body))
	if err := t.l.writer.commit(b); err != nil { //nolint:contextcheck // A transaction in hand is ended when ctx ends.
		return fmt.Errorf("void torn decisions: %w", err)
	}
	t.l.j.metrics.repaired.WithLabelValues("voided").Add(float64(torn.last - torn.first + 1))
	t.l.log.WarnContext(ctx, "torn transaction voided",
		slog.Int64("first_offset", torn.first), slog.Int64("last_offset", torn.last))
	// The store has applied them, so it is built again.
	return fmt.Errorf("%w: %w", errStale, torn)
}

// authSystem is the actor of records that no input caused.
const authSystem = "system"

// restore writes the decisions that were lost, from the headers of their events.
func (t *takeover) restore(ctx context.Context, orphans []events.Envelope) error {
	b := t.l.commits.newBatch()
	for i := 0; i < len(orphans); {
		n := i + 1
		for n < len(orphans) && orphans[n].DecisionEvent > 1 {
			n++
		}
		d, err := t.restored(b, &orphans[i], &orphans[n-1])
		if err != nil {
			return err
		}
		env := orphans[i]
		env.Type, env.ID, env.Version = events.TypeDecision, events.DecisionID(t.l.id, b.decisions.Seq+1), 0
		env.RecordedAt = b.now
		b.appendDecision(&env, d)
		i = n
	}
	if err := t.l.writer.commit(b); err != nil { //nolint:contextcheck // A transaction in hand is ended when ctx ends.
		return fmt.Errorf("restore lost decisions: %w", err)
	}
	t.l.j.metrics.repaired.WithLabelValues("restored").Add(float64(len(b.decisionRecs)))
	t.l.log.WarnContext(ctx, "lost decisions restored",
		slog.Int("decisions", len(b.decisionRecs)), slog.Int("events", len(orphans)))
	t.l.commits.spare = b
	return errRepaired
}

// restored returns the decision about an input that gave the events from first to last. Its outcome, reason and message
// are lost; that it gave events says enough.
func (t *takeover) restored(b *batch, first, last *events.Envelope) (*ledgerv1.Decision, error) {
	state, err := t.l.store.State(first.ShipmentID)
	if err != nil {
		return nil, &lostError{err: err, store: true}
	}
	d := &ledgerv1.Decision{
		Outcome: ledgerv1.Outcome_OUTCOME_ACCEPTED, InputKey: first.InputKey, InputHash: first.InputHash[:],
		InputType: first.InputType, History: first.History, ShipmentId: first.ShipmentID, SellerId: state.GetSellerId(),
		FirstVersion: first.Version, LastVersion: last.Version, Reason: string(ReasonRestored),
		EventsHead: b.events.Head[:], EventsLaneseq: b.events.Seq,
		OccurredAt: timestamppb.New(last.OccurredAt), DecidedAt: unless(first.DecidedAt, b.now),
		RecordedAt: timestamppb.New(b.now),
	}
	if first.InboxOffset >= 0 {
		offset := first.InboxOffset
		d.Outcome, d.InboxOffset = ledgerv1.Outcome_OUTCOME_APPLIED, &offset
		// An inbox record below the position had a decision before: it waited.
		d.Waited = offset < t.l.store.Meta().Inbox
	}
	return d, nil
}
