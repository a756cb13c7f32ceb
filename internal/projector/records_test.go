package projector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/deadletter"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestProjectorDeadLettersUndecodable(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		b.stories(2)
		// A valid record, spoiled in every way.
		spoiled := func(change func(*eventstest.Rec)) eventstest.Rec {
			r := eventstest.NewLane(0).Event(eventstest.Story(999, eventstest.Start)[0])
			change(&r)
			return r
		}
		bad := []eventstest.Rec{
			spoiled(func(r *eventstest.Rec) { r.Value = nil }),
			spoiled(func(r *eventstest.Rec) { r.Value = []byte{} }),
			spoiled(func(r *eventstest.Rec) { r.Value = []byte("not protobuf at all") }),
			spoiled(func(r *eventstest.Rec) { r.Value = r.Value[:len(r.Value)-1] }),
			spoiled(func(r *eventstest.Rec) { r.Headers = nil }),
			spoiled(func(r *eventstest.Rec) { setHeader(r, events.HeaderType, "orders.ShipmentTeleported.v9") }),
			spoiled(func(r *eventstest.Rec) { setHeader(r, events.HeaderType, events.TypeShipmentHeld) }),
			spoiled(func(r *eventstest.Rec) { setHeader(r, events.HeaderID, r.Key+"/77") }),
			spoiled(func(r *eventstest.Rec) { setHeader(r, events.HeaderTime, "yesterday") }),
			spoiled(func(r *eventstest.Rec) { r.Key = "another shipment" }),
			{Topic: events.TopicDecisions, Value: []byte{0xff}, Headers: []events.Header{{Key: "x", Value: []byte{0xfe}}}},
			{Topic: events.TopicDecisions},
		}
		b.write(kgo.TryCommit, bad...)
		b.stories(2)
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()

		require.EqualValues(t, len(bad), b.number("count() FROM dead_letters"))
		require.Equal(t, len(bad), int(b.metric("orderledger_projector_dead_letters_total")))
		require.Zero(t, b.number("count() FROM dead_letters WHERE reason = '' OR topic = ''"))
		require.EqualValues(t, 1, b.number("count() FROM dead_letters WHERE value = 'not protobuf at all' AND "+
			"arrayExists(h -> h.key = 'ce_type' AND h.value = 'orders.ShipmentCreated.v1', headers)"))
		require.EqualValues(t, 1, b.number("count() FROM dead_letters WHERE reason LIKE '%unknown type%ShipmentTeleported%'"))

		reader := testkit.Client(t, b.kafka.Brokers, kgo.ConsumeTopics(events.TopicDeadLetters),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		at := map[string]deadletter.Letter{}
		testkit.Eventually(t, func() bool {
			for _, r := range reader.PollFetches(t.Context()).Records() {
				l, err := deadletter.Parse(r)
				require.NoError(t, err)
				at[l.Position()] = l
			}
			return len(at) == len(bad)
		}, "every dead letter is in the topic")
	})
}

func setHeader(r *eventstest.Rec, key, value string) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			r.Headers[i].Value = []byte(value)
		}
	}
}

func TestDecisionsViewLeavesOutVoided(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 2)
		decision := func(shipment string) eventstest.Rec {
			d := eventstest.Decision()
			d.ShipmentId = shipment
			return b.lanes[1].Decision(d)
		}
		// Offsets 0 to 4, and the transaction marker at 5.
		b.write(kgo.TryCommit, decision("a"), decision("b"), decision("c"), decision("d"), decision("e"))
		b.write(kgo.TryCommit, b.lanes[1].Void(1, 2), decision("f"))
		// The same offsets of another lane are not voided.
		d := eventstest.Decision()
		d.ShipmentId = "other lane"
		b.write(kgo.TryCommit, b.lanes[0].Decision(d), b.lanes[0].Decision(d))
		b.projector(config(), b.click)
		b.caughtUp()

		var left []string
		require.NoError(t, b.db.QueryRow(t.Context(), "SELECT groupArray(shipment_id) FROM (SELECT shipment_id FROM decisions ORDER BY lane DESC, offset)").Scan(&left))
		require.Equal(t, []string{"a", "d", "e", "f", "other lane", "other lane"}, left)
		require.EqualValues(t, 8, b.number("count() FROM decisions_history"))
		require.Zero(t, b.number("count() FROM dead_letters"))
	})
}

func TestProjectorSkipsAbortedTransactions(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		b.stories(1)
		lane := *b.lanes[0]
		b.write(kgo.TryAbort, lane.Event(eventstest.Story(500, eventstest.Start)[0]))
		b.stories(1)
		b.write(kgo.TryAbort, lane.Event(eventstest.Story(501, eventstest.Start)[0]))
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()
	})
}

