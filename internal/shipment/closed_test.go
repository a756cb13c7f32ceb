package shipment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// everyCommand returns each command as a client would send it: with ids that exist and a date that fits.
func everyCommand(s *State) []Input {
	at := When{Time: hour(2)}
	return []Input{
		RequestLabels{LocationID: location},
		CompletePacking{Revision: s.GetDocumentRevision(), Packing: &ledgerv1.Packing{InvoiceNumber: "I"}},
		FailForms{Revision: s.GetDocumentRevision(), Forms: []string{"form"}},
		Dispatch{LocationID: location},
		Cancel{LocationID: location, GroupIDs: []string{"grp-item-1"}, Reason: "b2b_order"},
		AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "form", AckNumber: "7"}}},
		DispatchSelfShip{DispatchedAt: at},
		DispatchSelfShip{DispatchedAt: at, InvoiceLines: invoice("item-1", 2)},
		AttemptDelivery{At: at, NewDue: When{Time: hour(90)}},
		ConfirmDelivery{At: at},
		UpdateTracking{Courier: &ledgerv1.Courier{TrackingId: "T-2"}, TentativeDelivery: When{Time: hour(90)}},
		ActivateService{ServiceID: "V-9", OrderItemID: "item-1"},
		AttemptService{ServiceID: "V-1", At: at, NewDue: When{Time: hour(90)}},
		AttemptService{At: at},
		CompleteService{ServiceID: "V-1", At: at},
		CompleteService{At: at},
		RequestTechVisit{ReturnID: "R-1", ServiceID: "V-8", DueAt: hour(90)},
		AttemptService{ServiceID: "V-2", At: at},
		ApproveReturn{ReturnID: "R-1"},
		RejectReturn{ReturnID: "R-1"},
		CompleteReturn{ReturnID: "R-1"},
		PickUpReturn{ReturnID: "R-1", At: at},
		AttemptPickup{ReturnID: "R-1", At: at, NewDue: When{Time: hour(90)}},
		CancelReturn{ReturnID: "R-1"},
	}
}

func TestTerminalStatesRejectCommands(t *testing.T) {
	t.Parallel()
	for name, flow := range map[string]func(...uint32) Created{"standard": created, "self-ship": createdSelf} {
		for _, s := range []ledgerv1.Status{completed, cancelled, returned} {
			for i := range everyCommand(nil) {
				c := flow(2)
				c.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1", DueAt: hour(80)}}
				t.Run(name+"/"+statusName(s)+"/"+TypeOf(everyCommand(nil)[i]), func(t *testing.T) {
					t.Parallel()
					st := given(t, c)
					st.c.Now = hour(1.5)
					if s == cancelled {
						st.decide(Cancelled{Fact: at(1)})
					} else {
						st.decide(reach(delivered, 1))
						// The service is over before the goods come back.
						st.decide(CompleteService{ServiceID: "V-1", At: When{Time: hour(1)}})
						st.decide(seen(completed, 1.1))
					}
					if s == returned {
						st.decide(returnReported("R-1", fromCustomer, 1.2, "item-1", 2))
						st.decide(ReturnReached{at(1.3), "R-1", rmaCompleted, nil})
					}
					require.Equal(t, s, st.s.Status)
					st.c.Now = hour(3)
					in := everyCommand(st.s)[i]
					if _, ok := in.(ActivateService); ok && s == completed && st.s.Fulfilment == selfShip {
						// The one thing that can still be done for a completed item.
						st.does(in, accepted, "ServiceActivated", "ServiceStarted")
						require.Equal(t, completed, st.s.Status)
						return
					}
					d := st.decide(in)
					require.Empty(t, d.Events, d.Message)
					require.NotContains(t, []ledgerv1.Outcome{accepted, applied}, d.Outcome)
				})
			}
		}
	}
}

func TestEndedReturnsRejectCommands(t *testing.T) {
	t.Parallel()
	for _, source := range []ledgerv1.ReturnSource{fromCustomer, fromCourier} {
		for _, end := range []ledgerv1.ReturnStatus{rmaCompleted, rmaRejected, rmaCancelled} {
			for _, in := range []Input{
				RequestTechVisit{ReturnID: "R-1", ServiceID: "V-8", DueAt: hour(90)},
				AttemptService{ServiceID: "V-2", At: When{Time: hour(2)}},
				ApproveReturn{ReturnID: "R-1"},
				RejectReturn{ReturnID: "R-1"},
				CompleteReturn{ReturnID: "R-1"},
				PickUpReturn{ReturnID: "R-1", At: When{Time: hour(2)}},
				AttemptPickup{ReturnID: "R-1", At: When{Time: hour(2)}},
				CancelReturn{ReturnID: "R-1"},
			} {
				rma := returnReported("R-1", source, 1.2, "item-1", 1)
				rma.Lines[0].TechVisit = &RequestTechVisit{ServiceID: "V-2", DueAt: hour(80)}
				st := given(t, createdSelf(2), reach(shipped, 1), rma)
				st.decide(Observed{Fact: at(1.3), Return: &ledgerv1.Return{ReturnId: "R-1", Status: end}})
				require.Equal(t, end, st.s.Returns[0].Status)
				st.c.Now = hour(3)
				d := st.decide(in)
				require.Equal(t, rejected, d.Outcome, "%s %s: %s", end, TypeOf(in), d.Message)
			}
		}
	}
}

func TestTerminalStatesAcceptFacts(t *testing.T) {
	t.Parallel()
	st := given(t, created(2), Cancelled{Fact: at(1)})
	st.does(DatesChanged{Fact: at(2), DispatchBy: hour(30)}, applied, "DispatchDatesChanged")
	require.Equal(t, hour(24), st.clock(clockDispatch).DueAt.AsTime(), "a promise that is over does not move")
	st.does(reach(packed, 0.5), applied, "ShipmentPacked")
	require.True(t, st.last.Events[0].Transition.Late)
	st.does(returnReported("R-1", fromCourier, 3, "item-1", 1), applied, "ReturnCreated")
	require.Equal(t, requested, st.s.Status, "what comes back has been shipped, so it is live again")
}
