package shipment

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// inState returns a shipment of one item with two units in one of the twelve states. All its times are reported.
func inState(t T, flow Created, s ledgerv1.Status) *story {
	if flow.ShipmentType == "SELF" && s == delivered {
		// Without an open service, delivery would complete the item.
		flow.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1"}}
	}
	st := given(t, flow)
	step := func(inputs ...Input) {
		for _, in := range inputs {
			d := st.decide(in)
			require.Contains(t, []ledgerv1.Outcome{applied, accepted}, d.Outcome, "%s: %s", TypeOf(in), d.Message)
		}
	}
	labels := func() {
		if flow.ShipmentType == "SELF" {
			step(seen(packing, 0.1))
		} else {
			step(RequestLabels{})
		}
	}
	switch s {
	case packing:
		labels()
	case formFailed:
		labels()
		step(FormsFailed{at(0.2), []string{"form"}})
	case cancelled:
		step(cancelFact(0.5, "order_cancelled", lineOfUnits("item-1", 2)))
	case approved:
	default:
		labels()
		for i, target := range []ledgerv1.Status{packed, ready, pickedUp, shipped, delivered} {
			if rank(target) <= rank(s) {
				step(reach(target, 0.2+float64(i)/10))
			}
		}
		if s == completed && st.s.Status != completed {
			step(seen(completed, 0.8))
		}
		if s == requested || s == returned {
			step(returnReported("R-1", fromCustomer, 0.9, "item-1", 2))
		}
		if s == returned {
			step(ReturnReached{at(0.95), "R-1", rmaCompleted, nil})
		}
	}
	require.Equal(t, s, st.s.Status)
	return st
}

// cells translates the two letters of the tables below.
var cells = map[string]struct {
	outcome ledgerv1.Outcome
	code    Code
}{
	"ok": {outcome: accepted}, "ap": {outcome: applied}, "du": {duplicate, ""}, "st": {staleFact, ReasonOutranked},
	"qu": {quarantined, ""},
	"IS": {rejected, CodeInvalidItemState}, "PP": {rejected, CodeItemPackingInProgress}, "NP": {rejected, CodeItemNotPacked},
	"AD": {rejected, CodeItemAlreadyDispatched}, "AC": {rejected, CodeItemAlreadyCancelled}, "NA": {rejected, CodeOperationNotAllowed},
	"NR": {rejected, CodeInvalidReturn}, "NS": {rejected, CodeInvalidService}, "RS": {rejected, CodeInvalidReturnState},
}

// The columns of the tables, in the order of the states' numbers.
const columns = "APPROVED PACKING FORM_FAILED PACKED READY PICKUP SHIPPED DELIVERED COMPLETED CANCELLED RETURN_REQUESTED RETURNED"

