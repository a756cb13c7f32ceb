package shipment

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestInputOfEachNotification(t *testing.T) {
	t.Parallel()
	want := []string{
		"shipment_created", "shipment_hold", "shipment_unhold", "shipment_packed", "shipment_ready_to_dispatch",
		"shipment_pickup_complete", "shipment_shipped", "shipment_delivered", "shipment_dispatch_dates_changed",
		"shipment_cancelled", "shipment_form_failed", "return_created", "return_item_tracking_id_update",
		"return_expected_date_changed", "return_picked_up", "return_completed", "return_cancelled",
	}
	inputs := []Input{
		Created{},
		Hold{},
		Unhold{},
		reach(packed, 0), reach(ready, 0), reach(pickedUp, 0), reach(shipped, 0), reach(delivered, 0),
		DatesChanged{},
		Cancelled{},
		FormsFailed{},
		ReturnReported{},
		ReturnTracked{},
		ReturnExpected{},
		ReturnReached{Status: rmaPickedUp},
		ReturnReached{Status: rmaCompleted},
		ReturnReached{Status: rmaCancelled},
	}
	for i, in := range inputs {
		require.Equal(t, "notification."+want[i], TypeOf(in))
		require.True(t, IsFact(in))
	}
}

// The shipment's type decides, else the configuration.
func TestFulfilment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shipmentType string
		configured   ledgerv1.Fulfilment
		want         ledgerv1.Fulfilment
	}{
		{"SELF", standard, selfShip},
		{"NORMAL", selfShip, standard},
		{"EXPRESS", selfShip, standard},
		{"", selfShip, selfShip},
		{"", standard, standard},
		{"", 0, standard},
	} {
		st := newStory(t)
		st.c.Policy.Fulfilment = c.configured
		in := created(1)
		in.ShipmentType = c.shipmentType
		st.does(in, applied, "ShipmentCreated")
		require.Equal(t, c.want, st.s.Fulfilment, c)
	}
}

// A hold blocks the dispatch, but no cancellation.
func TestHoldBlocksSelfShipDispatch(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(2), Hold{at(0), []*ledgerv1.ItemUnits{{OrderItemId: "item-1", Units: 1}}})
	clocks := st.s.Clocks
	st.refuses(selfShipDispatch(), CodeOperationNotAllowed)
	require.Equal(t, clocks, st.s.Clocks, "a hold stops no clock")
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	st.does(Cancel{GroupIDs: []string{"grp-item-1"}, Reason: "b2b_order"}, accepted, "ItemsCancelled")
	require.False(t, st.s.OnHold, "nothing is left to hold")
}

// The earliest dispatch date blocks the command, but never a fact.
func TestDispatchDateGatesSelfShip(t *testing.T) {
	t.Parallel()
	c := createdSelf(2)
	c.DispatchAfter = hour(5)
	st := given(t, c)
	st.refuses(selfShipDispatch(), CodeOperationNotAllowed)
	st.c.Now = hour(5)
	st.does(selfShipDispatch(), accepted, "ShipmentShipped")
	st.does(DatesChanged{Fact: at(5.5), DispatchAfter: hour(50)}, applied, "DispatchDatesChanged")
	require.Equal(t, shipped, st.s.Status)
	st.c.Now = hour(20)
	st.does(ConfirmDelivery{At: When{Time: hour(19)}}, accepted, "ShipmentDelivered", "ShipmentCompleted")
	labels := given(t, created(1), RequestLabels{}, DatesChanged{Fact: at(0), DispatchAfter: hour(50)})
	labels.does(CompletePacking{Revision: 1}, accepted, "ShipmentPacked")
	labels.does(Dispatch{}, accepted, "ReadyToDispatch")
}

