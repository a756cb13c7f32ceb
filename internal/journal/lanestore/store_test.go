package lanestore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

var ledger = NewMeta("cluster", events.Hash{}, []string{"events", "decisions", "inbox"})

func open(t *testing.T, dir string, want Meta) *Store {
	t.Helper()
	return openAt(t, dir, want, time.Now)
}

func openAt(t *testing.T, dir string, want Meta, now func() time.Time) *Store {
	t.Helper()
	m := NewMemory(8<<20, 1)
	s, err := Open(t.Context(), dir, Options{Memory: m, Log: testkit.Logger(t), Now: now}, want)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		m.Close()
	})
	return s
}

// accept puts an event of shipment a and the decision that accepted its command under a key.
func accept(t *testing.T, s *Store, key string, seq uint64, at time.Time) {
	t.Helper()
	env := events.Envelope{ShipmentID: "a", InputKey: key, RecordedAt: at, LaneSeq: seq, InboxOffset: events.NoInboxOffset, DecisionEvents: 1, DecisionEvent: 1}
	state, err := (&ledgerv1.Shipment{ShipmentId: "a", Version: seq}).MarshalVT()
	require.NoError(t, err)
	b := s.Begin()
	require.NoError(t, b.Event(&env, state, int64(10*seq), events.Chain{Seq: seq}))
	d := &ledgerv1.Decision{
		Outcome: ledgerv1.Outcome_OUTCOME_ACCEPTED, InputKey: key, ShipmentId: "a", FirstVersion: seq, LastVersion: seq,
		EventsLaneseq: seq,
	}
	require.NoError(t, b.Decision(&env, d, int64(20*seq), events.Chain{Seq: seq}))
	require.NoError(t, b.Commit())
}

func TestStoreKeepsStatesAndAnswers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, ledger)
	accept(t, s, "k", 1, time.Now())
	require.NoError(t, s.Close())
	_, err := s.State("a")
	require.ErrorIs(t, err, ErrClosed)

	s = open(t, dir, ledger)
	require.Equal(t, TopicPosition{Next: 11, Last: 10, Seq: 1}, s.Meta().Events)
	require.Equal(t, TopicPosition{Next: 21, Last: 20, Seq: 1}, s.Meta().Decisions)
	state, err := s.State("a")
	require.NoError(t, err)
	require.EqualValues(t, 1, state.GetVersion())
	a, err := s.Answered("a", "k")
	require.NoError(t, err)
	require.Equal(t, &Answer{Outcome: ledgerv1.Outcome_OUTCOME_ACCEPTED, First: 1, Last: 1, Offset: 10}, a)
	var p Probe
	a, err = p.Answered(s, "a", "new")
	require.NoError(t, err)
	require.Nil(t, a)
	require.NoError(t, p.Close())
}

func TestOpenRemovesStoreOfOtherLedger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, ledger)
	accept(t, s, "k", 1, time.Now())
	require.NoError(t, s.Close())
	s = open(t, dir, NewMeta("cluster", events.Hash{}, []string{"events", "decisions", "another inbox"}))
	require.True(t, s.Meta().Empty())
	known, err := s.HasState("a")
	require.NoError(t, err)
	require.False(t, known)
}

// Below the inbox position everything is decided, also where a decision was restored before those of earlier records.
func TestMetaInboxPosition(t *testing.T) {
	t.Parallel()
	var m Meta
	for i, step := range []struct {
		offset   int64
		restored bool
		inbox    int64
		ahead    []int64
	}{
		{0, false, 1, nil},
		{1, true, 2, nil},
		{3, true, 2, []int64{3}},
		{5, true, 2, []int64{3, 5}},
		{3, true, 2, []int64{3, 5}}, // The same one again.
		{2, false, 4, []int64{5}},
		{0, true, 4, []int64{5}}, // It waited.
		{0, false, 4, []int64{5}},
		{4, false, 6, nil},
	} {
		m.decided(step.offset, step.restored)
		require.Equal(t, step.inbox, m.Inbox, "step %d", i)
		require.ElementsMatch(t, step.ahead, m.Ahead, "step %d", i)
	}
}
