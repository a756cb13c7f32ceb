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

// batch is the rows of a contiguous range of one partition, in columns that are used again for the next batch. One
// goroutine fills and writes it.
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

	// dead are the letters in the table, for the topic.
	dead []deadletter.Letter
	// latest is the place in states of each shipment of the batch.
	latest map[string]int
	states []state

	// historyOnly leaves the state tables out.
	historyOnly bool

	headers     []events.Header
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
	// history says that its rows can't be told apart from their repetition.
	history bool
}

// writes lists the inserts of a batch. The history comes first only for the sake of readers who join it: no order is
// needed for the batch to be complete or repeatable.
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

// empty tells whether the batch has no row for any table.
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

// token names an insert: the same records written again by whoever takes over have the same one. Rows of state also
// depend on the version of the code.
func (w write) token(topic string, partition int32, i intent) string {
	t := topic + ":" + strconv.Itoa(int(partition)) + ":" + strconv.FormatInt(i.first, 10) + "-" + strconv.FormatInt(i.last, 10)
	if !w.history {
		t += ":v" + strconv.Itoa(projections.Version)
	}
	return t
}

// fill adds the rows of records and returns the intent of the batch and how many of the records it took: at least one.
// It stops early where the month of recording changes, because an insert into a history must be one part to land whole
// or not at all; with whole set it does not stop, because the batch was cut before. Records at or below landed have
// their history rows already.
func (b *batch) fill(position, landed int64, records []*kgo.Record, whole bool) (intent, int) {
	b.reset()
	in := intent{first: position, history: -1}
	month := 0
	n := 0
	for _, r := range records {
		if !r.Attrs.IsControl() {
			recorded, ok := b.peek(r)
			if ok && !whole {
				m := projections.Month(recorded)
				if month != 0 && m != month {
					break
				}
				month = m
			}
			b.add(r, landed, &in)
		}
		in.last = r.Offset
		n++
	}
	b.fold()
	return in, n
}

// peek reads the headers of a record and tells when it was recorded, if it can.
func (b *batch) peek(r *kgo.Record) (recorded projections.Time, ok bool) {
	b.headers = kafka.AppendEventHeaders(b.headers[:0], r)
	return projections.RecordedAt(b.headers)
}

// add adds the history row of a record and remembers its state, or sets it aside.
func (b *batch) add(r *kgo.Record, landed int64, in *intent) {
	var err error
	switch r.Topic {
	case events.TopicEvents:
		err = b.addEvent(r, landed)
	case events.TopicDecisions:
		err = b.addDecision(r, landed, in)
	default:
		err = fmt.Errorf("topic %s has no projection", r.Topic)
	}
	if err != nil {
		b.setAside(r, err)
		return
	}
	if r.Topic == events.TopicEvents {
		in.history = r.Offset
	}
}

func (b *batch) addEvent(r *kgo.Record, landed int64) error {
	row := &b.events.row
	if err := row.Read(r.Partition, r.Offset, b.headers, r.Value); err != nil {
		return err
	}
	if r.Offset > landed {
		if err := b.events.add(r.Value); err != nil {
			return err
		}
	}
	if b.historyOnly {
		return nil
	}
	// The state after the last event of a shipment makes those before it needless.
	s := state{record: r, after: row.After}
	if i, ok := b.latest[string(row.ShipmentID)]; ok {
		b.states[i] = s
		return nil
	}
	b.latest[string(row.ShipmentID)] = len(b.states)
	b.states = append(b.states, s)
	return nil
}

func (b *batch) addDecision(r *kgo.Record, landed int64, in *intent) error {
	env, d, void, err := events.DecodeDecision(b.headers, r.Value)
	switch {
	case err != nil:
		return err
	case void != nil:
		b.voids.add(projections.Void(r.Partition, r.Offset, env, void))
		return nil
	}
	in.history = r.Offset
	if r.Offset > landed {
		b.decisions.add(projections.Decision(r.Partition, r.Offset, env, d))
	}
	return nil
}

// fold adds the state rows of the batch.
func (b *batch) fold() {
	for _, s := range b.states {
		after := new(ledgerv1.Shipment)
		if err := after.UnmarshalVT(s.after); err != nil {
			// The history has shown the whole of it as JSON, so this can't be; if it can, it must be seen.
			b.setAside(s.record, err)
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

func (b *batch) setAside(r *kgo.Record, reason error) {
	l := deadletter.Of(r, reason.Error(), time.Now())
	b.dead = append(b.dead, l)
	b.letters.add(l)
}
