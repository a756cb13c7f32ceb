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
	m := NewMemory(8<<20, 1)
	s, err := Open(t.Context(), dir, Options{Memory: m, Log: testkit.Logger(t)}, want)
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

// Answers to ephemeral keys are dropped by their age, and a rebuild from the records of years does not put them back.
func TestBatchDropsEphemeralKeys(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), ledger)
	now := time.Now()
	old, young := NewEphemeralKey(now.Add(-2*time.Hour), "nonce", 1), NewEphemeralKey(now, "nonce", 2)
	has := func(key string) (answer, offset bool) {
		_, answer, err := s.get(answerKey("a", key))
		require.NoError(t, err)
		_, offset, err = s.get(offsetKey("a", key))
		require.NoError(t, err)
		return answer, offset
	}
	accept(t, s, old, 1, now.Add(-2*time.Hour))
	answer, offset := has(old)
	require.True(t, answer && offset)
	accept(t, s, young, 2, now)
	for range 2 {
		answer, offset = has(old)
		require.False(t, answer || offset, "it is older than an hour")
		answer, offset = has(young)
		require.True(t, answer && offset)
		accept(t, s, old, 3, now) // As a replay that meets it again.
	}
}

func TestCheckEphemeral(t *testing.T) {
	t.Parallel()
	now := time.Now()
	made := func(ago time.Duration) string { return NewEphemeralKey(now.Add(-ago), "nonce", 1) }
	for _, key := range []string{"of a caller", made(0), made(9 * time.Minute)} {
		require.NoError(t, CheckEphemeral(key, now), key)
	}
	for _, key := range []string{made(11 * time.Minute), made(-11 * time.Minute), EphemeralKey + "zzz"} {
		require.Error(t, CheckEphemeral(key, now), key)
	}
}
