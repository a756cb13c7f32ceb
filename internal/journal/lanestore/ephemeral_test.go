package lanestore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// keep puts the answer to a key into a store, and reports what the store has of the key afterwards.
func keep(t *testing.T, s *Store, b *Batch, key string, seq uint64) (answered, forgotten bool) {
	t.Helper()
	env := events.Envelope{ShipmentID: "a", InputKey: key, LaneSeq: seq, DecisionEvent: 1}
	require.NoError(t, b.Event(&env, []byte{}, int64(10*seq), events.Chain{Seq: seq}))
	d := &ledgerv1.Decision{Outcome: ledgerv1.Outcome_OUTCOME_ACCEPTED, InputKey: key, ShipmentId: "a", EventsLaneseq: seq}
	require.NoError(t, b.Decision(&env, d, int64(20*seq), events.Chain{Seq: seq}))
	require.NoError(t, b.Commit())
	return has(t, s, key), s.Meta().Forgot(key)
}

func has(t *testing.T, s *Store, key string) bool {
	t.Helper()
	_, answer, err := s.get(answerKey("a", key))
	require.NoError(t, err)
	_, offset, err := s.get(offsetKey("a", key))
	require.NoError(t, err)
	require.Equal(t, answer, offset)
	return answer
}

// Answers to ephemeral keys are dropped by the clock of the store, and the store knows of which.
func TestStoreForgetsEphemeralKeys(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := openAt(t, t.TempDir(), ledger, func() time.Time { return now })
	made := func() string { return NewEphemeralKey(now, "nonce", 1) }
	old := made()
	answered, forgotten := keep(t, s, s.Begin(), old, 1)
	require.True(t, answered)
	require.False(t, forgotten)
	now = now.Add(2 * time.Hour)
	young := made()
	answered, _ = keep(t, s, s.Begin(), young, 2)
	require.True(t, answered)
	require.False(t, has(t, s, old))
	require.True(t, s.Meta().Forgot(old))
	require.False(t, s.Meta().Forgot(young))

	// A first attempt under an old key is kept until the next sweep; a record that is read again is left out at once.
	answered, _ = keep(t, s, s.Begin(), old, 3)
	require.True(t, answered)
	now = now.Add(11 * time.Minute)
	older := NewEphemeralKey(now.Add(-1000*time.Hour), "nonce", 1)
	answered, forgotten = keep(t, s, s.BeginReplay(), older, 4)
	require.False(t, answered)
	require.True(t, forgotten)
	require.False(t, has(t, s, old))
}

// Only the seconds whose answers were dropped are forgotten, however far a clock jumps ahead and back.
func TestMetaForgets(t *testing.T) {
	t.Parallel()
	at := func(second int64) string { return NewEphemeralKey(time.Unix(second, 0), "nonce", 1) }
	const hour, years = 3600, 10 * 366 * 24 * 3600
	var m Meta
	m.forget(Span{10 * hour, 11 * hour})
	m.forget(Span{11*hour + 600, 12 * hour})
	require.Equal(t, []Span{{10 * hour, 12 * hour}}, m.Forgotten, "the hours of a clock that is right")
	m.forget(Span{years, years + hour})
	require.False(t, m.Forgot(at(15*hour)), "the clock was set back")
	require.True(t, m.Forgot(at(years+1)))
	require.True(t, m.Forgot(at(11*hour+1)))
	require.False(t, m.Forgot("of a caller"))
	for i := range int64(100) { // An idle lane gets a command a day.
		m.forget(Span{(100 + 24*i) * hour, (100 + 24*i) * hour})
	}
	require.Len(t, m.Forgotten, maxForgotten)
	require.True(t, m.Forgot(at(11*hour)))
	require.False(t, m.Forgot(at((101+24*99)*hour)))
	require.True(t, m.Forgot(at(years+1)))
}

func TestCheckEphemeral(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"of a caller", NewEphemeralKey(time.Now().Add(-tenYears), "n", 1), NewEphemeralKey(time.Now(), "n", 1)} {
		require.NoError(t, CheckEphemeral(key), key)
	}
	for _, key := range []string{EphemeralKey + "zzz", EphemeralKey + "zzzzzzzzzz/n/1", EphemeralKey + "-1/n/1"} {
		require.Error(t, CheckEphemeral(key), key)
	}
}

const tenYears = 10 * 366 * 24 * time.Hour
