package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/demo"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// clone copies evidence as deep as the damages below reach. They replace records and never change one.
func (e *evidence) clone() *evidence {
	lanes := func(m map[int32][]*kgo.Record) map[int32][]*kgo.Record {
		out := maps.Clone(m)
		for lane := range out {
			out[lane] = slices.Clone(out[lane])
		}
		return out
	}
	return &evidence{
		events: lanes(e.events), decisions: lanes(e.decisions), inbox: lanes(e.inbox), suborders: lanes(e.suborders),
		tables: tables{
			slices.Clone(e.tables.events), slices.Clone(e.tables.decisions), slices.Clone(e.tables.shipments),
			slices.Clone(e.tables.items), slices.Clone(e.tables.returns),
		},
		received: slices.Clone(e.received), receiver: slices.Clone(e.receiver), layout: e.layout, lanes: e.lanes,
		clients: &record{
			notifications: slices.Clone(e.clients.notifications), answers: slices.Clone(e.clients.answers),
			tried: maps.Clone(e.clients.tried), endings: maps.Clone(e.clients.endings),
			violations: slices.Clone(e.clients.violations),
		},
	}
}

// longest returns the lane with the most records, and a place in the middle of it.
func longest(m map[int32][]*kgo.Record) (lane int32, at int) {
	for l, records := range m {
		if len(records) > len(m[lane]) || len(m[lane]) == 0 {
			lane = l
		}
	}
	return lane, len(m[lane]) / 2
}

// rechain numbers and links the records again, as a forger with write access to the topic would.
func (e *evidence) rechain(topic string, lane int32, records []*kgo.Record) {
	chain := events.ChainStart(e.layout.Hash(), topic, lane)
	for i, r := range records {
		forged := *r
		forged.Headers = slices.Clone(r.Headers)
		set := func(key string, value []byte) {
			for k := range forged.Headers {
				if forged.Headers[k].Key == key {
					forged.Headers[k].Value = value
				}
			}
		}
		set(events.HeaderLaneSeq, strconv.AppendInt(nil, int64(i+1), 10))
		chain = chain.Next(topic, lane, kafka.EventRecord(&forged))
		set(events.HeaderChainHash, base64.StdEncoding.AppendEncode(nil, chain.Head[:]))
		records[i] = &forged
	}
}

// twoDeliveries finds two messages of one suborder among the received requests.
func twoDeliveries(e *evidence) (first, second int) {
	seen := map[string]int{}
	for i, r := range e.received {
		if before, again := seen[r.OrderCode]; again && e.received[before].MessageID != r.MessageID {
			return before, i
		}
		seen[r.OrderCode] = i
	}
	return 0, 0
}