// What each input does in each state, written by hand from the rules, not from the table in the code.
const standardTable = `
request labels    ok PP ok IS AD AD AD AD AD AC IS IS
complete packing  st ok st ok ok ok ok ok ok st st st
fail forms        st ok du st st st st st st st st st
acknowledge forms IS PP ok IS IS IS IS IS IS AC IS IS
dispatch          NP PP NP ok AD AD AD AD AD AC IS IS
cancel            ok ok ok IS IS IS IS IS IS AC IS IS
self dispatch     NA NA NA NA NA NA NA NA NA NA NA NA
attempt delivery  NA NA NA NA NA NA NA NA NA NA NA NA
confirm delivery  NA NA NA NA NA NA NA NA NA NA NA NA
update tracking   NA NA NA NA NA NA NA NA NA NA NA NA
activate service  NA NA NA NA NA NA NA NA NA NA NA NA
attempt service   NA NA NA NA NA NA NA NA NA NA NA NA
complete service  NA NA NA NA NA NA NA NA NA NA NA NA
request visit     NA NA NA NA NA NA NA NA NA NA NA NA
approve return    NA NA NA NA NA NA NA NA NA NA NA NA
reject return     NA NA NA NA NA NA NA NA NA NA NA NA
complete return   NA NA NA NA NA NA NA NA NA NA NA NA
pick up return    NA NA NA NA NA NA NA NA NA NA NA NA
attempt pickup    NA NA NA NA NA NA NA NA NA NA NA NA
cancel return     NA NA NA NA NA NA NA NA NA NA NA NA
fact packed       ap ap ap st st st st st st ap st st
fact ready        ap ap ap ap st st st st st ap st st
fact picked up    ap ap ap ap ap st st st st ap st st
fact shipped      ap ap ap ap ap ap st st st ap st st
fact delivered    ap ap ap ap ap ap ap st st ap st st
fact form failed  ap ap du st st st st st st st st st
fact cancelled    ap ap ap ap ap ap ap ap ap du ap ap
fact hold         ap ap ap ap ap ap ap ap ap st ap ap
fact unhold       ap ap ap ap ap ap ap ap ap du ap ap
fact dates        ap ap ap ap ap ap ap ap ap ap ap ap
fact again        du du du du du du du du du du du du
fact new details  ap ap ap ap ap ap ap ap ap ap ap ap
fact return       ap ap ap ap ap ap ap ap ap ap ap ap
fact tracking     qu qu qu qu qu qu qu qu qu qu qu qu
fact expected     qu qu qu qu qu qu qu qu qu qu qu qu
fact return done  qu qu qu qu qu qu qu qu qu qu qu qu
found packing     ap du du du du du du du du ap du du
found shipped     ap ap ap ap ap ap du du du ap du du
found completed   ap ap ap ap ap ap ap ap du ap ap ap
found cancelled   ap ap ap ap ap ap ap ap ap du ap ap
found approved    du du du du du du du du du du du du
unintelligible    qu qu qu qu qu qu qu qu qu qu qu qu
`

const selfShipTable = `
request labels    NA NA NA NA NA NA NA NA NA NA NA NA
complete packing  NA NA NA NA NA NA NA NA NA NA NA NA
fail forms        NA NA NA NA NA NA NA NA NA NA NA NA
acknowledge forms NA NA NA NA NA NA NA NA NA NA NA NA
dispatch          NA NA NA NA NA NA NA NA NA NA NA NA
cancel            ok ok ok IS IS IS IS IS IS AC IS IS
self dispatch     ok IS IS IS IS IS AD AD AD AC IS IS
attempt delivery  IS IS IS IS IS IS ok IS IS AC IS IS
confirm delivery  IS IS IS IS IS IS ok IS IS AC IS IS
update tracking   IS IS IS IS IS IS ok IS IS AC IS IS
activate service  ok ok ok ok ok ok ok ok ok AC ok IS
attempt service   NS NS NS NS NS NS NS NS NS NS NS NS
complete service  NS NS NS NS NS NS NS NS NS NS NS NS
request visit     NR NR NR NR NR NR NR NR NR NR ok RS
approve return    NR NR NR NR NR NR NR NR NR NR ok RS
reject return     NR NR NR NR NR NR NR NR NR NR ok RS
complete return   NR NR NR NR NR NR NR NR NR NR NA NA
pick up return    NR NR NR NR NR NR NR NR NR NR RS RS
attempt pickup    NR NR NR NR NR NR NR NR NR NR RS RS
cancel return     NR NR NR NR NR NR NR NR NR NR NA NA
fact packed       ap ap ap st st st st st st ap st st
fact ready        ap ap ap ap st st st st st ap st st
fact picked up    ap ap ap ap ap st st st st ap st st
fact shipped      ap ap ap ap ap ap st st st ap st st
fact delivered    ap ap ap ap ap ap ap st st ap st st
fact form failed  ap ap du st st st st st st st st st
fact cancelled    ap ap ap ap ap ap ap ap ap du ap ap
fact hold         ap ap ap ap ap ap ap ap ap st ap ap
fact unhold       ap ap ap ap ap ap ap ap ap du ap ap
fact dates        ap ap ap ap ap ap ap ap ap ap ap ap
fact again        du du du du du du du du du du du du
fact new details  ap ap ap ap ap ap ap ap ap ap ap ap
fact return       ap ap ap ap ap ap ap ap ap ap ap ap
fact tracking     qu qu qu qu qu qu qu qu qu qu qu qu
fact expected     qu qu qu qu qu qu qu qu qu qu qu qu
fact return done  qu qu qu qu qu qu qu qu qu qu qu qu
found packing     ap du du du du du du du du ap du du
found shipped     ap ap ap ap ap ap du du du ap du du
found completed   ap ap ap ap ap ap ap ap du ap du du
found cancelled   ap ap ap ap ap ap ap ap ap du ap ap
found approved    du du du du du du du du du du du du
unintelligible    qu qu qu qu qu qu qu qu qu qu qu qu
`