func TestBatchEndsWithTheMonth(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		b.stories(1)
		b.lanes[0].Now = time.Date(2026, 4, 30, 23, 59, 59, 992e6, time.UTC)
		b.stories(2)
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()
		require.EqualValues(t, 3, b.number("uniqExact(toYYYYMM(recorded_at)) FROM events"))
		require.EqualValues(t, 3, b.number("uniqExact(partition) FROM system.parts WHERE database = ? AND table = 'events' AND active", b.click.Database))
		// No insert had two months: there are as many batches as months.
		require.Equal(t, 3, int(b.batches(events.TopicEvents)))
	})
}

func (b *bundle) batches(topic string) float64 {
	b.t.Helper()
	families, err := b.reg.Gather()
	require.NoError(b.t, err)
	for _, f := range families {
		if f.GetName() == "orderledger_projector_batches_total" {
			for _, m := range f.GetMetric() {
				if m.GetLabel()[0].GetValue() == topic {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func TestStateTablesRefillAfterOffsetReset(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 2)
		b.stories(10)
		stop := b.projector(config(), b.click)
		b.caughtUp()
		stop()
		for _, table := range []string{"shipments_state", "order_items_state", "sla_clocks"} {
			require.NoError(t, b.db.Exec(t.Context(), "TRUNCATE TABLE "+table))
		}
		// Without offsets, as after they expired: history rows must not be duplicated.
		_, err := b.admin().DeleteGroups(t.Context(), kafka.GroupProjector(b.kafka.Cluster))
		require.NoError(t, err)
		b.stories(5)
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()
	})
}

func TestCommittedOffsetCoversAllTables(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		b.projector(config(), b.click)
		group := kafka.GroupProjector(b.kafka.Cluster)
		for n := 1; n <= 5; n++ {
			events := eventstest.Story(n, eventstest.Start)
			b.write(kgo.TryCommit, b.lanes[0].Event(events[0]))
			position := int64(n*2 - 1) // A transaction marker follows each event.
			testkit.Eventually(t, func() bool {
				at, err := b.admin().FetchOffsets(t.Context(), group)
				o, ok := at.Lookup("orders.events.v1", 0)
				return err == nil && ok && o.At >= position // The group does not exist before its first member.
			}, "the position is committed although no record follows")
			// The next query finds it in the last table of the batch.
			require.EqualValues(t, n, b.number("uniqExact(shipment_id) FROM sla"))
			require.EqualValues(t, n, b.number("count() FROM shipments"))
		}
	})
}

func TestTablesHoldEveryEventType(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		for _, typ := range events.Types() {
			e := eventstest.Event(typ)
			e.After.ShipmentId, e.After.SellerId = typ, "seller"
			e.After.Returns[0].ReturnId, e.After.Returns[1].ReturnId = typ+"-r1", typ+"-r2"
			b.write(kgo.TryCommit, b.lanes[0].Event(e))
		}
		b.projector(config(), b.click)
		b.caughtUp()
		require.Zero(t, b.number("count() FROM dead_letters"))
		require.EqualValues(t, len(events.Types()), b.number("uniqExact(event_type) FROM events WHERE isValidJSON(body) AND JSONExtractString(body, 'after', 'shipmentId') = shipment_id"))
		require.EqualValues(t, len(events.Types()), b.number("count() FROM shipments WHERE status = 'SHIPPED' OR status != ''"))
		require.EqualValues(t, 2*len(events.Types()), b.number("count() FROM returns"))

		// API reads decode this state, so it is the event's, byte for byte.
		var state string
		require.NoError(t, b.db.QueryRow(t.Context(), "SELECT state FROM shipments_state FINAL WHERE shipment_id = ?", events.TypeShipmentHeld).Scan(&state))
		var got ledgerv1.Shipment
		require.NoError(t, got.UnmarshalVT([]byte(state)))
		require.Equal(t, events.TypeShipmentHeld, got.GetShipmentId())
	})
}

