package journal

import (
	"fmt"
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
