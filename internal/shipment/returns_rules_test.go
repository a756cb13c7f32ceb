package shipment

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// The goods of a cancelled courier return were delivered; the other items of the shipment are still on their way.
func TestCancelReturnDeliversOnlyItsItem(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]Input{
		"the seller cancels it":                CancelReturn{ReturnID: "R-1"},
		"the marketplace reports its end":      ReturnReached{at(5), "R-1", rmaCancelled, nil},
		"the marketplace names it by its item": ReturnReached{at(5), "R-1", rmaCancelled, []string{"item-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := given(t, createdSelf(1, 1), reach(shipped, 1), returnReported("R-1", fromCourier, 2, "item-1", 1))
			st.c.Now = hour(6)
			st.decide(end)
			require.Equal(t, []string{"ReturnCancelled", "ShipmentDelivered", "ShipmentCompleted"}, st.bodies())
			require.Equal(t, completed, st.item("item-1").Forward)
			require.Equal(t, shipped, st.item("item-2").Forward)
			require.Zero(t, st.item("item-2").Delivered)
			require.Equal(t, shipped, st.s.Status)
			require.Nil(t, st.clock(clockDeliver).Done, "one item is still to arrive")
		})
	}
}

// A return that jumps over its approval has no clock of its pickup until the approval is reported. Then it is the same
// as if that had been reported first.
func TestReversePickupNeedsApproval(t *testing.T) {
	t.Parallel()
	pickedUp := ReturnReached{at(9), "R-1", rmaPickedUp, nil}
	seenApproved := func(hours float64) Observed {
		return Observed{Fact: at(hours), Return: &ledgerv1.Return{ReturnId: "R-1", OrderItemId: "item-1", Status: rmaApproved}}
	}
	play := func(facts ...Input) *story {
		st := given(t, createdSelf(1), reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
		st.c.Now = hour(21)
		for _, f := range facts {
			require.Equal(t, applied, st.decide(f).Outcome)
		}
		return st
	}
	jumped := play(pickedUp)
	require.Negative(t, (&draft{State: jumped.s}).clockAt(clockPickup, "R-1/item-1"), "nobody knows when it began")
	require.Equal(t, inferred, jumped.s.Returns[0].Approved.Certainty)
	for name, approvals := range map[string][]Input{
		"reported":                         {ReturnReached{at(4), "R-1", rmaApproved, nil}},
		"found":                            {seenApproved(4)},
		"found, and reported":              {seenApproved(5), ReturnReached{at(4), "R-1", rmaApproved, nil}},
		"found twice, the later one first": {seenApproved(6), seenApproved(4)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, last := play(append(approvals, pickedUp)...), play(append([]Input{pickedUp}, approvals...)...)
			require.True(t, first.s.Returns[0].EqualVT(last.s.Returns[0]))
			c := last.clock(clockPickup)
			require.True(t, first.clock(clockPickup).EqualVT(c), "%v\n%v", first.clock(clockPickup), c)
			require.Equal(t, hour(4), c.StartedAt.AsTime())
			require.Equal(t, hour(4).Add(first.c.Policy.ReversePickupWithin), c.DueAt.AsTime())
			require.Equal(t, hour(9), c.Done.At.AsTime())
		})
	}
}

// A policy can hold any number. A due time that no table can hold would look as if nothing were promised.
func TestPolicyPromisesAreBounded(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(1), reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
	st.c.Policy.ReversePickupWithin = math.MaxInt64
	st.c.Now = hour(5)
	require.Equal(t, accepted, st.decide(ApproveReturn{ReturnID: "R-1"}).Outcome)
	require.Equal(t, st.s.Returns[0].Approved.At.AsTime().Add(maxPromise), st.clock(clockPickup).DueAt.AsTime())
	st = given(t, created(1))
	st.c.Policy.PackWithin = math.MaxInt64
	require.Equal(t, accepted, st.decide(RequestLabels{}).Outcome)
	require.Equal(t, st.s.Times.LabelsRequested.At.AsTime().Add(maxPromise), st.clock(clockPack).DueAt.AsTime())
}

// The marketplace reports no date for the pickup of a return: its due time follows from a configured number of days.
func TestReversePickupDueIsAssumed(t *testing.T) {
	t.Parallel()
	for name, approve := range map[string]Input{
		"the seller approves":      ApproveReturn{ReturnID: "R-1"},
		"the marketplace approves": ReturnReached{at(4), "R-1", rmaApproved, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := given(t, createdSelf(1), reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
			st.c.Now = hour(5)
			st.decide(approve)
			c := st.clock(clockPickup)
			require.Equal(t, assumed, c.DueCertainty)
			require.Equal(t, st.c.Policy.ReversePickupWithin, c.DueAt.AsTime().Sub(c.StartedAt.AsTime()))
			require.Equal(t, reportedCertainty, st.clock(clockDeliver).DueCertainty, "the marketplace reported this one")
		})
	}
}

// A courier brings back the units that were cancelled on the way; those that are still live are yet to arrive.
func TestCourierReturnTakesCancelledUnitsFirst(t *testing.T) {
	t.Parallel()
	st := given(t, created(2), reach(shipped, 1), cancelFact(2, "r", lineOfUnits("item-1", 1)))
	for i, want := range []ledgerv1.Status{shipped, requested} {
		id := []string{"R-1", "R-2"}[i]
		require.Equal(t, applied, st.decide(returnReported(id, fromCourier, float64(3+i), "item-1", 1)).Outcome)
		require.Equal(t, want, st.s.GetStatus(), "return %s", id)
	}
	st.decide(ReturnReached{at(5), "R-1", rmaCompleted, nil})
	require.Equal(t, requested, st.s.GetStatus(), "the live unit is not back yet")
	st.decide(ReturnReached{at(6), "R-2", rmaCompleted, nil})
	require.Equal(t, returned, st.s.GetStatus())
}