// inputNamed returns the input of a row, as it would be sent to this shipment two hours later.
func inputNamed(name string, s *State, flow Created) Input {
	switch name {
	case "request labels":
		return RequestLabels{LocationID: location}
	case "complete packing":
		return CompletePacking{Revision: s.DocumentRevision, Packing: &ledgerv1.Packing{InvoiceNumber: "INV"}}
	case "fail forms":
		return FailForms{Revision: s.DocumentRevision, Forms: []string{"form"}}
	case "acknowledge forms":
		return AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "form", AckNumber: "7"}}}
	case "dispatch":
		return Dispatch{LocationID: location}
	case "cancel":
		return Cancel{LocationID: location, GroupIDs: []string{"grp-item-1"}, Reason: "b2b_order"}
	case "self dispatch":
		return DispatchSelfShip{DispatchedAt: When{Time: hour(2)}, InvoiceLines: invoice("item-1", 2)}
	case "attempt delivery":
		return AttemptDelivery{At: When{Time: hour(2)}, Reason: "away"}
	case "confirm delivery":
		return ConfirmDelivery{At: When{Time: hour(2)}}
	case "update tracking":
		return UpdateTracking{Courier: &ledgerv1.Courier{TrackingId: "T-2"}}
	case "activate service":
		return ActivateService{ServiceID: "V-9", OrderItemID: "item-1"}
	case "attempt service":
		return AttemptService{ServiceID: "V-8", At: When{Time: hour(2)}}
	case "complete service":
		return CompleteService{ServiceID: "V-8", At: When{Time: hour(2)}}
	case "request visit":
		return RequestTechVisit{ReturnID: "R-1", ServiceID: "V-9"}
	case "approve return":
		return ApproveReturn{ReturnID: "R-1"}
	case "reject return":
		return RejectReturn{ReturnID: "R-1"}
	case "complete return":
		return CompleteReturn{ReturnID: "R-1"}
	case "pick up return":
		return PickUpReturn{ReturnID: "R-1", At: When{Time: hour(2)}}
	case "attempt pickup":
		return AttemptPickup{ReturnID: "R-1", At: When{Time: hour(2)}}
	case "cancel return":
		return CancelReturn{ReturnID: "R-1"}
	case "fact packed":
		return reach(packed, 2)
	case "fact ready":
		return reach(ready, 2)
	case "fact picked up":
		return reach(pickedUp, 2)
	case "fact shipped":
		return reach(shipped, 2)
	case "fact delivered":
		return reach(delivered, 2)
	case "fact form failed":
		return FormsFailed{at(2), []string{"form"}}
	case "fact cancelled":
		return cancelFact(2, "order_cancelled", lineOfUnits("item-1", 1))
	case "fact hold":
		return Hold{Fact: at(2)}
	case "fact unhold":
		return Unhold{at(2), approved}
	case "fact dates":
		return DatesChanged{Fact: at(2), DispatchBy: hour(30)}
	case "fact again":
		return flow
	case "fact new details":
		flow.Details = &ledgerv1.ShipmentDetails{PackagingPolicy: "GREEN_PACKAGE"}
		return flow
	case "fact return":
		return returnReported("R-2", fromCustomer, 2, "item-1", 1)
	case "fact tracking":
		return ReturnTracked{at(2), "R-9", []*ledgerv1.ReturnTracking{{OrderItemId: "item-1", TrackingId: "T"}}}
	case "fact expected":
		return ReturnExpected{at(2), "R-9", []*ledgerv1.ReturnExpectedDate{{OrderItemId: "item-1", ExpectedDate: ts(hour(9))}}}
	case "fact return done":
		return ReturnReached{at(2), "R-9", rmaCompleted, nil}
	case "found packing":
		return seen(packing, 2)
	case "found shipped":
		return seen(shipped, 2)
	case "found completed":
		return seen(completed, 2)
	case "found cancelled":
		return seen(cancelled, 2)
	case "found approved":
		return seen(approved, 2)
	case "unintelligible":
		return Unintelligible{at(2), "shipment_teleported", ReasonUnknownEventType, "There is no such event."}
	default:
		return nil
	}
}

