package shipment

import (
	"testing"

	"github.com/stretchr/testify/require"
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