func TestClocksRunOnAfterPartialCancel(t *testing.T) {
	t.Parallel()
	st := given(t, created(3, 1), RequestLabels{})
	st.does(Cancel{GroupIDs: []string{"grp-item-2"}, Reason: "not_enough_inventory"}, accepted, "ItemsCancelled")
	require.Equal(t, cancelled, st.item("item-2").Status)
	require.EqualValues(t, 1, st.item("item-2").CancelledSeller)
	require.Equal(t, "not_enough_inventory", st.item("item-2").Cancellations[0].SubReason)
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 2)), applied, "ItemsCancelled")
	for _, c := range st.s.Clocks {
		require.True(t, running(c), c.Kind)
	}
	st.does(cancelFact(2, "r", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	for _, c := range st.s.Clocks {
		require.Equal(t, hour(2), c.CancelledAt.AsTime(), c.Kind)
	}
}

func TestDocumentRevisions(t *testing.T) {
	t.Parallel()
	c := created(2, 1)
	c.Forms = []*ledgerv1.Form{{Name: "EWAY"}}
	st := given(t, c)
	st.does(cancelFact(0, "r", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	require.Zero(t, st.s.DocumentRevision, "nobody has requested documents")
	st.does(RequestLabels{}, accepted, "LabelsRequested")
	require.EqualValues(t, 1, st.s.DocumentRevision)
	st.does(FailForms{Revision: 1, Forms: []string{"EWAY"}}, accepted, "FormFailed")
	st.does(FailForms{Revision: 1, Forms: []string{"EWAY"}}, duplicate)
	st.does(Cancel{GroupIDs: []string{"grp-item-2"}, Reason: "b2b_order"}, accepted, "ItemsCancelled")
	require.EqualValues(t, 1, st.s.DocumentRevision, "nothing is being rendered")
	st.does(RequestLabels{}, accepted, "LabelsRequested")
	require.EqualValues(t, 2, st.s.DocumentRevision, "labels again retries")
	require.Equal(t, ledgerv1.FormStatus_FORM_STATUS_IN_PROGRESS, st.s.Forms[0].Status)
	st.does(FailForms{Revision: 1, Forms: []string{"EWAY"}}, staleFact)
	st.does(CompletePacking{Revision: 1}, staleFact)
	require.Equal(t, packing, st.s.Status)
	st.does(Cancel{GroupIDs: []string{"grp-item-1"}, Reason: "b2b_order"}, accepted, "ItemsCancelled")
	require.EqualValues(t, 2, st.s.DocumentRevision, "nothing is left to render")
	st.does(CompletePacking{Revision: 2}, staleFact)
	require.Equal(t, cancelled, st.s.Status)
}

func TestObservedFormFailedOfItems(t *testing.T) {
	t.Parallel()
	st := given(t, created(1, 1))
	st.does(Observed{Fact: at(1), Status: formFailed, OrderItemIDs: []string{"item-2"}}, applied, "FormFailed")
	require.Equal(t, []string{"item-2"}, st.last.Events[0].GetFormFailed().OrderItemIds)
	require.Equal(t, approved, st.item("item-1").Status)
	require.Equal(t, formFailed, st.item("item-2").Status)
	st.does(Observed{Fact: at(2), Status: formFailed, OrderItemIDs: []string{"item-2"}}, duplicate)
	st.does(FormsFailed{at(2), nil}, applied, "FormFailed")
	require.Equal(t, formFailed, st.item("item-1").Status)
}

// An attempt postpones the due time and keeps the first one.
func TestAttemptsPostponeClocks(t *testing.T) {
	t.Parallel()
	c := createdSelf(2)
	c.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1", DueAt: hour(60)}}
	st := given(t, c, reach(shipped, 0))
	st.c.Now = hour(40)
	at := func(h float64) When { return When{Time: hour(h)} }
	moves := func(kind ledgerv1.ClockKind, first float64, attempt func(h float64, due When) Input) {
		t.Helper()
		require.Equal(t, hour(first), st.clock(kind).DueAt.AsTime())
		for i, step := range []struct{ due, want float64 }{
			{first + 24, first + 24}, {first - 1, first + 24}, {0, first + 24}, {first + 48, first + 48},
		} {
			due := When{}
			if step.due != 0 {
				due = at(step.due)
			}
			require.Equal(t, accepted, st.decide(attempt(float64(20+i), due)).Outcome, st.last.Message)
			require.Equal(t, hour(step.want), st.clock(kind).DueAt.AsTime())
			require.Equal(t, hour(first), st.clock(kind).FirstDueAt.AsTime())
			require.EqualValues(t, i+1, st.clock(kind).Attempts)
		}
	}
	moves(clockDeliver, 96, func(h float64, due When) Input { return AttemptDelivery{At: at(h), NewDue: due} })
	st.does(ConfirmDelivery{At: at(10)}, accepted, "ShipmentDelivered", "ServiceStarted")
	moves(clockService, 60, func(h float64, due When) Input { return AttemptService{ServiceID: "V-1", At: at(h), NewDue: due} })
	rma := returnReported("R-1", fromCustomer, 11, "item-1", 1)
	rma.Lines[0].TechVisit = &RequestTechVisit{ServiceID: "V-2", DueAt: hour(70)}
	st.does(rma, applied, "ReturnCreated", "TechVisitRequested")
	moves(clockVisit, 70, func(h float64, due When) Input { return AttemptService{ServiceID: "V-2", At: at(h), NewDue: due} })
	st.c.Now = hour(19)
	st.s.UpdatedAt = ts(hour(12))
	st.does(ApproveReturn{ReturnID: "R-1"}, accepted, "TechVisitCompleted", "ReturnApproved")
	st.c.Now = hour(40)
	approvedAt := st.s.Returns[0].Approved.At.AsTime().Sub(noon()).Hours()
	moves(clockPickup, approvedAt+7*24, func(h float64, due When) Input { return AttemptPickup{ReturnID: "R-1", At: at(h), NewDue: due} })
}

func TestAttemptOpensNoClock(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.c.Policy.ReversePickupWithin = 0
	st.decide(createdSelf(1))
	st.decide(reach(delivered, 0))
	st.decide(returnReported("R-1", fromCustomer, 0, "item-1", 1))
	st.does(ApproveReturn{ReturnID: "R-1"}, accepted, "ReturnApproved")
	require.Nil(t, st.clock(clockPickup), "no due date, no clock")
	st.c.Now = hour(5)
	st.does(AttemptPickup{ReturnID: "R-1", At: When{Time: hour(3)}}, accepted, "PickupAttempted")
	require.Nil(t, st.clock(clockPickup))
	st.does(AttemptPickup{ReturnID: "R-1", At: When{Time: hour(4)}, NewDue: When{Time: hour(30)}}, accepted, "PickupAttempted")
	require.Nil(t, st.clock(clockPickup), "without a promise there is nothing to miss")
	require.EqualValues(t, 2, st.s.Returns[0].PickupAttempts)
}

// A fact about some lines of a return ends the visits of those lines only.
func TestReturnLinesEndOwnVisits(t *testing.T) {
	t.Parallel()
	two := returnReported("R-1", fromCustomer, 2, "item-1", 1)
	two.Lines = append(two.Lines, ReturnLine{Return: &ledgerv1.Return{OrderItemId: "item-2", Source: fromCustomer}, Quantity: 1})
	for i := range two.Lines {
		two.Lines[i].TechVisit = &RequestTechVisit{ServiceID: "V-" + string(rune('1'+i)), DueAt: hour(60)}
	}
	st := given(t, createdSelf(1, 1), reach(delivered, 1), two)
	st.does(ReturnReached{at(3), "R-1", rmaCompleted, []string{"item-2"}}, applied, "TechVisitCompleted", "ReturnCompleted")
	require.Equal(t, serviceRequested, st.s.Services[0].Status)
	require.Equal(t, serviceCompleted, st.s.Services[1].Status)
	st.does(RejectReturn{ReturnID: "R-1"}, accepted, "TechVisitCancelled", "ReturnRejected")
	require.Equal(t, rmaRejected, st.s.Returns[0].Status)
	require.Equal(t, rmaCompleted, st.s.Returns[1].Status)
}

func TestRevivedUnitsCountAsDelivered(t *testing.T) {
	t.Parallel()
	d := selfShipDispatch()
	d.InvoiceLines = invoice("item-1", 3)
	st := given(t, createdSelf(3), d, cancelFact(1, "order_cancelled", lineOfUnits("item-1", 1)), returnReported("R-1", fromCourier, 1, "item-1", 1))
	st.c.Now = hour(20)
	st.does(ConfirmDelivery{At: When{Time: hour(10)}}, accepted, "ShipmentDelivered", "ShipmentCompleted")
	require.EqualValues(t, 2, st.item("item-1").Delivered)
	st.does(CancelReturn{ReturnID: "R-1"}, accepted, "ReturnCancelled")
	require.EqualValues(t, 3, st.item("item-1").Delivered)
	require.EqualValues(t, 3, live(st.item("item-1")))
}

func TestStandardServicesCompleteItem(t *testing.T) {
	t.Parallel()
	st := given(t, created(1, 1))
	st.does(Observed{Fact: at(0), Services: []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1"}, {ServiceID: "V-2", OrderItemID: "item-7"}}}, applied, "ServiceActivated")
	require.Equal(t, []string{"item-7"}, st.last.UnknownItems)
	st.does(reach(delivered, 1), applied, "ShipmentDelivered", "ServiceStarted")
	require.Equal(t, delivered, st.s.Status, "standard items without services do not complete by themselves")
	st.does(cancelFact(2, "r", lineOfUnits("item-1", 1)), applied, "ItemsCancelled", "ServiceCancelled")
}

func TestReturnFirstState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		flow   func(...uint32) Created
		source ledgerv1.ReturnSource
		want   ledgerv1.ReturnStatus
		bodies []string
	}{
		{created, fromCustomer, rmaCreated, []string{"ReturnCreated"}},
		{created, fromCourier, rmaCreated, []string{"ReturnCreated"}},
		{createdSelf, fromCustomer, rmaRequested, []string{"ReturnCreated"}},
		{createdSelf, fromCourier, rmaApproved, []string{"ReturnCreated", "ReturnApproved"}},
	} {
		st := given(t, c.flow(1), reach(shipped, 1))
		st.does(returnReported("R-1", c.source, 2, "item-1", 1), applied, c.bodies...)
		require.Equal(t, c.want, st.s.Returns[0].Status)
		require.Equal(t, c.source, st.s.Returns[0].Source, "the source is as reported, also for an item that is only shipped")
		require.Nil(t, st.s.Times.Delivered)
	}
}

func TestReturnNamesSiblings(t *testing.T) {
	t.Parallel()
	st := given(t, created(1, 1), reach(delivered, 1))
	id := st.s.GetShipmentId()
	first := returnReported("R-1", fromCustomer, 2, "item-1", 1)
	first.Siblings = Siblings{ShipmentIDs: []string{"another", id}, Count: 2}
	event := Decide(st.s, first, st.c).Events[0].GetReturnCreated()
	require.Equal(t, []string{"another", id}, event.GetSiblingShipmentIds())
	require.EqualValues(t, 2, event.GetSiblingCount())
	st.does(first, applied, "ReturnCreated")
	require.Equal(t, []string{"another", id}, st.s.Returns[0].SiblingShipmentIds)
	require.EqualValues(t, 2, st.s.Returns[0].SiblingCount)

	// A sender that names siblings among which the shipment is not names none.
	second := returnReported("R-2", fromCustomer, 2, "item-2", 1)
	second.Siblings = Siblings{ShipmentIDs: []string{"another"}, Count: 2}
	require.Empty(t, Decide(st.s, second, st.c).Events[0].GetReturnCreated().GetSiblingShipmentIds())
	st.does(second, applied, "ReturnCreated")
	require.Zero(t, st.s.Returns[1].SiblingCount)
}

// The tech visit of a return can be reported after the return.
func TestVisitReportedLater(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(1), reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
	visit := Observed{Fact: at(3), TechVisits: []RequestTechVisit{{ReturnID: "R-1", ServiceID: "V-1", DueAt: hour(60)}}}
	st.does(visit, applied, "TechVisitRequested")
	require.Equal(t, hour(60), st.clock(clockVisit).DueAt.AsTime())
	st.does(visit, duplicate)
	st.does(ApproveReturn{ReturnID: "R-1"}, accepted, "TechVisitCompleted", "ReturnApproved")
	visit.TechVisits[0].ServiceID = "V-2"
	st.does(visit, staleFact)
}

// A delivery date that is reported later opens a clock that starts at creation.
func TestClockOpenedByLaterDate(t *testing.T) {
	t.Parallel()
	c := created(1)
	c.DeliverBy, c.DispatchBy = time.Time{}, time.Time{}
	st := given(t, c)
	require.Empty(t, st.s.Clocks, "no due date, no clock")
	st.does(DatesChanged{Fact: at(0), DispatchBy: hour(30), DeliverBy: hour(90)}, applied, "DispatchDatesChanged")
	require.Equal(t, hour(-1), st.clock(clockDispatch).StartedAt.AsTime())
	require.Equal(t, hour(90), st.clock(clockDeliver).DueAt.AsTime())
}

func TestDeliveryExcludesCourierReturns(t *testing.T) {
	t.Parallel()
	c := createdSelf(2, 1)
	c.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-2", DueAt: hour(100)}}
	d := selfShipDispatch()
	d.InvoiceLines = invoice("item-1", 2, "item-2", 1)
	st := given(t, c, d, returnReported("R-1", fromCourier, 1, "item-2", 1))
	require.Equal(t, shipped, st.s.Status)
	require.True(t, running(st.clock(clockDeliver)))
	st.c.Now = hour(20)
	st.does(ConfirmDelivery{At: When{Time: hour(10)}}, accepted, "ShipmentDelivered", "ShipmentCompleted")
	require.Equal(t, []string{"item-1"}, st.last.Events[0].GetShipmentDelivered().OrderItemIds)
	require.Equal(t, []ledgerv1.Stage{1, 2, 3}, st.s.Stages)
	require.Equal(t, requested, st.item("item-2").Status)
	require.Zero(t, st.item("item-2").Delivered)
	require.Equal(t, serviceActivated, st.s.Services[0].Status)
	require.Equal(t, hour(10), st.clock(clockDeliver).Done.At.AsTime(), "nothing else is to be delivered")
	st.does(CompleteReturn{ReturnID: "R-1"}, accepted, "ReturnCompleted", "ServiceCancelled")
	require.Equal(t, returned, st.item("item-2").Status)
	require.Equal(t, completed, st.s.Status)
}

func TestPickupClockEndsWithReturn(t *testing.T) {
	t.Parallel()
	for _, end := range []ledgerv1.ReturnStatus{rmaCancelled, rmaRejected} {
		st := given(t, createdSelf(1), reach(delivered, 0), returnReported("R-1", fromCustomer, 0, "item-1", 1), ApproveReturn{ReturnID: "R-1"})
		require.True(t, running(st.clock(clockPickup)))
		st.does(Observed{Fact: at(2), Return: &ledgerv1.Return{ReturnId: "R-1", Status: end}}, applied, st.bodyOf(end))
		require.Equal(t, hour(2), st.clock(clockPickup).CancelledAt.AsTime())
		st.does(ReturnReached{at(1), "R-1", rmaPickedUp, nil}, applied, "ReturnPickedUp")
		require.Equal(t, hour(1), st.clock(clockPickup).Done.At.AsTime(), "it was picked up before")
		require.Nil(t, st.clock(clockPickup).CancelledAt)
	}
}

func (st *story) bodyOf(s ledgerv1.ReturnStatus) string {
	if s == rmaRejected {
		return "ReturnRejected"
	}
	return "ReturnCancelled"
}

func TestCreatedAgainUpdatesForms(t *testing.T) {
	t.Parallel()
	c := created(1)
	c.Forms = []*ledgerv1.Form{{Name: "EWAY"}, {Name: "ROAD"}}
	st := given(t, c)
	c.Forms = []*ledgerv1.Form{{Name: "EWAY", Link: "https://forms/1", Automated: true}, {Name: "ROAD"}, {Name: "TOLL"}}
	st.does(c, applied, "PropertiesUpdated")
	require.Len(t, st.s.Forms, 3)
	require.Equal(t, "https://forms/1", st.s.Forms[0].Link)
	require.True(t, st.s.Forms[0].Automated)
	st.does(c, duplicate)
}

// A dispatch location that makes the state too large is refused.
func TestSelfShipDispatchLocation(t *testing.T) {
	t.Parallel()
	d := selfShipDispatch()
	d.DispatchLocationJSON = `"` + strings.Repeat("x", 2_100_000) + `"`
	st := given(t, createdSelf(2))
	st.refuses(d, CodeInvalidRequest)
	require.Equal(t, approved, st.s.Status)
	d.DispatchLocationJSON = `{"locationId":"LOC2"}`
	st.does(d, accepted, "ShipmentShipped")
	require.Equal(t, d.DispatchLocationJSON, st.s.Details.DispatchLocationJson)
	require.Equal(t, "DEFAULT", st.s.Details.PackagingPolicy)
}