func TestEveryInputInEveryState(t *testing.T) {
	t.Parallel()
	for name, flow := range map[string]struct {
		created Created
		table   string
	}{"standard": {created(2), standardTable}, "self-ship": {createdSelf(2), selfShipTable}} {
		for _, line := range strings.Split(strings.TrimSpace(flow.table), "\n") {
			input, want := strings.TrimSpace(line[:18]), strings.Fields(line[18:])
			require.Len(t, want, 12)
			for i, column := range strings.Fields(columns) {
				t.Run(name+"/"+column+"/"+input, func(t *testing.T) {
					t.Parallel()
					st := inState(t, flow.created, ledgerv1.Status(i+1))
					st.c.Now = hour(3)
					in := inputNamed(input, st.s, flow.created)
					d := st.decide(in)
					expected := cells[want[i]]
					require.Equal(t, expected.outcome, d.Outcome, d.Message)
					if expected.code != "" {
						require.Equal(t, expected.code, d.Reason)
					}
					if d.Outcome == rejected {
						require.Contains(t, d.Message, ship)
						require.Contains(t, d.Message, statusName(st.s.Status))
					}
					if strings.HasSuffix(input, " attempt") || strings.HasPrefix(input, "attempt ") {
						return // Each attempt counts.
					}
					// The same input again changes nothing.
					d = st.decide(in)
					require.Empty(t, d.Events, d.Message)
				})
			}
		}
	}
}

// A seller whose marketplace is another system gives its commands there.
func TestCommandsOfExternalSellers(t *testing.T) {
	t.Parallel()
	for _, in := range []Input{
		RequestLabels{},
		CompletePacking{},
		FailForms{},
		Dispatch{},
		Cancel{},
		AcknowledgeForms{},
		DispatchSelfShip{},
		AttemptDelivery{},
		ConfirmDelivery{},
		UpdateTracking{},
		ActivateService{},
		AttemptService{},
		CompleteService{},
		RequestTechVisit{},
		ApproveReturn{},
		RejectReturn{},
		CompleteReturn{},
		PickUpReturn{},
		AttemptPickup{},
		CancelReturn{},
	} {
		t.Run(TypeOf(in), func(t *testing.T) {
			t.Parallel()
			require.False(t, IsFact(in))
			st := given(t, created(1))
			st.c.Policy.Own = false
			require.Equal(t, CodeOperationNotAllowed, st.decide(in).Reason)
			st.c.SellerID = "another"
			require.Equal(t, CodeInvalidShipments, st.decide(in).Reason)
			require.NotContains(t, st.last.Message, ship, "another seller learns nothing")
			require.Equal(t, CodeInvalidShipments, newStory(t).decide(in).Reason)
		})
	}
}

func TestFactsWaitForShipment(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"fact packed", "fact shipped", "fact form failed", "fact cancelled", "fact hold", "fact unhold", "fact dates",
		"fact return", "fact tracking", "fact expected", "fact return done", "found shipped",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newStory(t)
			st.c.Now = hour(3)
			d := st.decide(inputNamed(name, &State{}, created(1)))
			require.Equal(t, waiting, d.Outcome)
			require.Equal(t, ReasonUnknownShipment, d.Reason)
			require.Nil(t, d.State)
		})
	}
	require.True(t, time.Time{}.IsZero())
}
