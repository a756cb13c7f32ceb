package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// evidence is all that can be seen of a ledger from outside once it is at rest: what Kafka holds, what ClickHouse
// shows, what the receiver got and what the clients were promised. The counter reads nothing else, and shares no code
// with the services but the decoding of the contract and the fold of a state.
type evidence struct {
	events, decisions, inbox, suborders map[int32][]*kgo.Record
	tables                              tables
	received                            []testkit.Received
	receiver                            []string // What the receiver itself found wrong.
	clients                             *record
	lanes                               int
}

// gather reads everything.
func gather(t testing.TB, tw *town, clients *record) *evidence {
	t.Helper()
	brokers := strings.Join(tw.kafka.addrs, ",")
	return &evidence{
		events: readTopic(t, brokers, events.TopicEvents), decisions: readTopic(t, brokers, events.TopicDecisions),
		inbox: readTopic(t, brokers, events.TopicInbox), suborders: readTopic(t, brokers, events.TopicSuborders),
		tables: readTables(t, tw.sql()), received: tw.receiver.Requests(), receiver: tw.receiver.Violations(),
		clients: clients, lanes: tw.plan.lanes,
	}
}

// verdict collects what is wrong, a few examples of each kind.
type verdict struct {
	kinds []string
	found map[string][]string
}

// examples is how many violations of one kind are told in words.
const examples = 3

func (v *verdict) add(kind, format string, args ...any) {
	if v.found == nil {
		v.found = map[string][]string{}
	}
	if v.found[kind] == nil {
		v.kinds = append(v.kinds, kind)
	}
	v.found[kind] = append(v.found[kind], fmt.Sprintf(format, args...))
}

// check notes a violation when it does not hold.
func (v *verdict) check(holds bool, kind, format string, args ...any) {
	if !holds {
		v.add(kind, format, args...)
	}
}

// lines are the violations in words.
func (v *verdict) lines() []string {
	var out []string
	for _, kind := range v.kinds {
		all := v.found[kind]
		for _, text := range all[:min(len(all), examples)] {
			out = append(out, kind+": "+text)
		}
		if more := len(all) - examples; more > 0 {
			out = append(out, fmt.Sprintf("%s: and %d more", kind, more))
		}
	}
	return out
}

// ledger is what the topics say once they are decoded.
type ledger struct {
	events    []ledgerEvent
	decisions []ledgerDecision
	states    map[string]*ledgerv1.Shipment
}

type ledgerEvent struct {
	lane   int32
	record *kgo.Record
	env    events.Envelope
	event  *ledgerv1.Event
}

type ledgerDecision struct {
	lane     int32
	record   *kgo.Record
	env      events.Envelope
	decision *ledgerv1.Decision
}

// id names a decision's input.
func (d *ledgerDecision) id() inputID { return inputID{d.env.InputKey, d.env.ShipmentID} }

// inputID is a key as it concerns one shipment.
type inputID struct{ key, shipment string }

// violations is the count: everything that is not as promised.
func (e *evidence) violations() []string {
	v := &verdict{}
	l := e.readLedger(v)
	e.countPromises(v, l)
	e.countTables(v, l)
	e.countDeliveries(v, l)
	return v.lines()
}

// summary says how much was counted.
func (e *evidence) summary() string {
	n := func(m map[int32][]*kgo.Record) (sum int) {
		for _, records := range m {
			sum += len(records)
		}
		return sum
	}
	told, obeyed := e.clients.size()
	return fmt.Sprintf("%d notifications and %d answers to calls promised, %d tries without an answer; %d events, %d decisions, %d messages, %d requests to the receiver",
		told, obeyed, e.clients.fails.Load(), n(e.events), n(e.decisions), n(e.suborders), len(e.received))
}

// requireCounted counts and fails the test with what is wrong.
func requireCounted(t testing.TB, e *evidence) {
	t.Helper()
	t.Log("counted: " + e.summary())
	require.Empty(t, e.violations())
}