func TestSLAViewComputesOutcome(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		now := time.Now().UTC()
		clock := func(subject string, due, done, cancelled time.Time, day bool) *ledgerv1.Clock {
			c := &ledgerv1.Clock{
				Kind: ledgerv1.ClockKind_CLOCK_KIND_DISPATCH, SubjectId: subject,
				DueAt: stamp(due), FirstDueAt: stamp(due), CancelledAt: stamp(cancelled),
			}
			if !done.IsZero() {
				c.Done = &ledgerv1.Moment{At: stamp(done), Day: day}
			}
			return c
		}
		noon := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
		none := time.Time{}
		e := eventstest.Story(1, eventstest.Start)[0]
		e.After.Clocks = []*ledgerv1.Clock{
			clock("met on the dot", noon, noon, none, false),
			clock("breached by a millisecond", noon, noon.Add(time.Millisecond), none, false),
			clock("met, then cancelled", noon, noon.Add(-time.Hour), noon, false),
			clock("breached, then cancelled", noon, noon.Add(time.Hour), noon.Add(2*time.Hour), false),
			clock("cancelled", noon, none, noon.Add(-time.Hour), false),
			clock("cancelled after its due time", noon, none, noon.Add(time.Hour), false),
			clock("overdue", now.Add(-time.Hour), none, none, false),
			clock("open", now.Add(time.Hour), none, none, false),
			clock("met by the day", noon, time.Date(2026, 3, 10, 18, 29, 59, 0, time.UTC), none, true),
			clock("breached by the day", noon, time.Date(2026, 3, 10, 18, 30, 0, 0, time.UTC), none, true),
		}
		for subject, done := range map[string]time.Time{"inferred in time": noon, "inferred later": noon.Add(time.Hour)} {
			c := clock(subject, noon, done, none, false)
			c.Done.Certainty = ledgerv1.Certainty_CERTAINTY_INFERRED
			e.After.Clocks = append(e.After.Clocks, c)
		}
		// The lane is years ahead of the clock, which changes no outcome.
		b.lanes[0].Now, b.lanes[0].Ahead = now.AddDate(10, 0, 0), now.AddDate(10, 0, 0).Sub(now)
		b.write(kgo.TryCommit, b.lanes[0].Event(e))
		b.projector(config(), b.click)
		b.caughtUp()
		require.EqualValues(t, 1, b.number("count() FROM events WHERE abs(dateDiff('minute', decided_at, now())) < 60 AND recorded_at > decided_at + INTERVAL 9 YEAR"))
		rows, err := b.db.Query(t.Context(), "SELECT subject_id, if(due_missed, outcome || ', due missed', outcome) FROM sla")
		require.NoError(t, err)
		got := map[string]string{}
		for rows.Next() {
			var subject, outcome string
			require.NoError(t, rows.Scan(&subject, &outcome))
			got[subject] = outcome
		}
		require.NoError(t, rows.Err())
		require.Equal(t, map[string]string{
			"met on the dot": "met", "breached by a millisecond": "breached", "met, then cancelled": "met",
			"breached, then cancelled": "breached", "cancelled": "cancelled", "overdue": "overdue", "open": "open",
			"met by the day": "met", "breached by the day": "breached",
			"cancelled after its due time": "cancelled, due missed",
			"inferred in time":             "met", "inferred later": "breached_unproven",
		}, got)
	})
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// What docs/operating.md says about deleting a person's data: the columns that hold it, and that the projector goes on.
func TestDeletingPersonalDataLeavesNone(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		const name = "Ananya-of-the-test"
		b := setupOn(t, on, 1)
		lane := b.lanes[0]
		address := &ledgerv1.Address{FirstName: name, Line1: name, Phone: name}
		story := func(n int) (recs []eventstest.Rec) {
			for _, e := range eventstest.Story(n, eventstest.Start) {
				e.After.Details = &ledgerv1.ShipmentDetails{
					DeliveryAddress: address, BillingAddress: address, Buyer: &ledgerv1.Buyer{FirstName: name},
					ExtensionsJson: `{"deliveryAddress":{"firstName":"` + name + `"}}`,
				}
				recs = append(recs, lane.Event(e))
			}
			return recs
		}
		id := eventstest.Story(500, eventstest.Start)[0].GetAfter().GetShipmentId()
		d := eventstest.Decision()
		d.ShipmentId, d.Body = id, []byte(name)
		undecodable := lane.Event(eventstest.Story(500, eventstest.Start)[0])
		undecodable.Value = []byte(name)
		b.write(kgo.TryCommit, append(story(500), lane.Decision(d), undecodable)...)
		b.projector(config(), b.click)
		b.caughtUp()

		// holding lists the columns that hold the name.
		holding := func() (found []string) {
			rows, err := b.db.Query(t.Context(), `SELECT table, name FROM system.columns WHERE database = currentDatabase()
				AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
				AND (type LIKE '%String%' OR type LIKE 'Array%' OR type LIKE 'Map%') ORDER BY table, name`)
			require.NoError(t, err)
			var tables, columns []string
			for rows.Next() {
				var table, column string
				require.NoError(t, rows.Scan(&table, &column))
				tables, columns = append(tables, table), append(columns, column)
			}
			require.NoError(t, rows.Close())
			require.NoError(t, rows.Err())
			for i, table := range tables {
				if b.number("countIf(position(toString("+columns[i]+"), ?) > 0) FROM "+table, name) > 0 {
					found = append(found, table+"."+columns[i])
				}
			}
			return found
		}
		require.Equal(t, []string{
			"dead_letters_history.value", "decisions_history.body", "events.body", "shipments_state.state",
		}, holding())
		events := b.number("count() FROM events")
		for _, statement := range testkit.DocumentedStatements(t, "Deleting a person's data", id) {
			require.NoError(t, b.db.Exec(t.Context(), statement), statement)
		}
		require.Empty(t, holding())
		require.Equal(t, events, b.number("count() FROM events"), "without a gap")

		b.stories(2)
		b.caughtUp()
		require.Greater(t, b.number("count() FROM events"), events)
		require.EqualValues(t, 2, b.number("count() FROM shipments"))
	})
}
