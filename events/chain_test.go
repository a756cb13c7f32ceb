package events_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
)

// heldRecord returns a record of which only the headers and the key matter.
func heldRecord() *events.Record {
	env := eventstest.Envelope(events.TypeShipmentHeld)
	return &events.Record{
		Key: []byte(env.ShipmentID), Timestamp: env.RecordedAt, Headers: env.AppendHeaders(nil), Value: []byte("value"),
	}
}

func TestChainIgnoresHeaderOrder(t *testing.T) {
	t.Parallel()
	r := heldRecord()
	want := events.Chain{}.Next(events.TopicEvents, 3, r)
	require.EqualValues(t, 1, want.Seq)

	env := eventstest.Envelope(events.TypeShipmentHeld)
	env.ChainHash = want.Head
	r.Headers = env.AppendUnchained(r.Headers)
	slices.Reverse(r.Headers)
	r.Headers = append(r.Headers, events.Header{Key: "x-added-by-a-mirror", Value: []byte("1")})
	require.Equal(t, want, events.Chain{}.Next(events.TopicEvents, 3, r))
}

func TestChainDetectsEveryChange(t *testing.T) {
	t.Parallel()
	start := events.Chain{Seq: 6, Head: events.Hash{1}}
	want := start.Next(events.TopicEvents, 3, heldRecord())
	differs := func(what string, got events.Chain) {
		t.Helper()
		require.NotEqual(t, want.Head, got.Head, what)
	}
	changed := func(what string, change func(*events.Record)) {
		t.Helper()
		r := heldRecord()
		change(r)
		differs(what, start.Next(events.TopicEvents, 3, r))
	}
	for i, h := range heldRecord().Headers {
		changed("value of "+h.Key, func(r *events.Record) { r.Headers[i].Value = append(r.Headers[i].Value, 'x') })
		changed("without "+h.Key, func(r *events.Record) { r.Headers = slices.Delete(r.Headers, i, i+1) })
	}
	changed("key", func(r *events.Record) { r.Key = []byte("shipment_id-2") })
	changed("no key", func(r *events.Record) { r.Key = nil })
	changed("timestamp", func(r *events.Record) { r.Timestamp = r.Timestamp.Add(time.Millisecond) })
	changed("body", func(r *events.Record) { r.Value = []byte("Value") })
	changed("no body", func(r *events.Record) { r.Value = nil })
	differs("lane", start.Next(events.TopicEvents, 4, heldRecord()))
	differs("topic", start.Next(events.TopicDecisions, 3, heldRecord()))
	differs("sequence", events.Chain{Seq: 7, Head: events.Hash{1}}.Next(events.TopicEvents, 3, heldRecord()))
	differs("record before", events.Chain{Seq: 6, Head: events.Hash{2}}.Next(events.TopicEvents, 3, heldRecord()))
	// No bytes can move from one header to the next, or into the value, unnoticed.
	moved := &events.Record{Headers: []events.Header{{Key: "ce_a", Value: []byte("bc")}, {Key: "ce_d", Value: []byte("e")}}}
	other := &events.Record{Headers: []events.Header{{Key: "ce_a", Value: []byte("b")}, {Key: "ce_cd", Value: []byte("e")}}}
	require.NotEqual(t, start.Next("t", 0, moved).Head, start.Next("t", 0, other).Head)
}

// A chain begins with the layout, so that no other layout, topic or lane can continue it.
func TestChainStart(t *testing.T) {
	t.Parallel()
	one := events.Layout{LedgerID: "a", Cluster: "orders", Format: events.LayoutFormat, Lanes: 12}
	two := one
	two.Lanes = 24
	start := events.ChainStart(one.Hash(), events.TopicEvents, 3)
	require.Zero(t, start.Seq)
	require.Equal(t, start, events.ChainStart(one.Hash(), events.TopicEvents, 3))
	for what, other := range map[string]events.Chain{
		"layout": events.ChainStart(two.Hash(), events.TopicEvents, 3),
		"topic":  events.ChainStart(one.Hash(), events.TopicDecisions, 3),
		"lane":   events.ChainStart(one.Hash(), events.TopicEvents, 4),
	} {
		require.NotEqual(t, start.Head, other.Head, what)
	}
}

// laneOf returns a lane of a ledger with one lane, so that every key belongs to it.
func laneOf(t *testing.T) (*events.Verifier, []eventstest.Rec) {
	t.Helper()
	lane := eventstest.NewLane(0)
	var records []eventstest.Rec
	for n := range 4 {
		for _, e := range eventstest.Story(n, eventstest.Start) {
			records = append(records, lane.Event(e))
		}
	}
	return &events.Verifier{
		Topic: events.TopicEvents, Lanes: 1, Chain: events.ChainStart(events.Hash{}, events.TopicEvents, 0),
	}, records
}