// damages are the ways in which a ledger could go wrong, with part of what the counter must report.
var damages = map[string]struct {
	do   func(e *evidence)
	says string
}{
	"an event has no row":          {func(e *evidence) { e.tables.events = e.tables.events[1:] }, "table events: missing"},
	"an event has two rows":        {func(e *evidence) { e.tables.events = append(e.tables.events, e.tables.events[0]) }, "table events: too many"},
	"an event has another row":     {func(e *evidence) { e.tables.events[0].Version++ }, "table events: too many"},
	"a decision has no row":        {func(e *evidence) { e.tables.decisions = e.tables.decisions[1:] }, "table decisions: missing"},
	"a decision has two rows":      {func(e *evidence) { e.tables.decisions = append(e.tables.decisions, e.tables.decisions[0]) }, "table decisions: too many"},
	"a shipment has an old row":    {func(e *evidence) { e.tables.shipments[0].Version-- }, "table shipments: missing"},
	"a shipment has another state": {func(e *evidence) { e.tables.shipments[0].State = e.tables.shipments[1].State }, "table shipments: the state of"},
	"an item has no row":           {func(e *evidence) { e.tables.items = e.tables.items[1:] }, "table order_items: missing"},
	"a return has no row":          {func(e *evidence) { e.tables.returns = e.tables.returns[1:] }, "table returns: missing"},
	"an event was altered": {func(e *evidence) {
		lane, at := longest(e.events)
		r := *e.events[lane][at]
		r.Value = bytes.Replace(r.Value, []byte("LOC"), []byte("LOK"), 1)
		e.events[lane][at] = &r
	}, "chain: events of lane"},
	"an event was lost": {func(e *evidence) {
		lane, at := longest(e.events)
		e.events[lane] = slices.Delete(e.events[lane], at, at+1)
	}, "laneseq"},
	"an event was lost and the chain forged": {func(e *evidence) {
		lane, at := longest(e.events)
		e.events[lane] = slices.Delete(e.events[lane], at, at+1)
		e.rechain(events.TopicEvents, lane, e.events[lane])
	}, "head: decision"},
	"an event was stored twice": {func(e *evidence) {
		lane, at := longest(e.events)
		e.events[lane] = slices.Insert(e.events[lane], at, e.events[lane][at])
		e.rechain(events.TopicEvents, lane, e.events[lane])
	}, "version: "},
	"a decision was lost": {func(e *evidence) {
		lane, at := longest(e.decisions)
		e.decisions[lane] = slices.Delete(e.decisions[lane], at, at+1)
	}, "decisionseq"},
	"the last decision was lost": {func(e *evidence) {
		lane, _ := longest(e.decisions)
		e.decisions[lane] = e.decisions[lane][:len(e.decisions[lane])-1]
	}, "lost: "},
	"an input was decided twice": {func(e *evidence) {
		lane, at := longest(e.decisions)
		e.decisions[lane] = slices.Insert(e.decisions[lane], at, e.decisions[lane][at])
		e.rechain(events.TopicDecisions, lane, e.decisions[lane])
	}, "decided twice"},
	"a notification was forgotten": {func(e *evidence) {
		n := e.clients.notifications[0]
		n.inboxOffset, n.unresolved, n.key = 1_000_000, false, "shipment_shipped/nobody/2026-01-01T00:00:00Z/00"
		e.clients.notifications = append(e.clients.notifications, n)
	}, "notification lost"},
	"a command was forgotten": {func(e *evidence) {
		o := e.clients.answers[0]
		o.key += "-other"
		e.clients.answers = append(e.clients.answers, o)
	}, "command lost"},
	"a command that is not stored was decided": {func(e *evidence) {
		e.clients.answers[0].ok, e.clients.answers[0].code = false, codeNotStored
	}, "not stored"},
	"the answer to a command is not its decision": {func(e *evidence) {
		e.clients.answers[0].ok = !e.clients.answers[0].ok
	}, "answer: seller/"},
	"a repeated command got another answer": {func(e *evidence) {
		o := e.clients.answers[0]
		o.ok = !o.ok
		e.clients.answers = append(e.clients.answers, o)
	}, "answer changed"},
	"an answer has a wrong position": {func(e *evidence) {
		for i, o := range e.clients.answers {
			if o.ok {
				e.clients.answers[i].position = map[int32]int64{events.Lane(o.shipment, e.lanes): 0}
			}
		}
	}, "position: "},
	"a command that nobody sent was decided": {func(e *evidence) { delete(e.clients.tried, e.clients.answers[0].key) }, "never sent"},
	"a shipment did not end as recorded": {func(e *evidence) {
		for id := range e.clients.endings {
			e.clients.endings[id] = ending{"PACKING_IN_PROGRESS", 7}
			return
		}
	}, "ending: "},
	"a message was not delivered": {func(e *evidence) {
		gone := e.received[0]
		e.received = slices.DeleteFunc(e.received, func(r testkit.Received) bool { return r.MessageID == gone.MessageID })
	}, "delivery lost"},
	"a message was refused and never sent again": {func(e *evidence) { e.received[len(e.received)-1].Status = 503 }, "delivery lost"},
	"messages arrived in another order": {func(e *evidence) {
		a, b := twoDeliveries(e)
		e.received[a], e.received[b] = e.received[b], e.received[a]
	}, "delivery order"},
	"a message was repeated with another body": {func(e *evidence) {
		r := e.received[0]
		r.Body = append(slices.Clone(r.Body), ' ')
		e.received = append(e.received, r)
	}, "repeated with another body"},
	"a message arrived that is not in the topic": {func(e *evidence) {
		r := e.received[0]
		r.OrderCode = "nobody"
		e.received = append(e.received, r)
	}, "delivery of nothing"},
	"an event was not translated": {func(e *evidence) {
		for lane, records := range e.suborders {
			for i, r := range records {
				if bytes.Contains(r.Value, []byte("SUBORDER_CREATE")) {
					e.suborders[lane] = slices.Delete(records, i, i+1)
					return
				}
			}
		}
	}, "message lost"},
	"messages were written in another order": {func(e *evidence) {
		lane, at := longest(e.suborders)
		e.suborders[lane][at], e.suborders[lane][at-1] = e.suborders[lane][at-1], e.suborders[lane][at]
	}, "message order"},
	"the receiver saw a violation": {func(e *evidence) { e.receiver = []string{"message 1 of a first arrived after 2"} }, "receiver: message 1"},
	"a call was refused wrongly":   {func(e *evidence) { e.clients.violations = []string{"/notifications was refused with 400"} }, "answer: /notifications"},
}

