package lanestore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// facts writes decisions about facts of one unknown shipment, a batch of them at a time. The number of a fact is its
// offset in the inbox.
type facts struct {
	t     *testing.T
	s     *Store
	seq   uint64
	batch int
}

func (f *facts) decide(from, to int64, at func(n int64) time.Time, fill func(*ledgerv1.Decision)) {
	f.t.Helper()
	b := f.s.Begin()
	for n := from; n < to; n++ {
		f.seq++
		d := &ledgerv1.Decision{ShipmentId: "a", InboxOffset: &n, Outcome: ledgerv1.Outcome_OUTCOME_WAITING, Body: []byte("body")}
		fill(d)
		env := events.Envelope{ShipmentID: "a", RecordedAt: at(n).AddDate(10, 0, 0), DecidedAt: at(n), LaneSeq: f.seq}
		require.NoError(f.t, b.Decision(&env, d, int64(10*f.seq), events.Chain{Seq: f.seq}))
		if (n+1)%int64(f.batch) == 0 {
			require.NoError(f.t, b.Commit())
			b = f.s.Begin()
		}
	}
	require.NoError(f.t, b.Commit())
}

func begins(*ledgerv1.Decision) {}

func ends(d *ledgerv1.Decision) { d.Waited, d.Outcome = true, ledgerv1.Outcome_OUTCOME_APPLIED }

func expires(d *ledgerv1.Decision) {
	d.Waited, d.Outcome = true, ledgerv1.Outcome_OUTCOME_QUARANTINED
	d.Reason = string(shipment.ReasonWaitedTooLong)
}

// Each fact costs the same reads, however many wait with it.
func TestStoreWaitingReadsAreLinear(t *testing.T) {
	t.Parallel()
	const n = 20_000
	start := time.UnixMilli(1_700_000_000_000).UTC()
	at := func(n int64) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }
	for _, batch := range []int{1000, 100_000} {
		s := open(t, t.TempDir(), ledger)
		f := &facts{t: t, s: s, batch: batch}
		f.decide(0, n, at, begins)
		require.LessOrEqual(t, s.Reads(), int64(n), "recorded")
		since, found, err := s.OldestWaiting()
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, start, since)

		for from := int64(0); from < n/2; from += 500 {
			before := s.Reads()
			list, err := s.WaitingSince(at(n/2-1), 500)
			require.NoError(t, err)
			require.Len(t, list, 500)
			require.Equal(t, Waiting{ShipmentID: "a", Seq: uint64(from) + 1, Decision: 10 * (from + 1), Inbox: from, Sender: SenderOf("", nil), Bytes: 4, Since: at(from)}, list[0])
			f.decide(from, from+500, at, expires)
			since, _, err = s.OldestWaiting()
			require.NoError(t, err)
			require.Equal(t, at(from+500), since)
			require.LessOrEqual(t, s.Reads()-before, int64(5*500), "expired")
		}
		list, err := s.WaitingSince(at(n/2-1), 500)
		require.NoError(t, err)
		require.Empty(t, list)

		require.EqualValues(t, n, s.Meta().Waiting)
		list, err = s.WaitingFor("a")
		require.NoError(t, err)
		require.Len(t, list, n)
		require.True(t, list[0].Quarantined)
		require.False(t, list[n-1].Quarantined)
		tally, err := s.WaitingTally("a")
		require.NoError(t, err)
		require.Equal(t, Tally{Count: n, Bytes: 4 * n}, tally)

		before := s.Reads()
		f.decide(0, n, at, ends)
		require.LessOrEqual(t, s.Reads()-before, int64(4*n), "applied")
		tally, err = s.WaitingTally("a")
		require.NoError(t, err)
		require.Zero(t, tally)
		require.Zero(t, s.Meta().Waiting)
		_, found, err = s.OldestWaiting()
		require.NoError(t, err)
		require.False(t, found)
		require.NoError(t, s.WaitingShipments(func(id string) error { t.Error(id); return nil }))
	}
}

