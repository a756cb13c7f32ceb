package projector

import (
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/deadletter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/projections"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// batch holds the rows of a contiguous range of one partition, in columns that the next batch reuses. One goroutine
// fills and writes it. It has more fields than most structs here because it has one per table.
type batch struct {
	events    *eventTable
	decisions *table[projections.DecisionRow]
	voids     *table[projections.VoidRow]
	shipments *table[shipmentRow]
	items     *table[projections.ItemRow]
	services  *table[projections.ServiceRow]
	returns   *table[projections.ReturnRow]
	clocks    *table[projections.ClockRow]
	letters   *table[deadletter.Letter]

	// dead holds the dead letters once more, for the topic.
	dead []deadletter.Letter
	// latest is the index in states of each shipment of the batch.
	latest map[string]int
	states []state

	// historyOnly leaves the state tables out, for benchmarks.
	historyOnly bool

	record      events.Record
	itemRows    []projections.ItemRow
	serviceRows []projections.ServiceRow
	returnRows  []projections.ReturnRow
	clockRows   []projections.ClockRow
}

// state is the last state of a shipment within a batch.
type state struct {
	record *kgo.Record
	after  []byte
}

func newBatch() *batch {
	return &batch{
		events: newEventTable(), decisions: newDecisionTable(), voids: newVoidTable(), shipments: newShipmentTable(),
		items: newItemTable(), services: newServiceTable(), returns: newReturnTable(), clocks: newClockTable(),
		letters: newLetterTable(), latest: map[string]int{},
	}
}

// write is one insert of a batch.
type write struct {
	table *clickhouse.Table
	// history marks a table whose repeated rows would count twice: it has no version by which ClickHouse could keep one.
	history bool
}

// writes lists the inserts of a batch. The history comes first so that a reader who joins a state with its event finds
// one; completeness and repetition need no order.
func (b *batch) writes() []write {
	return []write{
		{&b.events.Table, true},
		{&b.decisions.Table, true},
		{&b.voids.Table, false},
		{&b.shipments.Table, false},
		{&b.items.Table, false},
		{&b.services.Table, false},
		{&b.returns.Table, false},
		{&b.clocks.Table, false},
		{&b.letters.Table, false},
	}
}

// empty reports whether the batch has no row for any table.
func (b *batch) empty() bool {
	for _, w := range b.writes() {
		if w.table.Rows() > 0 {
			return false
		}
	}
	return true
}

func (b *batch) reset() {
	for _, w := range b.writes() {
		w.table.Reset()
	}
	b.dead = b.dead[:0]
	clear(b.latest)
	clear(b.states)
	b.states = b.states[:0]
	b.events.row = projections.EventRow{}
}

// token identifies an insert. A worker that takes over and writes the same records uses the same token, so ClickHouse
// drops the repetition. State rows also depend on the version of the code: without it, ClickHouse would drop the rows
// of new code that replays old records.
func (w write) token(topic string, partition int32, i intent) string {
	t := fmt.Sprintf("%s:%d:%d-%d", topic, partition, i.first, i.last)
	if !w.history {
		t += ":v" + strconv.Itoa(projections.Version)
	}
	return t
}

// fill adds the rows of records. It returns the intent of the batch and how many records it took, at least one.
//
// It stops where the month of recording changes: a history is partitioned by month, and only an insert into one
// partition is one part, which ClickHouse stores whole or not at all. With whole set it does not stop, because the
// previous worker has cut the batch already. Records up to historyEnd have their history rows.
func (b *batch) fill(position, historyEnd int64, records []*kgo.Record, whole bool) (intent, int) {
	b.reset()
	in := intent{first: position, history: -1}
	month := 0
	n := 0
	for _, r := range records {
		if !r.Attrs.IsControl() {
			if !whole {
				m := projections.Month(projections.RecordedAt(r.Timestamp))
				if month != 0 && m != month {
					break
				}
				month = m
			}
			b.add(r, historyEnd, &in)
		}
		in.last = r.Offset
		n++
	}
	b.fold()
	return in, n
}

// add adds the history row of a record and remembers its state, or dead-letters it.
func (b *batch) add(r *kgo.Record, historyEnd int64, in *intent) {
	var err error
	kafka.ReadEventRecord(&b.record, r)
	switch r.Topic {
	case events.TopicEvents:
		err = b.addEvent(r, historyEnd)
	case events.TopicDecisions:
		err = b.addDecision(r, historyEnd, in)
	default:
		err = fmt.Errorf("topic %s has no projection", r.Topic)
	}
	if err != nil {
		b.deadLetter(r, err)
		return
	}
	if r.Topic == events.TopicEvents {
		in.history = r.Offset
	}
}

// addEvent adds the history row of an event and remembers its state for fold.
func (b *batch) addEvent(r *kgo.Record, historyEnd int64) error {
	row := &b.events.row
	if err := row.Read(r.Partition, r.Offset, &b.record); err != nil {
		return err
	}
	if r.Offset > historyEnd {
		if err := b.events.add(r.Value); err != nil {
			return err
		}
	}
	if b.historyOnly {
		return nil
	}
	// Only the state after the last event of a shipment counts; unmarshaling and inserting the earlier ones would be the
	// greater part of the work.
	s := state{record: r, after: row.After}
	if i, ok := b.latest[string(row.ShipmentID)]; ok {
		b.states[i] = s
		return nil
	}
	b.latest[string(row.ShipmentID)] = len(b.states)
	b.states = append(b.states, s)
	return nil
}

// addDecision adds the history row of a decision, or the row of a record that voids decisions. A record that voids has
// no row in the history, so it does not advance the intent's history offset.
func (b *batch) addDecision(r *kgo.Record, historyEnd int64, in *intent) error {
	env, d, void, err := events.DecodeDecision(&b.record)
	switch {
	case err != nil:
		return err
	case void != nil:
		b.voids.add(projections.Void(r.Partition, r.Offset, env, void))
		return nil
	}
	in.history = r.Offset
	if r.Offset > historyEnd {
		b.decisions.add(projections.Decision(r.Partition, r.Offset, env, d))
	}
	return nil
}

// fold adds the state rows of the batch, from the last state of each shipment.
func (b *batch) fold() {
	for _, s := range b.states {
		after := new(ledgerv1.Shipment)
		if err := after.UnmarshalVT(s.after); err != nil {
			// AppendJSON decoded the same bytes for the history. If this fails anyway, a dead letter makes it visible.
			b.deadLetter(s.record, err)
			continue
		}
		b.shipments.add(shipmentRow{projections.Shipment(after), s.record.Partition, s.after})
		b.itemRows = projections.AppendItems(b.itemRows[:0], after)
		b.items.add(b.itemRows...)
		b.serviceRows = projections.AppendServices(b.serviceRows[:0], after)
		b.services.add(b.serviceRows...)
		b.returnRows = projections.AppendReturns(b.returnRows[:0], after)
		b.returns.add(b.returnRows...)
		b.clockRows = projections.AppendClocks(b.clockRows[:0], after)
		b.clocks.add(b.clockRows...)
	}
}

// deadLetter adds a record to the dead letters: a record that can't be decoded must not stop its partition.
func (b *batch) deadLetter(r *kgo.Record, reason error) {
	l := deadletter.Of(r, reason.Error(), time.Now())
	b.dead = append(b.dead, l)
	b.letters.add(l)
}
