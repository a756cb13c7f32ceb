package journal

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// A fact waits for its shipment and is applied in order.
func TestBatchAppliesWaitingInOrder(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.decided(0, b.append(
			note("a", "n1", toy{Kind: "note", Text: "first"}), note("b", "n", toy{Kind: "note"}),
			note("a", "n2", toy{Kind: "stale"}), note("a", "n1", toy{Kind: "note", Text: "first"}), note("a", "n3", toy{Kind: "note", Text: "third"})))
		j.stop()
		for _, store := range []string{dir, t.TempDir()} {
			j = b.start(storeIn(store)).ready()
			require.EqualValues(t, 4, j.lanes.serving(0).store.Meta().Waiting, "in the store, and in a rebuilt one")
			j.stop()
		}
		j = b.start(storeIn(dir)).ready()
		j.decided(0, b.append(note("a", "c", toy{Kind: "create"})))
		k := b.check()
		require.Equal(t, []ledgerv1.Outcome{
			waits, waits, waits, duplicate, waits,
			applied, applied, ledgerv1.Outcome_OUTCOME_STALE, applied,
		}, k.outcomes())
		end := k.decisions[0][6]
		require.True(t, end.GetWaited())
		require.EqualValues(t, 0, end.GetInboxOffset())
		require.Equal(t, "corr-a", end.CorrelationID)
		require.Equal(t, "first", k.events[0][1].event.GetAfter().GetOrderId())
		require.EqualValues(t, 0, k.events[0][1].Envelope.InboxOffset)
		require.Equal(t, "third", k.events[0][2].event.GetAfter().GetOrderId())
		require.EqualValues(t, 1, j.lanes.serving(0).store.Meta().Waiting)
	})
}

// The mark of history is in each event of the shipment and outside the key, and an input that waits keeps it.
func TestBatchCarriesHistoryMark(t *testing.T) {
	t.Parallel()
	marked := func(r InboxRecord) InboxRecord {
		r.History = true
		return r
	}
	b := setup(t, 1)
	j := b.start().ready()
	j.decided(0, b.append(
		marked(note("a", "c", toy{Kind: "create"})), note("a", "c", toy{Kind: "create"}), note("a", "n", toy{Kind: "note"}),
		note("b", "c", toy{Kind: "create"}), marked(note("b", "n", toy{Kind: "note"})),
		marked(note("c", "m", toy{Kind: "mark"})),
	))
	j.stop()
	j = b.start(storeIn(t.TempDir())).ready() // The decision alone has the input that waits.
	j.decided(0, b.append(note("c", "c", toy{Kind: "create"})))
	k := b.check()
	require.Equal(t,
		[]ledgerv1.Outcome{applied, duplicate, applied, applied, applied, waits, applied, applied}, k.outcomes())
	history := map[string][]bool{}
	for _, e := range k.events[0] {
		require.Equal(t, e.event.GetAfter().GetHistory(), e.History)
		history[e.ShipmentID] = append(history[e.ShipmentID], e.History)
	}
	require.Equal(t, map[string][]bool{"a": {true, true}, "b": {false, false}, "c": {false, true}}, history)
	require.True(t, k.decisions[0][0].GetHistory())
	require.False(t, k.decisions[0][4].GetHistory())
}

// An input that waits and the creation of its shipment may be in one batch.
func TestBatchHoldsWaitingAndCreation(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		last := b.append(note("a", "n1", toy{Kind: "note"}), note("a", "c", toy{Kind: "create"}), note("a", "n1", toy{Kind: "note"}))
		j := b.start().ready()
		j.decided(0, last)
		require.Equal(t, []ledgerv1.Outcome{waits, applied, applied, duplicate}, b.check().outcomes())
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
	})
}

// Waiting ends by age, and the creation still applies the input.
func TestIntakeExpiresWaiting(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		now, dir := newClock(), t.TempDir()
		old := config(func(c *Config) { c.WaitingLimit = time.Hour })
		j := b.start(old, clock(now.now), storeIn(dir)).ready()
		j.decided(0, b.append(note("a", "n1", toy{Kind: "note"}), note("b", "n", toy{Kind: "note"})))
		now.add(2 * time.Hour)
		testkit.Eventually(t, func() bool { return len(b.read().decisions[0]) == 4 }, "both are quarantined")
		// Its key was not answered: it may come again, and waits again.
		j.decided(0, b.append(note("b", "n", toy{Kind: "note"})))
		j.stop()
		for _, store := range []string{t.TempDir(), dir} {
			j = b.start(old, clock(now.now), storeIn(store)).ready()
			require.EqualValues(t, 3, j.lanes.serving(0).store.Meta().Waiting)
			if store != dir {
				j.stop()
			}
		}
		j.decided(0, b.append(note("a", "c", toy{Kind: "create"}), note("b", "c", toy{Kind: "create"})))
		k := b.check()
		require.Equal(t, []ledgerv1.Outcome{
			waits, waits, quarantined, quarantined, waits, applied, applied, applied, applied, duplicate,
		}, k.outcomes())
		require.EqualValues(t, shipment.ReasonWaitedTooLong, k.decisions[0][2].GetReason())
		require.NotEmpty(t, k.decisions[0][2].GetBody())
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
	})
}