// A fact may begin to wait, expire and end in one batch, as a takeover reads it.
func TestStoreWaitingEndsInOneBatch(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), ledger)
	now := time.UnixMilli(1_700_000_000_000).UTC()
	b := s.Begin()
	seq := uint64(0)
	for _, fill := range []func(*ledgerv1.Decision){begins, expires, ends, ends} {
		for n := range int64(2) {
			seq++
			d := &ledgerv1.Decision{ShipmentId: "a", InboxOffset: &n, Outcome: ledgerv1.Outcome_OUTCOME_WAITING}
			if fill(d); n == 1 && seq > 4 {
				continue
			}
			env := events.Envelope{ShipmentID: "a", RecordedAt: now, LaneSeq: seq}
			require.NoError(t, b.Decision(&env, d, int64(seq), events.Chain{Seq: seq}))
		}
	}
	require.NoError(t, b.Commit())
	require.EqualValues(t, 1, s.Meta().Waiting)
	list, err := s.WaitingFor("a")
	require.NoError(t, err)
	require.Equal(t, []Waiting{{ShipmentID: "a", Seq: 2, Decision: 2, Inbox: 1, Sender: SenderOf("", nil), Since: now, Quarantined: true}}, list)
	_, found, err := s.OldestWaiting()
	require.NoError(t, err)
	require.False(t, found)
}

// A clock that ran ahead does not make facts wait until it is there again.
func TestStoreCapsWaiting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, ledger)
	now := time.UnixMilli(1_700_000_000_000).UTC()
	f := &facts{t: t, s: s, batch: 2}
	f.decide(0, 5, func(n int64) time.Time { return now.AddDate(10*int(n%2), 0, int(n-10)) }, begins)
	require.NoError(t, s.CapWaiting(now))
	for range 2 {
		list, err := s.WaitingSince(now, 10)
		require.NoError(t, err)
		var order []int64
		for _, w := range list {
			order = append(order, w.Inbox)
			require.False(t, w.Since.After(now))
		}
		require.Equal(t, []int64{0, 2, 4, 1, 3}, order)
		require.NoError(t, s.Close())
		s = open(t, dir, ledger)
		f.s = s
	}
	// Later facts are older: the clock was set back.
	f.decide(5, 6, func(int64) time.Time { return now.AddDate(-1, 0, 0) }, begins)
	since, _, err := s.OldestWaiting()
	require.NoError(t, err)
	require.Equal(t, now.AddDate(-1, 0, 0), since)
}

// The tallies count what waits now, of each sender and of all, however it ended: a cap on them must open again.
func TestStoreTalliesWaiting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, ledger)
	now := time.UnixMilli(1_700_000_000_000).UTC()
	f := &facts{t: t, s: s, batch: 3}
	at := func(int64) time.Time { return now }
	sets := [][]string{{"s1"}, {"s1", "s2"}, {"s2", "s1"}} // The third is the second in another order.
	from := func(fill func(*ledgerv1.Decision)) func(*ledgerv1.Decision) {
		return func(d *ledgerv1.Decision) {
			d.SenderSellers = sets[d.GetInboxOffset()%3]
			if fill(d); d.GetWaited() {
				d.SenderSellers = nil // Only the decision to wait names them.
			}
		}
	}
	expect := func(one, both int) {
		t.Helper()
		for range 2 {
			for sender, want := range map[Sender]Tally{
				SenderOf("", sets[0]): {one, one * len("body....")}, // The sellers of the sender count, with 2 bytes more for each.
				SenderOf("", sets[1]): {both, both * len("body........")},
				SenderOf("s1", nil):   {},
			} {
				tally, err := s.SenderTally("a", sender)
				require.NoError(t, err)
				require.Equal(t, want, tally)
			}
			all, err := s.WaitingTally("a")
			require.NoError(t, err)
			require.Equal(t, Tally{Count: one + both, Bytes: 8*one + 12*both}, all)
			require.NoError(t, s.Close())
			s = open(t, dir, ledger)
			f.s = s
		}
	}
	f.decide(0, 12, at, from(begins))
	expect(4, 8)
	f.decide(0, 4, at, from(expires))
	expect(4, 8)
	f.decide(3, 6, at, from(ends))
	f.decide(6, 7, at, from(ends))
	expect(2, 6)
	f.decide(0, 3, at, from(ends))
	f.decide(7, 12, at, from(ends))
	expect(0, 0)
}
