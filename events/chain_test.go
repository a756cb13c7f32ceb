package events_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
)

func TestChainIgnoresHeaderOrder(t *testing.T) {
	t.Parallel()
	env := eventstest.Envelope(events.TypeShipmentHeld)
	headers := env.AppendHeaders(nil)
	want := events.Chain{}.Next(events.TopicEvents, 3, headers, []byte("value"))
	require.EqualValues(t, 1, want.Seq)

	env.ChainHash = want.Head
	whole := env.AppendUnchained(slices.Clone(headers))
	slices.Reverse(whole)
	whole = append(whole, events.Header{Key: "x-added-by-a-mirror", Value: []byte("1")})
	require.Equal(t, want, events.Chain{}.Next(events.TopicEvents, 3, whole, []byte("value")))
}

func TestChainDetectsEveryChange(t *testing.T) {
	t.Parallel()
	env := eventstest.Envelope(events.TypeShipmentHeld)
	headers := env.AppendHeaders(nil)
	start := events.Chain{Seq: 6, Head: events.Hash{1}}
	want := start.Next(events.TopicEvents, 3, headers, []byte("value"))
	differs := func(what string, got events.Chain) {
		t.Helper()
		require.NotEqual(t, want.Head, got.Head, what)
	}
	for i := range headers {
		changed := slices.Clone(headers)
		changed[i].Value = append(slices.Clone(changed[i].Value), 'x')
		differs("value of "+headers[i].Key, start.Next(events.TopicEvents, 3, changed, []byte("value")))
		differs("without "+headers[i].Key, start.Next(events.TopicEvents, 3, slices.Delete(slices.Clone(headers), i, i+1), []byte("value")))
	}
	differs("body", start.Next(events.TopicEvents, 3, headers, []byte("Value")))
	differs("no body", start.Next(events.TopicEvents, 3, headers, nil))
	differs("lane", start.Next(events.TopicEvents, 4, headers, []byte("value")))
	differs("topic", start.Next(events.TopicDecisions, 3, headers, []byte("value")))
	differs("sequence", events.Chain{Seq: 7, Head: events.Hash{1}}.Next(events.TopicEvents, 3, headers, []byte("value")))
	differs("record before", events.Chain{Seq: 6, Head: events.Hash{2}}.Next(events.TopicEvents, 3, headers, []byte("value")))
	// No bytes can move from one header to the next, or into the value, unnoticed.
	moved := []events.Header{{Key: "ce_a", Value: []byte("bc")}, {Key: "ce_d", Value: []byte("e")}}
	other := []events.Header{{Key: "ce_a", Value: []byte("b")}, {Key: "ce_cd", Value: []byte("e")}}
	require.NotEqual(t, start.Next("t", 0, moved, nil).Head, start.Next("t", 0, other, nil).Head)
}

func TestChainVerifiesLane(t *testing.T) {
	t.Parallel()
	lane := eventstest.NewLane(5)
	var records []eventstest.Rec
	for n := range 4 {
		for _, e := range eventstest.Story(n, eventstest.Start) {
			records = append(records, lane.Event(e))
		}
	}
	verify := func(records []eventstest.Rec) int {
		var chain events.Chain
		for i, r := range records {
			env, err := events.DecodeEnvelope(r.Headers)
			require.NoError(t, err)
			chain = chain.Next(r.Topic, r.Lane, r.Headers, r.Value)
			if env.ChainHash != chain.Head || env.LaneSeq != chain.Seq {
				return i
			}
		}
		return -1
	}
	require.Equal(t, -1, verify(records))
	require.Equal(t, 7, verify(slices.Delete(slices.Clone(records), 7, 8)), "one left out")
	swapped := slices.Clone(records)
	swapped[3], swapped[4] = swapped[4], swapped[3]
	require.Equal(t, 3, verify(swapped), "two swapped")
	altered := slices.Clone(records)
	altered[9].Value = slices.Clone(altered[9].Value)
	altered[9].Value[20] ^= 1
	require.Equal(t, 9, verify(altered), "one altered")
}
