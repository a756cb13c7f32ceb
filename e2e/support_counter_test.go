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

// evidence is everything that is visible of a ledger from outside once it has caught up: the records in Kafka, the rows
// in ClickHouse, the receiver's requests and the clients' record. The counter reads nothing else, and shares no code
// with the services except the decoding of the contract and the fold of a state.
type evidence struct {
	events, decisions, inbox, suborders map[int32][]*kgo.Record
	tables                              tables
	received                            []testkit.Received
	receiver                            []string // The violations that the receiver itself found.
	clients                             *record
	layout                              events.Layout
	lanes                               int
}

// collect reads everything.
func collect(t testing.TB, d *deployment, clients *record) *evidence {
	t.Helper()
	brokers := strings.Join(d.kafka.addrs, ",")
	return &evidence{
		events: readTopic(t, brokers, events.TopicEvents), decisions: readTopic(t, brokers, events.TopicDecisions),
		inbox: readTopic(t, brokers, events.TopicInbox), suborders: readTopic(t, brokers, events.TopicSuborders),
		tables: readTables(t, d.sql()), received: d.receiver.Requests(), receiver: d.receiver.Violations(),
		clients: clients, layout: readLayout(t, brokers), lanes: d.plan.lanes,
	}
}

// verdict collects violations by kind.
type verdict struct {
	kinds []string
	found map[string][]string
}

// examples is how many violations of one kind are printed.
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

// check notes a violation unless the condition holds.
func (v *verdict) check(holds bool, kind, format string, args ...any) {
	if !holds {
		v.add(kind, format, args...)
	}
}

// lines describes the violations.
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

// ledger is the decoded content of the topics.
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

// id returns the input of a decision.
func (d *ledgerDecision) id() inputID { return inputID{d.env.InputKey, d.env.ShipmentID} }

// inputID is an input key and one of the shipments that it concerns.
type inputID struct{ key, shipment string }

// violations counts, and describes every broken promise.
func (e *evidence) violations() []string {
	v := &verdict{}
	l := e.readLedger(v)
	e.countPromises(v, l)
	e.countTables(v, l)
	e.countDeliveries(v, l)
	return v.lines()
}

// summary says how much there is to count.
func (e *evidence) summary() string {
	n := func(m map[int32][]*kgo.Record) (sum int) {
		for _, records := range m {
			sum += len(records)
		}
		return sum
	}
	notifications, answers := e.clients.size()
	return fmt.Sprintf("%d notifications, %d answers to calls, %d tries without an answer; %d events, %d decisions, %d messages, %d requests to the receiver",
		notifications, answers, e.clients.unanswered.Load(), n(e.events), n(e.decisions), n(e.suborders), len(e.received))
}

// requireCounted counts, and fails the test if there are violations.
func requireCounted(t testing.TB, e *evidence) {
	t.Helper()
	t.Log("counted: " + e.summary())
	require.Empty(t, e.violations())
}