// More inputs may wait for a shipment than a batch holds.
func TestBatchSplitsManyWaiting(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var records []InboxRecord
		for i := range 20 {
			records = append(records, note("a", fmt.Sprint(i), toy{Kind: "note", Text: fmt.Sprint(i)}))
		}
		dir := t.TempDir()
		j := b.start(storeIn(dir)).ready()
		j.decided(0, b.append(records...))
		j.stop()
		last := b.append(note("a", "create", toy{Kind: "create"}), note("a", "after", toy{Kind: "note", Text: "after"}))
		j = b.start(storeIn(dir), config(func(c *Config) { c.MaxBatch = 6 })).ready()
		j.decided(0, last)
		k := b.check()
		require.Len(t, k.events[0], 22)
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
		sizes := map[uint64]int{}
		for i, d := range k.decisions[0][20:] {
			sizes[d.GetEventsLaneseq()]++
			if i > 0 {
				require.EqualValues(t, (i+20)%21, d.GetInboxOffset()-int64(i/21), "in order, and before any other input: %d", i)
			}
		}
		for _, n := range sizes {
			require.LessOrEqual(t, n, 7, "the creation and as many as a batch holds")
		}
	})
}

// notes are n facts of one shipment, each with a text of its own.
func notes(id string, from, n int) (records []InboxRecord) {
	for i := range n {
		text := fmt.Sprint(from + i)
		records = append(records, note(id, text, toy{Kind: "note", Text: text}))
	}
	return records
}

// Facts of a shipment that never comes cost the same reads each, and so do those that its creation applies.
func TestBatchWaitingReadsAreLinear(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		const n = 3000
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		opts := []option{storeIn(dir), config(func(c *Config) { c.WaitingCount, c.MaxBatch = n, 100 })}
		last := b.append(notes("a", 0, n)...)
		j := b.start(opts...).ready()
		j.decided(0, last)
		require.LessOrEqual(t, j.lanes.serving(0).store.Reads(), int64(8*n))
		j.stop()

		last = b.append(note("a", "create", toy{Kind: "create"}), note("a", "after", toy{Kind: "note", Text: "after"}))
		j = b.start(opts...).ready()
		j.decided(0, last)
		require.LessOrEqual(t, j.lanes.serving(0).store.Reads(), int64(12*n))
		require.LessOrEqual(t, counted(j.metrics.waitingReads), 2.0*n/100, "one read of the decisions for each batch")
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
		k := b.check()
		require.Len(t, k.events[0], n+2)
		for i, e := range k.events[0][1 : n+1] {
			require.Equal(t, fmt.Sprint(i), e.event.GetAfter().GetOrderId(), "in order")
		}
		require.Equal(t, "after", k.events[0][n+1].event.GetAfter().GetOrderId())
	})
}

// Creations of many shipments, each with a fact that waits, share the reads of the decisions.
func TestBatchReadsWaitingTogether(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		const n = 200
		b := setupOn(t, on, 1)
		dir := t.TempDir()
		var last int64
		j := b.start(storeIn(dir)).ready()
		for i := range n {
			last = b.append(note(fmt.Sprint("s", i), "n", toy{Kind: "note", Text: fmt.Sprint(i)}))
		}
		j.decided(0, last)
		created := func(i int) InboxRecord { return note(fmt.Sprint("s", i), "c", toy{Kind: "create"}) }
		j.decided(0, b.append(created(0)))
		require.Zero(t, counted(j.metrics.waitingReads), "it is still in memory")
		j.stop()
		for i := range n {
			last = b.append(created(i))
		}
		j = b.start(storeIn(dir)).ready()
		j.decided(0, last)
		require.LessOrEqual(t, counted(j.metrics.waitingReads), 20.0)
		k := b.check()
		require.Len(t, k.events[0], 2*n)
		require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
	})
}

