package journal

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/journal/lanestore"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
)

// A key is answered once for the life of the shipment.
func TestBatchAnswersKeyOnce(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		yes := j.mustSubmit(keyed(createCmd("a"), "k1"))
		no := j.mustSubmit(keyed(cmd("a", "reject", ""), "k2"))
		require.Equal(t, rejected, no.Outcome)
		other := keyed(cmd("a", "note", "other"), "k1")
		reused := j.mustSubmit(other)
		require.Equal(t, rejected, reused.Outcome)
		require.Equal(t, shipment.CodeIdempotencyKeyReused, reused.Reason)
		require.False(t, reused.Repeated)
		n := len(b.check().decisions[0])

		yes.Repeated, no.Repeated = true, true
		for _, store := range []string{dir, dir, t.TempDir()} {
			require.Equal(t, yes, j.mustSubmit(keyed(createCmd("a"), "k1")))
			require.Equal(t, no, j.mustSubmit(keyed(cmd("a", "reject", ""), "k2")))
			require.Len(t, b.check().decisions[0], n, "a repeated command is not a new input")
			j.stop()
			j = b.start(storeIn(store)).ready()
		}
		require.Equal(t, yes, j.mustSubmit(keyed(createCmd("a"), "k1")))
		// Keys are kept for each shipment.
		require.False(t, j.mustSubmit(keyed(createCmd("b"), "k1")).Repeated)
	})
}

// The same key twice in one batch is answered once.
func TestBatchAnswersRepeatInBatch(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start().ready()
		c := keyed(createCmd("a"), "k")
		other := keyed(cmd("a", "note", "other"), "k")
		for i, r := range j.SubmitAll(t.Context(), []Command{c, c, other}) {
			require.NoError(t, r.Err)
			require.Equal(t, i == 1, r.Receipt.Repeated)
			require.Equal(t, i == 2, r.Receipt.Reason == shipment.CodeIdempotencyKeyReused)
		}
		require.Len(t, b.check().events[0], 1)
	})
}

// A command without a key of its caller is decided once, however often it is sent.
func TestSubmitSameEphemeralKey(t *testing.T) {
	t.Parallel()
	s := newFleet(t, 1)
	a := s.join("a").ready()
	s.create(1, a)
	c := keyed(cmd("shipment-0", "note", "x"), a.NewKey())
	first := a.mustSubmit(c)
	b := s.join("b")
	require.NoError(t, a.HandOver(t.Context()))
	testkit.Eventually(t, func() bool { return serves(b) == 1 }, "the other has the lane")
	again := b.mustSubmit(c)
	require.True(t, again.Repeated)
	require.Equal(t, first.Version, again.Version)
	require.Equal(t, first.Offset, again.Offset)
	s.check()
}

// A repeat of an ephemeral key is refused once its answer was dropped, and only then; a first attempt never is.
func TestSubmitRefusesForgottenKey(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	now := newClock()
	j := b.start(clock(now.now)).ready()
	j.mustSubmit(createCmd("a"))
	c := keyed(cmd("a", "note", "x"), j.NewKey())
	first := j.mustSubmit(c)
	now.add(59 * time.Minute)
	require.Equal(t, first.Version+1, j.mustSubmit(cmd("a", "note", "y")).Version)
	require.True(t, j.mustSubmit(c).Repeated)

	now.add(2 * time.Minute)
	require.True(t, j.mustSubmit(c).Repeated, "it is old and not forgotten")
	now.add(10 * time.Minute)
	j.mustSubmit(cmd("a", "note", "z"))
	last := j.mustSubmit(cmd("a", "note", "z")).Version
	_, err := j.Submit(t.Context(), c)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = j.Submit(t.Context(), keyed(cmd("a", "note", "y"), lanestore.EphemeralKey+"zzz"))
	require.ErrorIs(t, err, ErrInvalid)
	c.First = true
	require.Equal(t, last+1, j.mustSubmit(c).Version)
	require.True(t, j.mustSubmit(c).Repeated)
}

// An instance whose clock is beyond the seconds that a key holds accepts its own keys, and recognizes repeats.
func TestSubmitEphemeralKeyAfter2106(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	now := newClock()
	now.add(20 * tenYears)
	dir := t.TempDir()
	j := b.start(clock(now.now), storeIn(dir)).ready()
	j.mustSubmit(createCmd("a"))
	c := keyed(cmd("a", "note", "x"), j.NewKey())
	c.First = true
	version := j.mustSubmit(c).Version
	c.First = false
	for _, store := range []string{t.TempDir(), dir} {
		now.add(2 * time.Hour)
		j.mustSubmit(keyed(cmd("a", "note", "y"), j.NewKey()))
		r := j.mustSubmit(c)
		require.True(t, r.Repeated)
		require.Equal(t, version, r.Version)
		j.stop()
		j = b.start(clock(now.now), storeIn(store)).ready()
	}
	require.True(t, j.mustSubmit(c).Repeated)
}

