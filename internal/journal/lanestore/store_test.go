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