// TestCounterSeesDamage damages what a healthy ledger left, in every way that a ledger could, and requires that the
// counter reports each of them.
func TestCounterSeesDamage(t *testing.T) {
	sellers := filepath.Join(t.TempDir(), "sellers.json")
	text, err := json.Marshal([]map[string]any{{"id": demo.OwnSeller, "token": demo.OwnToken, "own": true, "notificationToken": notificationToken}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(sellers, text, 0o600))
	const lanes = 3
	s := newStack(t, "--sellers", sellers, "--lanes", strconv.Itoa(lanes))
	l := newWorkload(t, []string{s.url}, 5, 200)
	testkit.Eventually(t, func() bool {
		notifications, answers := l.record.size()
		return notifications > 400 && answers > 30
	}, "enough promises to damage")
	clients := l.finish(testkit.Limit)
	require.NoError(t, awaitCaughtUp(t.Context(), []string{s.url}))
	whole := &evidence{
		events: readTopic(t, s.kafka, events.TopicEvents), decisions: readTopic(t, s.kafka, events.TopicDecisions),
		inbox: readTopic(t, s.kafka, events.TopicInbox), suborders: readTopic(t, s.kafka, events.TopicSuborders),
		tables: readTables(t, openTables(t, s.native, clickhouse.Auth{Database: "orderledger"})), received: s.receiver.Requests(), receiver: s.receiver.Violations(),
		clients: clients, layout: readLayout(t, s.kafka), lanes: lanes,
	}
	requireCounted(t, whole)
	require.NotEmpty(t, whole.tables.returns, "no returns to damage")

	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := whole.clone()
			damage.do(e)
			require.Contains(t, strings.Join(e.violations(), "\n"), damage.says)
		})
	}
}

// A hold can end after the shipping, because its notification came late. The endpoint has had its COMPLETE by then.
func TestForReceiver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header map[string]string
		want   string
	}{
		"an update":                    {map[string]string{events.HeaderType: "SUBORDER_PROPERTIES_UPDATE", "ol_reached": ""}, `{"eventType":"X"}`},
		"an update after the stage":    {map[string]string{events.HeaderType: "SUBORDER_PROPERTIES_UPDATE", "ol_reached": "shipped"}, ""},
		"the stage":                    {map[string]string{events.HeaderType: "SUBORDER_COMPLETE", "ol_stages": "shipped,delivered"}, `{"eventType":"X"}`},
		"another stage":                {map[string]string{events.HeaderType: "SUBORDER_COMPLETE", "ol_stages": "delivered"}, ""},
		"another stage with a message": {map[string]string{events.HeaderType: "SUBORDER_COMPLETE", "ol_otherwise": "Y"}, `{"eventType":"X"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, taken := forReceiver(tc.header, []byte(`{"eventType":"X"}`))
			require.Equal(t, tc.want, string(got))
			require.Equal(t, tc.want != "", taken)
		})
	}
}
