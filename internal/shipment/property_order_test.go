package shipment

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The same reports of dates and holds end in the same due times, outcomes and holds, in whatever order they arrive, and
// whether the goods had already left by then.
func TestDuesInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		flow := created(2, 1)
		if rapid.Bool().Draw(t, "no dates at creation") {
			flow.DispatchBy, flow.DeliverBy = time.Time{}, time.Time{}
		}
		hours := rapid.Permutation([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}).Draw(t, "hours")
		next := func() float64 {
			h := hours[0]
			hours = hours[1:]
			return h
		}
		var facts []Input
		for _, s := range []ledgerv1.Status{pickedUp, shipped, delivered} {
			if rapid.Bool().Draw(t, statusName(s)) {
				facts = append(facts, reach(s, next()))
			}
		}
		for range rapid.IntRange(0, 5).Draw(t, "dates") {
			d := DatesChanged{Fact: at(next())}
			if rapid.Bool().Draw(t, "dispatch") {
				d.DispatchBy = hour(rapid.SampledFrom([]float64{2, 9, 24, 40}).Draw(t, "dispatch by"))
			}
			if rapid.Bool().Draw(t, "deliver") {
				d.DeliverBy = hour(rapid.SampledFrom([]float64{4, 13, 96}).Draw(t, "deliver by"))
			}
			facts = append(facts, d)
		}
		if rapid.Bool().Draw(t, "cancelled") {
			facts = append(facts, cancelFact(next(), "r", lineOfUnits("item-1", 2), lineOfUnits("item-2", 1)))
		}
		inOrder := playAll(t, flow, facts)
		shuffled := playAll(t, flow, rapid.Permutation(facts).Draw(t, "order"))
		require.Equal(t, outcomes(inOrder), outcomes(shuffled))
		require.True(t, inOrder.GetDispatchBy().AsTime().Equal(shuffled.GetDispatchBy().AsTime()))
		require.True(t, inOrder.GetDeliverBy().AsTime().Equal(shuffled.GetDeliverBy().AsTime()))
	})
}

// outcomes describes the clocks of a shipment: what was promised, and how it ended.
func outcomes(s *State) string {
	var b strings.Builder
	for _, kind := range []ledgerv1.ClockKind{clockDispatch, clockDeliver} {
		for _, c := range s.GetClocks() {
			if c.GetKind() != kind {
				continue
			}
			fmt.Fprintf(&b, "%s from %s first %s due %s extended %d", kind, c.GetStartedAt().AsTime(), c.GetFirstDueAt().AsTime(),
				c.GetDueAt().AsTime(), c.GetExtensions())
			if d := c.GetDone(); d != nil {
				fmt.Fprintf(&b, " done %s %s", d.GetAt().AsTime(), d.GetCertainty())
			}
			if c.GetCancelledAt() != nil {
				fmt.Fprintf(&b, " cancelled %s %s", c.GetCancelledAt().AsTime(), c.GetCancelledCertainty())
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func TestHoldsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hours := rapid.Permutation([]float64{1, 2, 3, 4, 5, 6}).Draw(t, "hours")
		var facts []Input
		for _, h := range hours[:rapid.IntRange(1, 6).Draw(t, "facts")] {
			switch rapid.IntRange(0, 2).Draw(t, "kind") {
			case 0:
				facts = append(facts, Unhold{at(h), approved})
			case 1:
				facts = append(facts, Hold{Fact: at(h)})
			default:
				facts = append(facts, Hold{at(h), []*ledgerv1.ItemUnits{
					{OrderItemId: "item-1", Units: rapid.Uint32Range(1, 3).Draw(t, "one")},
					{OrderItemId: "item-2", Units: rapid.Uint32Range(1, 3).Draw(t, "two")},
				}})
			}
		}
		inOrder := playAll(t, created(3, 2), facts)
		shuffled := playAll(t, created(3, 2), rapid.Permutation(facts).Draw(t, "order"))
		for i, it := range inOrder.GetItems() {
			require.Equal(t, it.GetHeld(), shuffled.GetItems()[i].GetHeld())
		}
		require.Equal(t, inOrder.GetOnHold(), shuffled.GetOnHold())
	})
}
