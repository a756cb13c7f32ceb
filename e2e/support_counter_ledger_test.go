package e2e

import (
	"maps"
	"slices"
	"strings"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// reasonRepeated is the reason of decisions about a notification whose key was decided before.
const reasonRepeated = "repeated_key"

// readLedger decodes both topics as an auditor would and checks each record against the one before: the chains are
// whole, the sequences and versions dense, every state is the fold of its events, and every decision names the head of
// the events that it was made with.
func (e *evidence) readLedger(v *verdict) *ledger {
	l := &ledger{states: map[string]*ledgerv1.Shipment{}}
	heads := map[int32][]events.Hash{} // By lane, the head after each event.
	for _, lane := range slices.Sorted(maps.Keys(e.events)) {
		chain := events.ChainStart(e.layout.Hash(), events.TopicEvents, lane)
		heads[lane] = []events.Hash{chain.Head}
		for _, r := range e.events[lane] {
			env, event, err := events.Decode(kafka.EventRecord(r))
			if err != nil {
				v.add("event", "lane %d offset %d: %v", lane, r.Offset, err)
				continue
			}
			chain = chain.Next(events.TopicEvents, lane, kafka.EventRecord(r))
			v.check(chain.Seq == env.LaneSeq, "laneseq", "lane %d offset %d: %d, want %d", lane, r.Offset, env.LaneSeq, chain.Seq)
			v.check(chain.Head == env.ChainHash, "chain", "events of lane %d break at offset %d", lane, r.Offset)
			heads[lane] = append(heads[lane], chain.Head)
			v.check(events.Lane(env.ShipmentID, e.lanes) == lane, "lane", "%s is in lane %d", env.ID, lane)
			before := l.states[env.ShipmentID]
			v.check(env.Version == before.GetVersion()+1, "version", "%s follows version %d", env.ID, before.GetVersion())
			v.check(shipment.Evolve(before, event).EqualVT(event.GetAfter()), "fold", "%s is not the fold of its events", env.ID)
			l.states[env.ShipmentID] = event.GetAfter()
			l.events = append(l.events, ledgerEvent{lane, r, env, event})
		}
	}
	e.readDecisions(v, l, heads)
	return l
}

func (e *evidence) readDecisions(v *verdict, l *ledger, heads map[int32][]events.Hash) {
	for _, lane := range slices.Sorted(maps.Keys(e.decisions)) {
		chain := events.ChainStart(e.layout.Hash(), events.TopicDecisions, lane)
		for _, r := range e.decisions[lane] {
			env, d, voided, err := events.DecodeDecision(kafka.EventRecord(r))
			if err != nil {
				v.add("decision", "lane %d offset %d: %v", lane, r.Offset, err)
				continue
			}
			chain = chain.Next(events.TopicDecisions, lane, kafka.EventRecord(r))
			v.check(chain.Seq == env.LaneSeq, "decisionseq", "lane %d offset %d: %d, want %d", lane, r.Offset, env.LaneSeq, chain.Seq)
			v.check(chain.Head == env.ChainHash, "chain", "decisions of lane %d break at offset %d", lane, r.Offset)
			if voided != nil {
				v.add("voided", "lane %d voids offsets %d to %d, which only an embedded broker may need", lane, voided.GetFirstOffset(), voided.GetLastOffset())
				continue
			}
			seq := d.GetEventsLaneseq()
			known := seq < uint64(len(heads[lane])) && string(d.GetEventsHead()) == string(heads[lane][seq][:])
			v.check(known || seq == 0, "head", "decision %s names a head of events that is not in lane %d", env.ID, lane)
			l.decisions = append(l.decisions, ledgerDecision{lane, r, env, d})
		}
	}
}

// countPromises checks that the ledger kept the promise of every answer, and decided nothing that nobody sent.
func (e *evidence) countPromises(v *verdict, l *ledger) {
	for _, wrong := range e.clients.violations {
		v.add("answer", "%s", wrong)
	}
	byInput := map[inputID][]*ledgerDecision{}
	byKey := map[string][]*ledgerDecision{}
	byOffset := map[int32]map[int64][]*ledgerDecision{}
	for i := range l.decisions {
		d := &l.decisions[i]
		byInput[d.id()] = append(byInput[d.id()], d)
		byKey[unsplit(d.env.InputKey)] = append(byKey[unsplit(d.env.InputKey)], d)
		if at := d.decision.InboxOffset; at != nil {
			if byOffset[d.lane] == nil {
				byOffset[d.lane] = map[int64][]*ledgerDecision{}
			}
			byOffset[d.lane][*at] = append(byOffset[d.lane][*at], d)
		}
	}
	for id, all := range byInput {
		countInput(v, id, all)
	}
	e.countInbox(v, byOffset)
	for _, n := range e.clients.notifications {
		if n.unresolved {
			v.check(len(byKey[n.key]) > 0, "notification lost", "%s has no decision", n.key)
			continue
		}
		v.check(len(byOffset[n.lane][n.inboxOffset]) > 0, "notification lost", "%s at %d of lane %d has no decision", n.key, n.inboxOffset, n.lane)
		v.check(len(byKey[unsplit(n.key)]) > 0, "notification lost", "%s has no decision", n.key)
	}
	e.countAnswers(v, l, byInput)
	for id, want := range e.clients.endings {
		state := l.states[id]
		var cancelled uint32
		for _, item := range state.GetItems() {
			cancelled += cancelledUnits(item)
		}
		got := ending{strings.TrimPrefix(state.GetStatus().String(), "STATUS_"), cancelled}
		v.check(got == want, "ending", "%s ended as %v, want %v", id, got, want)
	}
}

// unsplit returns the key of a return's notification before it was split by shipment: type/return@shipment/time/hash.
func unsplit(key string) string {
	head, tail, found := strings.Cut(key, "@")
	if !found {
		return key
	}
	_, tail, _ = strings.Cut(tail, "/")
	return head + "/" + tail
}

// countInput checks that a key was decided once for a shipment: it has one first decision, at most one that ends its
// waiting, and any others say that they are repeats.
func countInput(v *verdict, id inputID, all []*ledgerDecision) {
	if id.key == "" {
		return
	}
	var first *ledgerDecision
	ended := 0
	for _, d := range all {
		switch {
		case d.decision.GetReason() == reasonRepeated:
		case d.decision.GetWaited():
			ended++
		case first != nil:
			v.add("decided twice", "%s of %s: %s and %s", id.key, id.shipment, first.env.ID, d.env.ID)
		default:
			first = d
		}
	}
	if first == nil {
		v.add("never decided", "%s of %s has %d decisions, none of them the first", id.key, id.shipment, len(all))
		return
	}
	open := maySecondDecisionFollow(first.decision)
	v.check(ended == 0 || ended == 1 && open, "decided twice", "%s of %s: its waiting ended %d times after %s", id.key, id.shipment, ended, first.decision.GetOutcome())
}

// countInbox checks that every record of the inbox was decided once, or twice if it waited.
func (e *evidence) countInbox(v *verdict, byOffset map[int32]map[int64][]*ledgerDecision) {
	for _, lane := range slices.Sorted(maps.Keys(e.inbox)) {
		for _, r := range e.inbox[lane] {
			all := byOffset[lane][r.Offset]
			switch {
			case len(all) == 0:
				v.add("inbox record lost", "lane %d offset %d has no decision", lane, r.Offset)
			case len(all) == 2 && !all[0].decision.GetWaited() && all[1].decision.GetWaited():
			case len(all) > 1:
				v.add("decided twice", "inbox of lane %d offset %d has %d decisions", lane, r.Offset, len(all))
			}
		}
	}
}

// positive are the outcomes that a caller gets as a success.
var positive = []ledgerv1.Outcome{
	ledgerv1.Outcome_OUTCOME_ACCEPTED, ledgerv1.Outcome_OUTCOME_APPLIED, ledgerv1.Outcome_OUTCOME_DUPLICATE,
}

// countAnswers compares the answers that callers got with the ledger.
func (e *evidence) countAnswers(v *verdict, l *ledger, byInput map[inputID][]*ledgerDecision) {
	answers := map[inputID]callAnswer{}
	atOffset := map[int32]map[int64]*ledgerEvent{}
	byEventKey := map[inputID]int{}
	for i := range l.events {
		ev := &l.events[i]
		if atOffset[ev.lane] == nil {
			atOffset[ev.lane] = map[int64]*ledgerEvent{}
		}
		atOffset[ev.lane][ev.record.Offset] = ev
		byEventKey[inputID{ev.env.InputKey, ev.env.ShipmentID}]++
	}
	for _, o := range e.clients.answers {
		id := inputID{o.key, o.shipment}
		if before, again := answers[id]; again {
			v.check(before.ok == o.ok && before.code == o.code, "answer changed", "%s of %s: %t %s, then %t %s", o.key, o.shipment, before.ok, before.code, o.ok, o.code)
		}
		answers[id] = o
		all := byInput[id]
		if o.code == codeNotStored {
			v.check(len(all) == 0, "not stored", "%s of %s was answered as not stored and has %d decisions", o.key, o.shipment, len(all))
			continue
		}
		if len(all) != 1 {
			v.add("command lost", "%s of %s was answered (ok %t) and has %d decisions", o.key, o.shipment, o.ok, len(all))
			continue
		}
		d := all[0].decision
		yes := slices.Contains(positive, d.GetOutcome())
		v.check(yes == o.ok, "answer", "%s of %s was answered with ok %t %s and decided %s", o.key, o.shipment, o.ok, o.code, d.GetOutcome())
		produced := 0
		if d.GetLastVersion() > 0 {
			produced = int(d.GetLastVersion() - d.GetFirstVersion() + 1)
		}
		v.check(byEventKey[id] == produced, "events of a command", "%s of %s: %d, its decision says %d", o.key, o.shipment, byEventKey[id], produced)
		if at, named := o.position[all[0].lane]; named && produced > 0 {
			ev := atOffset[all[0].lane][at]
			v.check(ev != nil && ev.env.InputKey == o.key, "position", "%s of %s: no event of it at %d of lane %d", o.key, o.shipment, at, all[0].lane)
		}
		v.check(!o.ok || produced == 0 || len(o.position) > 0, "position", "%s of %s has events and its answer has no position", o.key, o.shipment)
	}
	for id, all := range byInput {
		if strings.HasPrefix(id.key, "seller/") {
			v.check(e.clients.tried[id.key], "never sent", "%s of %s has %d decisions", id.key, id.shipment, len(all))
		}
	}
}