// Facts that wait far from each other are read without what lies between.
func TestBatchReadsWaitingApart(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	dir := t.TempDir()
	j := b.start(storeIn(dir), config(func(c *Config) { c.WaitingCount = 3 * readThrough })).ready()
	b.append(notes("a", 0, 1)...)
	b.append(notes("b", 0, readThrough+1)...)
	j.decided(0, b.append(notes("a", 1, 1)...))
	j.stop()
	j = b.start(storeIn(dir)).ready()
	j.decided(0, b.append(note("a", "c", toy{Kind: "create"})))
	require.InDelta(t, 2, counted(j.metrics.waitingReads), 0)
	require.Len(t, b.check().events[0], 3)
}

// Beyond the cap a fact is quarantined: its creation does not apply it, and it can be sent again.
func TestBatchCapsWaiting(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		size := len(notes("a", 0, 1)[0].Body)
		for name, limit := range map[string]option{
			"number": config(func(c *Config) { c.WaitingCount = 3 }),
			"bytes":  config(func(c *Config) { c.WaitingBytes = 4*size - 1 }),
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				j := b.start(limit).ready()
				j.decided(0, b.append(notes("a", 0, 2)...))
				j.stop() // The next owner has the tally from the decisions.
				j = b.start(limit).ready()
				j.decided(0, b.append(append(notes("a", 2, 3), notes("b", 0, 1)...)...))
				k := b.check()
				require.Equal(t, []ledgerv1.Outcome{waits, waits, waits, quarantined, quarantined, waits}, k.outcomes())
				require.EqualValues(t, shipment.ReasonOverCap, k.decisions[0][3].GetReason())
				require.Len(t, k.decisions[0][3].GetBody(), size)
				require.EqualValues(t, 4, j.lanes.serving(0).store.Meta().Waiting)

				j.decided(0, b.append(note("a", "create", toy{Kind: "create"})))
				require.Len(t, b.check().events[0], 4, "the creation, and the facts that waited")
				j.decided(0, b.append(notes("a", 3, 2)...))
				k = b.check()
				require.Len(t, k.events[0], 6)
				require.Equal(t, "4", k.events[0][5].event.GetAfter().GetOrderId())
			})
		}
	})
}

// What a notification says of its sender waits with it, also when another owner applies it.
func TestBatchWaitingKeepsSender(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	r := note("a", "n", toy{Kind: "note"})
	r.SellerID, r.Sellers, r.TraceParent = "", []string{"s2", "s3"}, "trace"
	j := b.start().ready()
	j.decided(0, b.append(r))
	j.stop()
	j = b.start().ready()
	j.decided(0, b.append(note("a", "c", toy{Kind: "create"})))
	k := b.check()
	require.Equal(t, []ledgerv1.Outcome{waits, applied, quarantined}, k.outcomes())
	require.EqualValues(t, shipment.ReasonOtherSeller, k.decisions[0][2].GetReason())
	require.Equal(t, "trace", k.decisions[0][2].TraceParent)
}

// sentBy is a fact as another seller, or somebody who speaks for several, sends it.
func sentBy(r InboxRecord, sellerID string, sellers ...string) InboxRecord {
	r.SellerID, r.Sellers, r.AuthID = sellerID, sellers, "another"
	return r
}

// Anybody may send a fact of a shipment that nobody knows yet. It doesn't answer the same fact of the seller: both
// wait, and the creation applies the one of its seller.
func TestBatchWaitingRepeatIsPerSender(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		fact := note("a", "n", toy{Kind: "note", Text: "real"})
		others := []InboxRecord{sentBy(fact, "s3"), sentBy(fact, "", "s3", "s2"), sentBy(fact, "", "s4")}
		for i := range others {
			others[i].Sellers = append(others[i].Sellers, "s3") // The lane then checks it after the creation.
		}
		twice := append(append([]InboxRecord{}, others...), fact, others[0], fact, sentBy(fact, "", "s2", "s3", "s3"))
		held := []ledgerv1.Outcome{waits, waits, waits, waits, duplicate, duplicate, duplicate}
		ended := []ledgerv1.Outcome{applied, quarantined, quarantined, quarantined, applied, duplicate}
		for name, batches := range map[string][][]InboxRecord{
			"in one batch": {append(twice, note("a", "c", toy{Kind: "create"}), fact)},
			"one by one": {
				twice[:1], twice[1:2], twice[2:3], twice[3:4], twice[4:5], twice[5:6], twice[6:],
				{note("a", "c", toy{Kind: "create"})},
				{fact},
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				dir := t.TempDir()
				j := b.start(storeIn(dir)).ready()
				for i, records := range batches {
					if i == 4 {
						j.stop() // The next owner has the answers from the decisions.
						j = b.start(storeIn(t.TempDir())).ready()
					}
					at, err := b.inbox.AppendAll(t.Context(), records)
					require.NoError(t, err)
					j.decided(0, at[len(at)-1].Offset)
				}
				k := b.check()
				require.Equal(t, append(append([]ledgerv1.Outcome{}, held...), ended...), k.outcomes())
				require.Len(t, k.events[0], 2)
				require.Equal(t, "real", k.events[0][1].event.GetAfter().GetOrderId())
				require.EqualValues(t, 3, k.decisions[0][11].GetInboxOffset(), "the seller's own")
				require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
			})
		}
	})
}

