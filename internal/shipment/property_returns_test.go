package shipment

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Statuses, cancellations and returns in any order leave each unit in exactly one place. story.check asserts after each
// event what is shipped, delivered and cancelled; checkReturned counts what goes back without the code of the rules.
func TestUnitsOfReturnsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flow := created(3, 2)
		if rapid.Bool().Draw(t, "self-ship") {
			flow = createdSelf(3, 2)
		}
		facts := returnStory(t)
		st := newStory(t)
		st.decide(flow)
		st.c.Now = hour(21)
		for _, f := range rapid.Permutation(facts).Draw(t, "order") {
			st.decide(f)
			checkReturned(t, st.s)
		}
	})
}

// returnStory draws facts about two items: their statuses, cancellations, and up to three returns with their ends. Some
// returns have more units than were ordered.
func returnStory(t *rapid.T) (facts []Input) {
	hours := rapid.Permutation([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).Draw(t, "hours")
	next := func() float64 {
		h := hours[0]
		hours = hours[1:]
		return h
	}
	item := func() string { return rapid.SampledFrom([]string{"item-1", "item-2"}).Draw(t, "item") }
	for _, s := range []ledgerv1.Status{packed, shipped, delivered} {
		if rapid.Bool().Draw(t, statusName(s)) {
			facts = append(facts, reach(s, next()))
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "cancellations") {
		facts = append(facts, cancelFact(next(), "r", lineOfUnits(item(), rapid.Int64Range(1, 3).Draw(t, "units"))))
	}
	for _, id := range []string{"R-1", "R-2", "R-3"}[:rapid.IntRange(1, 3).Draw(t, "returns")] {
		source := rapid.SampledFrom([]ledgerv1.ReturnSource{fromCustomer, fromCourier}).Draw(t, "source")
		facts = append(facts, returnReported(id, source, next(), item(), rapid.Int64Range(1, 5).Draw(t, "units")))
		if rapid.Bool().Draw(t, "ended") {
			end := rapid.SampledFrom([]ledgerv1.ReturnStatus{rmaCompleted, rmaCancelled, rmaRejected}).Draw(t, "end")
			facts = append(facts, ReturnReached{at(next()), id, end, nil})
		}
	}
	return facts
}

// checkReturned asserts that what goes back was shipped, and that an item shows its returns exactly if they take all of
// its live units. Only shipped units go back: those that were cancelled on the way with the courier, and live ones.
func checkReturned(t *rapid.T, s *State) {
	for _, it := range s.GetItems() {
		var open, done, onTheWay uint64
		standing := false
		for _, r := range s.GetReturns() {
			if r.GetOrderItemId() != it.GetOrderItemId() || r.GetStatus() == rmaRejected || r.GetStatus() == rmaCancelled {
				continue
			}
			standing = true
			if r.GetStatus() == rmaCompleted {
				done += uint64(r.GetUnits())
			} else {
				open += uint64(r.GetUnits())
			}
		}
		for _, c := range it.GetCancellations() {
			if c.GetAfterShipped() && !c.GetAfterDelivered() {
				onTheWay += uint64(c.GetUnits() - c.GetRevived())
			}
		}
		alive := uint64(it.GetOrdered() - events.CancelledUnits(it))
		require.LessOrEqual(t, uint64(it.GetShipped()), uint64(it.GetOrdered()))
		if standing {
			require.GreaterOrEqual(t, uint64(it.GetShipped()), min(open+done, uint64(it.GetOrdered())),
				"what goes back has left: %v", it)
		}
		switch {
		case alive == 0:
			require.Equal(t, cancelled, it.GetStatus())
		case it.GetStatus() == returned:
			require.GreaterOrEqual(t, done, alive)
		case it.GetStatus() == requested:
			require.GreaterOrEqual(t, open+done, alive)
		default:
			require.Less(t, open+done, alive+onTheWay, "an item whose live units all go back shows it: %v", it)
		}
	}
}
