package shipment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A refusal says what would be accepted, or what has to happen before.
func TestRefusalsNameNextStep(t *testing.T) {
	t.Parallel()
	service := ActivateService{ServiceID: "V-1", OrderItemID: "item-1"}
	selfShip := func(more ...Input) []Input { return append([]Input{createdSelf(2), selfShipDispatch()}, more...) }
	early := selfShipDispatch()
	early.TentativeDelivery = When{Time: hour(-48)}
	short := selfShipDispatch()
	short.InvoiceLines = invoice("item-1", 1)
	for name, tc := range map[string]struct {
		given []Input
		when  Input
		says  string
	}{
		"a service is completed before its item is delivered": {
			selfShip(service),
			CompleteService{ServiceID: "V-1"},
			"Service V-1 is ACTIVATED. A service can be completed while it is in progress. " +
				"It starts with the delivery of item item-1; confirm that first.",
		},
		"a service is attempted before its item is delivered": {
			selfShip(service), AttemptService{ServiceID: "V-1"}, "It starts with the delivery of item item-1; confirm that first.",
		},
		"a customer return is completed instead of picked up": {
			selfShip(reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1)),
			CompleteReturn{ReturnID: "R-1"},
			"Return R-1 is a customer return: a courier return can be completed while it is APPROVED; " +
				"a customer return is completed by its pickup.",
		},
		"a courier return is picked up": {
			selfShip(returnReported("R-1", fromCourier, 2, "item-1", 1)),
			PickUpReturn{ReturnID: "R-1"},
			"a courier return is completed without a pickup.",
		},
		"a delivery is planned for the past": {
			[]Input{createdSelf(2)}, early, "The tentative delivery date must lie between today, 2026-03-02, and 2036-03-09.",
		},
		"an attempt plans the next one in another century": {
			selfShip(),
			AttemptDelivery{NewDue: When{Time: hour(24 * 366 * 100)}},
			"The new date of the attempt must lie between the year 1990 and 2036-03-09.",
		},
		"an invoice bills too few units": {
			[]Input{createdSelf(2)},
			short,
			"The invoice must name every unit of item item-1 that is not cancelled, and no other: 2 instead of 1.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := given(t, tc.given...)
			d := st.decide(tc.when)
			require.Equal(t, rejected, d.Outcome)
			require.Contains(t, d.Message, tc.says)
		})
	}
}