// A rebuilt store holds no answers to ephemeral keys that were dropped.
func TestLaneStoreRebuildDropsOldKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var ahead atomic.Int64
	ahead.Store(int64(-2 * time.Hour))
	now := clock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	j := b.start(now).ready()
	j.mustSubmit(createCmd("a"))
	old := j.NewKey()
	j.mustSubmit(keyed(cmd("a", "note", "x"), old))
	ahead.Store(0)
	young := j.NewKey()
	j.mustSubmit(keyed(cmd("a", "note", "y"), young))
	j.stop()

	again := b.start(now).ready() // In a folder of its own: everything is read from the lane.
	for key, want := range map[string]bool{old: false, young: true} {
		a, err := again.lanes.serving(0).store.Answered("a", key)
		require.NoError(t, err)
		require.Equal(t, want, a != nil, key)
	}
	require.True(t, again.mustSubmit(keyed(cmd("a", "note", "y"), young)).Repeated)
}

// A clock that jumps ahead makes the store forget keys too early. A repeat must not be decided again for that, and the
// jump must not cost new commands their keys.
func TestSubmitEphemeralKeyAfterClockJump(t *testing.T) {
	t.Parallel()
	const year = 366 * 24 * time.Hour
	for name, jumps := range map[string][]time.Duration{
		"two hours": {2 * time.Hour}, "ten years": {10 * year}, "ten years, and more": {10 * year, 11 * year},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			now, dir := newClock(), t.TempDir()
			start := func() *instance { return b.start(clock(now.now), storeIn(dir)).ready() }
			j := start()
			j.mustSubmit(createCmd("a"))
			c := keyed(cmd("a", "note", "x"), j.NewKey())
			first := j.mustSubmit(c)
			require.True(t, j.mustSubmit(c).Repeated)

			var sum time.Duration
			for i, jump := range jumps {
				now.add(jump - sum)
				sum = jump
				// It runs for hours: keys that were made in this time are forgotten too.
				for range 3 {
					early := keyed(cmd("a", "note", "y"), j.NewKey())
					r := j.mustSubmit(early)
					require.False(t, r.Repeated, "jump %d", i)
					now.add(time.Hour)
					sum += time.Hour
				}
			}
			now.add(time.Minute - sum)
			last := j.mustSubmit(keyed(cmd("a", "note", "z"), j.NewKey())).Version
			for range 2 {
				_, err := j.Submit(t.Context(), c)
				require.ErrorIs(t, err, ErrInvalid, "its answer is forgotten")
				j.stop()
				j = start()
			}
			again := keyed(cmd("a", "note", "last"), j.NewKey())
			require.Equal(t, last+1, j.mustSubmit(again).Version)
			require.True(t, j.mustSubmit(again).Repeated)
			require.Greater(t, last, first.Version)
			b.check()
		})
	}
}

// Clients send a request again on their own when its connection breaks. Without a key the repeat is known by its
// content, and by the shipment, which is as the first one left it.
func TestSubmitSilentRepeat(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	now := newClock()
	dir := t.TempDir()
	start := func(store string) *instance {
		return b.start(clock(now.now), storeIn(store), config(func(c *Config) { c.RepeatWithin = time.Minute })).ready()
	}
	j := start(dir)
	j.mustSubmit(createCmd("a"))
	attempt := cmd("a", "note", "attempt")
	first := j.mustSubmit(attempt)
	repeated := func(c Command, as Receipt) {
		t.Helper()
		as.Repeated = true
		require.Equal(t, as, j.mustSubmit(c))
	}
	repeated(attempt, first)
	repeated(keyed(attempt, j.NewKey()), first) // As another instance forwards it.
	require.EqualValues(t, 2, first.Version)

	// The answer outlives the instance, and a store that is built anew.
	for _, store := range []string{dir, t.TempDir()} {
		j.stop()
		j = start(store)
		repeated(attempt, first)
	}

	counts := func(c Command, version uint64) Receipt {
		t.Helper()
		got := j.mustSubmit(c)
		require.False(t, got.Repeated)
		require.Equal(t, version, got.Version)
		return got
	}
	counts(keyed(attempt, "k"), 3)                   // A key says that it is another one.
	counts(attempt, 4)                               // Something has happened since.
	second := counts(cmd("a", "note", "another"), 5) // The content differs.
	repeated(cmd("a", "note", "another"), second)
	other := cmd("a", "note", "another")
	other.SellerID = "s2"
	counts(other, 6) // The receipt is not for another seller.
	now.add(61 * time.Second)
	counts(cmd("a", "note", "another"), 7) // A client that retries is faster.
	now.add(-366 * 24 * time.Hour)
	counts(cmd("a", "note", "another"), 8) // A clock that jumps back repeats nothing for a year.

	// Two in one batch.
	twice := cmd("a", "note", "twice")
	for i, r := range j.SubmitAll(t.Context(), []Command{twice, twice}) {
		require.NoError(t, r.Err)
		require.EqualValues(t, 9, r.Receipt.Version)
		require.Equal(t, i == 1, r.Receipt.Repeated)
	}
	b.check()
}
