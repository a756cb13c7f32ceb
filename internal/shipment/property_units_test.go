package shipment

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Units end alike in whatever order statuses and returns, or statuses and cancellations, arrive. With a return and a
// cancellation of one item the order counts: see TestCancelAndReturnOfTheSameUnits.
func TestUnitsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flow := created(3, 2)
		if rapid.Bool().Draw(t, "self-ship") {
			flow = createdSelf(3, 2)
		}
		returns := rapid.Bool().Draw(t, "with returns")
		hours := rapid.Permutation([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).Draw(t, "hours")
		next := func() float64 {
			h := hours[0]
			hours = hours[1:]
			return h
		}
		var facts []Input
		for _, s := range []ledgerv1.Status{packed, shipped, delivered} {
			if rapid.Bool().Draw(t, statusName(s)) {
				facts = append(facts, reach(s, next()))
			}
		}
		for _, id := range []string{"item-1", "item-2"} {
			if !returns {
				facts = append(facts, cancelFact(next(), "r", lineOfUnits(id, rapid.Int64Range(1, 2).Draw(t, "units"))))
				continue
			}
			source := rapid.SampledFrom([]ledgerv1.ReturnSource{fromCustomer, fromCourier}).Draw(t, "source")
			facts = append(facts, returnReported("R-"+id, source, next(), id, rapid.Int64Range(1, 3).Draw(t, "units")))
		}
		inOrder, shuffled := playAll(t, flow, facts), playAll(t, flow, rapid.Permutation(facts).Draw(t, "order"))
		for i, it := range inOrder.GetItems() {
			other := shuffled.GetItems()[i]
			require.Equal(t, events.CancelledUnits(it), events.CancelledUnits(other))
			require.Equal(t, it.GetStatus(), other.GetStatus())
			if returns {
				require.Equal(t, it.GetShipped(), other.GetShipped())
				require.Equal(t, it.GetDelivered(), other.GetDelivered())
			}
		}
	})
}

// Whether units were cancelled before they were shipped, or on their way, is judged by how far the item had got when
// the cancellation arrived. The marketplace's times can't decide it: a return shows only that the goods had left by
// then, and a cancellation may be reported long after it happened.
func TestCancelAndReturnOfTheSameUnits(t *testing.T) {
	t.Parallel()
	cancel, back := cancelFact(1, "r", lineOfUnits("item-1", 2)), returnReported("R-1", fromCourier, 5, "item-1", 1)
	play := func(facts ...Input) *State {
		st := given(t, created(2))
		for _, f := range facts {
			require.Equal(t, applied, st.decide(f).Outcome)
		}
		return st.s
	}
	t.Run("the cancellation first", func(t *testing.T) {
		t.Parallel()
		s := play(cancel, back)
		require.Equal(t, requested, s.GetStatus(), "the unit had been shipped, so it was not cancelled")
		require.EqualValues(t, 1, live(s.GetItems()[0]))
		require.EqualValues(t, 1, s.GetItems()[0].GetShipped())
		require.False(t, s.GetIrregular())
	})
	t.Run("the return first", func(t *testing.T) {
		t.Parallel()
		s := play(back, cancel)
		require.Equal(t, cancelled, s.GetStatus(), "shipped units were cancelled, and the courier brings one back")
		require.EqualValues(t, 2, s.GetItems()[0].GetShipped())
		require.True(t, s.GetIrregular(), "a person can see that the two contradict each other")
	})
}