// Facts that others send for the unborn shipment of a seller do not fill the seller's cap, and all together have one.
func TestBatchCapsWaitingBySender(t *testing.T) {
	t.Parallel()
	size := len(notes("a", 0, 1)[0].Body)
	for name, tc := range map[string]struct {
		limit option
		all   int64
	}{
		"number": {config(func(c *Config) { c.WaitingCount = 2 }), 20},
		"bytes":  {config(func(c *Config) { c.WaitingBytes = 3*size - 1 }), 29},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			from := func(sender string, first int) (list []InboxRecord) {
				for _, r := range notes("a", first, 3) {
					list = append(list, sentBy(r, sender))
				}
				return list
			}
			capped := []ledgerv1.Outcome{waits, waits, quarantined}
			j := b.start(tc.limit).ready()
			j.decided(0, b.append(from("s2", 0)...))
			require.Equal(t, capped, b.check().outcomes())
			j.stop() // The next owner has the tallies from the decisions.
			j = b.start(tc.limit).ready()
			j.decided(0, b.append(append(from("s1", 3), sentBy(note("a", "m", toy{Kind: "mark"}), "", "s1", "s2"))...))
			require.Equal(t, append(append(append([]ledgerv1.Outcome{}, capped...), capped...), waits), b.check().outcomes())

			for i := range 15 {
				j.decided(0, b.append(from(fmt.Sprint("other", i), 0)...))
			}
			require.Equal(t, tc.all, j.lanes.serving(0).store.Meta().Waiting, "ten times the cap of one")
			j.decided(0, b.append(note("a", "create", toy{Kind: "create"})))
			require.Zero(t, j.lanes.serving(0).store.Meta().Waiting)
		})
	}
}

// TestWaitingRecordsCountSellers keeps facts of a sender that speaks for many sellers.
func TestWaitingRecordsCountSellers(t *testing.T) {
	t.Parallel()
	w := waitingRecords{}
	w.clear()
	for seq := range uint64(100) {
		w.put(seq, InboxRecord{ShipmentID: "s", Sellers: manySellers("s1")})
	}
	require.LessOrEqual(t, len(w.recent)*maxSellers, 2*recentBytes)
}

// manySellers is a sender that speaks for as many sellers as a configuration may name.
func manySellers(first string) []string {
	return append([]string{first}, strings.Split(strings.Repeat("seller-123456789,", maxSellers/17-2), ",")...)
}

// A fact that waits counts with the sellers of its sender, which its decision holds too, in the cap and in the size of
// its batch.
func TestBatchCountsSellersOfSender(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var records []InboxRecord
	for i, r := range notes("a", 0, 12) {
		records = append(records, sentBy(r, "", manySellers(fmt.Sprint("s", i%2))...))
	}
	last := b.append(records...)
	limits := config(func(c *Config) { c.WaitingBytes = 5 * maxSellers })
	j := b.start(limits).ready()
	j.decided(0, last)
	k := b.check()
	var want []ledgerv1.Outcome
	for i := range records {
		want = append(want, []ledgerv1.Outcome{waits, quarantined}[i/8])
	}
	require.Equal(t, want, k.outcomes(), "four of each sender")
	j.stop()

	j = b.start(limits).ready() // The next owner has the tallies from the decisions.
	j.decided(0, b.append(sentBy(note("a", "more", toy{Kind: "note"}), "", manySellers("s0")...)))
	k = b.check()
	require.Equal(t, quarantined, k.outcomes()[12])

	var size batch
	held := InboxRecord{Body: []byte("body"), Sellers: manySellers("s0")}
	size.decided(step{in: &input{record: held}, d: shipment.Decision{Outcome: waits}})
	require.Greater(t, size.size, maxSellers)
}