func TestVerifierFindsFirstBreak(t *testing.T) {
	t.Parallel()
	verify := func(change func([]eventstest.Rec) []eventstest.Rec) int {
		v, records := laneOf(t)
		for i, r := range change(records) {
			before := v.Chain
			if _, err := v.Next(r.Record()); err != nil {
				require.Equal(t, before, v.Chain, "an error leaves the verifier where it was")
				return i
			}
		}
		return -1
	}
	require.Equal(t, -1, verify(func(r []eventstest.Rec) []eventstest.Rec { return r }))
	require.Equal(t, 7, verify(func(r []eventstest.Rec) []eventstest.Rec { return slices.Delete(r, 7, 8) }), "one left out")
	require.Equal(t, 3, verify(func(r []eventstest.Rec) []eventstest.Rec {
		r[3], r[4] = r[4], r[3]
		return r
	}), "two swapped")
	require.Equal(t, 9, verify(func(r []eventstest.Rec) []eventstest.Rec {
		r[9].Value = slices.Clone(r[9].Value)
		r[9].Value[20] ^= 1
		return r
	}), "one altered")
	require.Equal(t, 5, verify(func(r []eventstest.Rec) []eventstest.Rec {
		r[5].At = r[5].At.Add(time.Hour)
		return r
	}), "one with another time of recording")
}

// A forger who computes the chain anew can still not put a shipment where nobody looks for it, or a state under another
// shipment's key.
func TestVerifierChecksPlace(t *testing.T) {
	t.Parallel()
	story := eventstest.Story(1, eventstest.Start)[0]
	id := story.GetAfter().GetShipmentId()
	const lanes = 12
	here := events.Lane(id, lanes)
	next := func(topic string, lane int32, r eventstest.Rec) error {
		start := events.ChainStart(events.Hash{}, topic, lane)
		v := events.Verifier{Topic: topic, Lane: lane, Lanes: lanes, Chain: start}
		_, err := v.Next(r.Record())
		if err != nil {
			require.Equal(t, start, v.Chain, "an error leaves the verifier where it was")
		}
		return err
	}
	decision := eventstest.Decision()
	decision.ShipmentId = id
	require.NoError(t, next(events.TopicEvents, here, eventstest.NewLane(here).Event(story)))
	require.NoError(t, next(events.TopicDecisions, here, eventstest.NewLane(here).Decision(decision)))
	require.NoError(t, next(events.TopicDecisions, here, eventstest.NewLane(here).Void(1, 2)))

	// The headers name another version, seller or location than the body.
	forged := func(change func(*events.Envelope)) eventstest.Rec {
		return eventstest.NewLane(here).Forged(events.TopicEvents, story, change)
	}
	another := forged(func(e *events.Envelope) { e.ID = events.EventID(id, 9) })
	require.ErrorContains(t, next(events.TopicEvents, here, another), "but its body has version 1")
	another = forged(func(e *events.Envelope) { e.SellerID = "another" })
	require.ErrorContains(t, next(events.TopicEvents, here, another), "headers name seller")
	another = forged(func(e *events.Envelope) { e.LocationID = "another" })
	require.ErrorContains(t, next(events.TopicEvents, here, another), "headers name seller")
	// The number that a record gives itself is another than its place.
	another = forged(func(e *events.Envelope) { e.LaneSeq = 5 })
	require.ErrorContains(t, next(events.TopicEvents, here, another), "laneseq 5 after 0")

	// A decision that belongs to no shipment of the lane has no key, and no shipment in its body.
	none := eventstest.Decision()
	none.ShipmentId = ""
	require.NoError(t, next(events.TopicDecisions, here, eventstest.NewLane(here).Decision(none)))
	// The type is one of the topic, and the id of a decision is its place.
	misplaced := eventstest.NewLane(here).Forged(events.TopicDecisions, story, func(*events.Envelope) {})
	require.ErrorContains(t, next(events.TopicDecisions, here, misplaced), "is not one of")
	misplaced = eventstest.NewLane(here).ForgedDecision(decision, func(e *events.Envelope) {
		e.ID = events.DecisionID(here, 2)
	})
	require.ErrorContains(t, next(events.TopicDecisions, here, misplaced), "is not that of laneseq 1")

	elsewhere := (here + 1) % lanes
	require.ErrorContains(t, next(events.TopicEvents, elsewhere, eventstest.NewLane(elsewhere).Event(story)), "belongs to lane")
	require.ErrorContains(t, next(events.TopicDecisions, elsewhere, eventstest.NewLane(elsewhere).Decision(decision)), "belongs to lane")

	// The key and the id name the victim, the body another shipment of the same lane.
	for n := range 1000 {
		other := eventstest.Story(n, eventstest.Start)[0]
		if otherID := other.GetAfter().GetShipmentId(); otherID == id || events.Lane(otherID, lanes) != here {
			continue
		}
		stolen := eventstest.NewLane(here).Forged(events.TopicEvents, other, func(e *events.Envelope) {
			e.ID, e.ShipmentID = events.EventID(id, 1), id
		})
		require.ErrorContains(t, next(events.TopicEvents, here, stolen), "its body is about shipment")
		return
	}
	t.Fatal("no other shipment in the lane")
}
