package shipment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// does decides an input and asserts its outcome and its events.
func (st *story) does(in Input, want ledgerv1.Outcome, bodies ...string) {
	st.t.Helper()
	d := st.decide(in)
	require.Equal(st.t, want, d.Outcome, "%s: %s %s", TypeOf(in), d.Reason, d.Message)
	require.Equal(st.t, bodies, st.bodies())
}

// refuses decides an input and asserts the code of its rejection.
func (st *story) refuses(in Input, code Code) {
	st.t.Helper()
	d := st.decide(in)
	require.Equal(st.t, rejected, d.Outcome, d.Message)
	require.Equal(st.t, code, d.Reason, d.Message)
}

func TestStandardFlow(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	st.does(created(2), applied, "ShipmentCreated")
	st.does(RequestLabels{LocationID: location, Request: &ledgerv1.PackRequest{TaxItems: []*ledgerv1.TaxItem{{OrderItemId: "item-1", TaxRate: 18, Quantity: 2}}}}, accepted, "LabelsRequested")
	require.Equal(t, packing, st.s.Status)
	require.Equal(t, st.s.Times.LabelsRequested.At.AsTime().Add(30*time.Minute), st.clock(clockPack).DueAt.AsTime())
	st.does(CompletePacking{Revision: 1, Packing: &ledgerv1.Packing{InvoiceNumber: "INV-1", Courier: &ledgerv1.Courier{VendorGroup: "Ekart"}}}, accepted, "ShipmentPacked")
	require.NotNil(t, st.clock(clockPack).Done)
	st.does(Dispatch{LocationID: location}, accepted, "ReadyToDispatch")
	require.Nil(t, st.clock(clockDispatch).Done, "ready is not yet dispatched")
	st.does(reach(pickedUp, 1), applied, "PickupCompleted")
	require.Equal(t, hour(1), st.clock(clockDispatch).Done.At.AsTime())
	st.does(reach(shipped, 2), applied, "ShipmentShipped")
	require.Equal(t, hour(1), st.clock(clockDispatch).Done.At.AsTime(), "the first of pickup and shipping counts")
	require.Equal(t, []ledgerv1.Stage{ledgerv1.Stage_STAGE_SHIPPED}, st.last.Events[0].Transition.Stages)
	st.does(reach(delivered, 3), applied, "ShipmentDelivered")
	require.Equal(t, hour(3), st.clock(clockDeliver).Done.At.AsTime())
	require.EqualValues(t, 2, st.item("item-1").Delivered)
	st.does(returnReported("R-1", fromCustomer, 4, "item-1", 1), applied, "ReturnCreated")
	require.Equal(t, rmaCreated, st.s.Returns[0].Status)
	require.Equal(t, delivered, st.s.Status, "one of two units comes back")
	st.does(returnReported("R-2", fromCustomer, 4, "item-1", 1), applied, "ReturnCreated")
	require.Equal(t, requested, st.s.Status)
	st.does(ReturnTracked{at(5), "R-1", []*ledgerv1.ReturnTracking{{OrderItemId: "item-1", TrackingId: "T-1"}}}, applied, "ReturnTrackingUpdated")
	st.does(ReturnExpected{at(5), "R-1", []*ledgerv1.ReturnExpectedDate{{OrderItemId: "item-1", ExpectedDate: ts(hour(99))}}}, applied, "ReturnExpectedDateChanged")
	st.does(ReturnReached{at(6), "R-1", rmaPickedUp, []string{"item-1"}}, applied, "ReturnPickedUp")
	st.does(ReturnReached{at(7), "R-1", rmaCompleted, nil}, applied, "ReturnCompleted")
	require.Equal(t, requested, st.s.Status)
	st.does(ReturnReached{at(7), "R-2", rmaCancelled, nil}, applied, "ReturnCancelled")
	require.Equal(t, delivered, st.s.Status, "the unit whose return was cancelled is live")
	require.EqualValues(t, len(st.events), st.s.Version)
	require.False(t, st.s.Irregular)
}

func TestAcknowledgeFormsOneByOne(t *testing.T) {
	t.Parallel()
	c := created(1)
	c.Forms = []*ledgerv1.Form{{Name: "EWAY"}, {Name: "ROAD"}}
	st := given(t, c, RequestLabels{})
	due := st.clock(clockPack).DueAt
	st.does(FailForms{Revision: 1, Forms: []string{"EWAY", "ROAD"}}, accepted, "FormFailed")
	require.Equal(t, formFailed, st.s.Status)
	st.refuses(AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "NONE", AckNumber: "1"}}}, CodeInvalidRequest)
	st.does(AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "EWAY", AckNumber: "1"}}}, accepted, "FormAcknowledged")
	require.Equal(t, formFailed, st.s.Status, "one failed form is left")
	st.does(AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "EWAY", AckNumber: "1"}}}, duplicate)
	st.does(AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "ROAD", AckNumber: "2"}}}, accepted, "FormAcknowledged")
	require.Equal(t, packing, st.s.Status)
	require.EqualValues(t, 2, st.s.DocumentRevision)
	require.True(t, due.AsTime().Equal(st.clock(clockPack).DueAt.AsTime()), "the clock runs through FORM_FAILED")
	st.does(CompletePacking{Revision: 1}, staleFact)
	st.refuses(CompletePacking{Revision: 3}, CodeInvalidRequest)
	st.does(CompletePacking{Revision: 2}, accepted, "ShipmentPacked")
	st.does(CompletePacking{Revision: 2}, duplicate)
}

func TestCancelWhilePackingRendersAgain(t *testing.T) {
	t.Parallel()
	st := given(t, created(2, 1), RequestLabels{})
	st.does(Cancel{GroupIDs: []string{"grp-item-2"}, Reason: "cannot_procure_item"}, accepted, "ItemsCancelled")
	require.EqualValues(t, 2, st.last.Events[0].GetItemsCancelled().Revision)
	require.Equal(t, packing, st.s.Status)
	st.does(CompletePacking{Revision: 1}, staleFact)
	st.does(cancelFact(1, "order_cancelled", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	require.EqualValues(t, 3, st.s.DocumentRevision)
	st.does(CompletePacking{Revision: 3}, accepted, "ShipmentPacked")
	st.refuses(Cancel{GroupIDs: []string{"grp-item-1"}, Reason: "b2b_order"}, CodeInvalidItemState)
	// The marketplace's echo of the seller's cancellation finds nothing left.
	st.does(cancelFact(2, "seller_cancellation", lineOfUnits("item-2", 1)), duplicate)
	require.Equal(t, ReasonNothingLeft, st.last.Reason)
	require.EqualValues(t, 1, st.item("item-2").CancelledSeller)
}

// Documents follow the shipment: a cancellation after packing makes a new revision for what is left.
func TestCancelAfterPackingRendersAgain(t *testing.T) {
	t.Parallel()
	packing := &ledgerv1.Packing{InvoiceNumber: "INV-1", DocumentsRef: "docs-1"}
	st := given(t, created(2), RequestLabels{}, CompletePacking{Revision: 1, Packing: packing})
	require.EqualValues(t, 1, st.s.GetPacking().GetRevision())
	at1 := st.s.GetTimes().GetPacked()
	st.does(cancelFact(1, "order_cancelled", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	require.EqualValues(t, 2, st.last.Events[0].GetItemsCancelled().Revision)
	require.EqualValues(t, 1, st.s.GetPacking().GetRevision(), "the documents of what is left are not made yet")
	st.does(CompletePacking{Revision: 1, Packing: packing}, staleFact)
	st.does(Dispatch{}, accepted, "ReadyToDispatch")
	st.does(CompletePacking{Revision: 2, Packing: &ledgerv1.Packing{DocumentsRef: "docs-2"}}, accepted, "ShipmentPacked")
	require.Equal(t, ready, st.s.Status, "documents move nothing")
	require.True(t, at1.EqualVT(st.s.GetTimes().GetPacked()), "and it was packed when it was packed")
	require.Equal(t, "docs-2", st.s.GetPacking().GetDocumentsRef())
	require.Equal(t, "INV-1", st.s.GetPacking().GetInvoiceNumber())
	st.does(CompletePacking{Revision: 2}, duplicate)
	st.does(cancelFact(2, "order_cancelled", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	require.Zero(t, st.last.Events[0].GetItemsCancelled().Revision, "nothing is left to make documents for")
	require.Equal(t, cancelled, st.s.Status)
}

func TestHoldBlocksSellerOnly(t *testing.T) {
	t.Parallel()
	c := created(3, 2)
	c.Hold = true
	st := given(t, c)
	require.True(t, st.s.OnHold)
	st.refuses(RequestLabels{}, CodeOperationNotAllowed)
	st.does(Hold{at(1), []*ledgerv1.ItemUnits{{OrderItemId: "item-1", Units: 9}, {OrderItemId: "item-2", Units: 0}}}, applied, "ShipmentHeld")
	require.EqualValues(t, 3, st.item("item-1").Held, "capped at the live units")
	st.does(cancelFact(1, "order_cancelled", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	require.EqualValues(t, 2, st.item("item-1").Held)
	st.does(Unhold{at(2), packed}, applied, "ShipmentReleased", "ShipmentPacked")
	require.Equal(t, packed, st.s.Status)
	st.does(Hold{Fact: at(3)}, applied, "ShipmentHeld")
	st.refuses(Dispatch{}, CodeOperationNotAllowed)
	st.does(reach(shipped, 4), applied, "ShipmentShipped")
	st.does(Unhold{at(5), approved}, applied, "ShipmentReleased")
	require.Equal(t, shipped, st.s.Status)
	st.does(Hold{at(6), []*ledgerv1.ItemUnits{{OrderItemId: "item-1", Units: 1}, {OrderItemId: "item-7", Units: 1}}}, applied, "ShipmentHeld")
	require.Equal(t, []string{"item-7"}, st.last.UnknownItems)
	require.Equal(t, ReasonUnknownItems, st.last.Reason)
}

func TestDispatchDateGatesLabels(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), DatesChanged{Fact: at(0), DispatchAfter: hour(5), DispatchBy: hour(50)})
	require.Equal(t, hour(50), st.clock(clockDispatch).DueAt.AsTime())
	require.Equal(t, hour(24), st.clock(clockDispatch).FirstDueAt.AsTime())
	st.refuses(RequestLabels{}, CodeOperationNotAllowed)
	st.c.Now = hour(5)
	st.does(RequestLabels{}, accepted, "LabelsRequested")
	st.does(reach(shipped, 5), applied, "ShipmentShipped")
	st.does(DatesChanged{Fact: at(6), DispatchBy: hour(70)}, applied, "DispatchDatesChanged")
	require.Equal(t, hour(50), st.clock(clockDispatch).DueAt.AsTime(), "a promise that was met does not move")
}

func selfShipDispatch() DispatchSelfShip {
	return DispatchSelfShip{
		LocationID: location, DispatchedAt: When{Time: hour(0)}, TentativeDelivery: When{Time: hour(48)},
		Courier: &ledgerv1.Courier{VendorName: "Van", TrackingId: "T-1"}, InvoiceNumber: "I-1", InvoiceDate: When{hour(0), true},
		InvoiceLines: invoice("item-1", 2),
	}
}

func TestSelfShipFlow(t *testing.T) {
	t.Parallel()
	c := createdSelf(2)
	c.DeliverBy = time.Time{}
	st := given(t, c)
	require.Nil(t, st.clock(clockDeliver))
	wrong := selfShipDispatch()
	wrong.InvoiceLines = invoice("item-1", 1)
	st.refuses(wrong, CodeQuantityMismatch)
	early := selfShipDispatch()
	early.DispatchedAt = When{Time: hour(-48)}
	st.refuses(early, CodeInvalidDate)
	st.does(selfShipDispatch(), accepted, "ShipmentShipped")
	require.Empty(t, st.last.Events[0].Transition.Skipped, "self-ship has no states in between")
	require.Equal(t, hour(48), st.clock(clockDeliver).DueAt.AsTime(), "the seller's date counts where the marketplace names none")
	st.c.Now = hour(30)
	st.does(AttemptDelivery{At: When{hour(24), true}, Reason: "away", NewDue: When{Time: hour(72)}}, accepted, "DeliveryAttempted")
	st.does(AttemptDelivery{At: When{hour(24), true}, Reason: "away", NewDue: When{Time: hour(72)}}, accepted, "DeliveryAttempted")
	st.does(AttemptDelivery{At: When{Time: hour(26)}, Reason: "away", NewDue: When{Time: hour(60)}}, accepted, "DeliveryAttempted")
	require.Equal(t, hour(72), st.clock(clockDeliver).DueAt.AsTime(), "an earlier date moves nothing")
	require.Equal(t, hour(48), st.clock(clockDeliver).FirstDueAt.AsTime())
	require.EqualValues(t, 3, st.clock(clockDeliver).Attempts, "two on one plain day are two")
	require.EqualValues(t, 3, st.s.DeliveryAttempts)
	require.EqualValues(t, 1, st.clock(clockDeliver).Extensions)
	st.does(UpdateTracking{Courier: &ledgerv1.Courier{TrackingId: "T-2"}, TentativeDelivery: When{Time: hour(80)}}, accepted, "TrackingUpdated")
	require.Equal(t, "Van", st.s.Packing.Courier.VendorName)
	require.Equal(t, "T-2", st.s.Packing.Courier.TrackingId)
	st.refuses(ConfirmDelivery{At: When{Time: hour(54)}}, CodeInvalidDate)
	st.refuses(ConfirmDelivery{At: When{Time: hour(-24)}}, CodeInvalidDate)
	st.does(ConfirmDelivery{At: When{hour(29), true}}, accepted, "ShipmentDelivered", "ShipmentCompleted")
	require.Equal(t, completed, st.s.Status)
	require.True(t, st.s.Times.Delivered.Day)
	require.True(t, st.s.Times.Delivered.At.AsTime().Equal(st.c.Now), "the end of the day, at most now")
	require.Equal(t, []ledgerv1.Stage{1, 2, 3}, st.s.Stages)
	st.refuses(ConfirmDelivery{At: When{Time: hour(29)}}, CodeInvalidItemState)
}

func TestSelfShipFlowWithService(t *testing.T) {
	t.Parallel()
	c := createdSelf(2)
	c.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1", Description: "install", DueAt: hour(100)}}
	st := given(t, c, selfShipDispatch())
	st.refuses(AttemptService{ServiceID: "V-1", At: When{Time: hour(0)}}, CodeInvalidServiceState)
	st.does(ActivateService{ServiceID: "V-2", OrderItemID: "item-1"}, accepted, "ServiceActivated")
	st.does(ActivateService{ServiceID: "V-2", OrderItemID: "item-1"}, duplicate)
	st.c.Now = hour(20)
	st.does(ConfirmDelivery{At: When{Time: hour(19)}}, accepted, "ShipmentDelivered", "ServiceStarted")
	require.Equal(t, delivered, st.s.Status)
	require.Equal(t, hour(100), st.clock(clockService).DueAt.AsTime())
	st.refuses(AttemptService{At: When{Time: hour(20)}}, CodeInvalidService)
	st.does(AttemptService{ServiceID: "V-2", At: When{Time: hour(20)}, NewDue: When{Time: hour(40)}}, accepted, "ServiceAttempted")
	require.Len(t, st.s.Clocks, 3, "an attempt opens no clock where there was none")
	require.Nil(t, st.s.Services[1].DueAt)
	st.does(CompleteService{ServiceID: "V-2", At: When{Time: hour(20)}}, accepted, "ServiceCompleted")
	// The official client cannot send the service's id: the only open service is meant.
	st.does(AttemptService{At: When{Time: hour(20)}}, accepted, "ServiceAttempted")
	require.Equal(t, hour(100), st.clock(clockService).DueAt.AsTime(), "without a new date it only counts")
	st.does(CompleteService{At: When{Time: hour(20)}}, accepted, "ServiceCompleted", "ShipmentCompleted")
	require.Equal(t, completed, st.s.Status)
	st.does(ActivateService{ServiceID: "V-3", OrderItemID: "item-1"}, accepted, "ServiceActivated", "ServiceStarted")
	require.Equal(t, completed, st.s.Status, "a completed item stays so")
}

func TestSelfShipCancelEndsServices(t *testing.T) {
	t.Parallel()
	c := createdSelf(2)
	c.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1", DueAt: hour(100)}}
	st := given(t, c)
	st.does(Cancel{GroupIDs: []string{"grp-item-1"}, Reason: "b2b_order"}, accepted, "ItemsCancelled", "ServiceCancelled")
	require.Equal(t, cancelled, st.s.Status)
	require.Equal(t, serviceCancelled, st.s.Services[0].Status)
	require.NotNil(t, st.clock(clockDispatch).CancelledAt)
	require.NotNil(t, st.clock(clockDeliver).CancelledAt)
}

func deliveredSelf(t T) *story {
	st := given(t, createdSelf(2), selfShipDispatch())
	st.c.Now = hour(20)
	st.does(ConfirmDelivery{At: When{Time: hour(10)}}, accepted, "ShipmentDelivered", "ShipmentCompleted")
	return st
}

func TestCustomerReturnFlow(t *testing.T) {
	t.Parallel()
	st := deliveredSelf(t)
	rma := returnReported("R-1", fromCustomer, 11, "item-1", 2)
	rma.Lines[0].TechVisit = &RequestTechVisit{ServiceID: "V-1", DueAt: hour(60)}
	st.does(rma, applied, "ReturnCreated", "TechVisitRequested")
	require.Equal(t, rmaRequested, st.s.Returns[0].Status)
	require.Equal(t, requested, st.s.Status)
	st.does(AttemptService{ServiceID: "V-1", At: When{Time: hour(12)}, NewDue: When{Time: hour(70)}}, accepted, "TechVisitAttempted")
	require.Equal(t, hour(70), st.clock(clockVisit).DueAt.AsTime())
	st.refuses(CompleteService{ServiceID: "V-1", At: When{Time: hour(12)}}, CodeInvalidServiceState)
	st.refuses(ApproveReturn{ReturnID: "R-1", ServiceID: "V-7"}, CodeInvalidService)
	st.does(ApproveReturn{ReturnID: "R-1", ServiceID: "V-1", VisitedAt: When{Time: hour(13)}}, accepted, "TechVisitCompleted", "ReturnApproved")
	require.Equal(t, hour(13), st.clock(clockVisit).Done.At.AsTime())
	require.NotNil(t, st.clock(clockPickup))
	st.c.Now = hour(30)
	st.does(AttemptPickup{ReturnID: "R-1", At: When{Time: hour(25)}, NewDue: When{Time: hour(24 * 9)}}, accepted, "PickupAttempted")
	require.Equal(t, hour(24*9), st.clock(clockPickup).DueAt.AsTime())
	st.refuses(CompleteReturn{ReturnID: "R-1"}, CodeOperationNotAllowed)
	st.does(PickUpReturn{ReturnID: "R-1", At: When{Time: hour(26)}}, accepted, "ReturnPickedUp", "ReturnCompleted")
	require.Equal(t, returned, st.s.Status)
	require.NotNil(t, st.clock(clockPickup).Done)
	st.refuses(PickUpReturn{ReturnID: "R-1", At: When{Time: hour(26)}}, CodeInvalidReturnState)
}

func TestCustomerReturnRejectWithoutVisit(t *testing.T) {
	t.Parallel()
	st := deliveredSelf(t)
	st.decide(returnReported("R-1", fromCustomer, 11, "item-1", 2))
	st.does(RejectReturn{ReturnID: "R-1"}, accepted, "ReturnRejected")
	require.Equal(t, st.c.Now, st.s.Returns[0].Rejected.At.AsTime())
}

// A decision with a date of the visit was made then: later steps are judged by it.
func TestReturnDecidedAtVisit(t *testing.T) {
	t.Parallel()
	for _, day := range []bool{false, true} {
		st := deliveredSelf(t)
		st.c.Now = hour(80)
		st.decide(returnReported("R-1", fromCustomer, 11, "item-1", 1))
		st.decide(returnReported("R-2", fromCustomer, 11, "item-1", 1))
		visit := When{Time: hour(40), Day: day}
		st.refuses(ApproveReturn{ReturnID: "R-1", VisitedAt: When{Time: hour(-24)}}, CodeInvalidDate)
		st.does(ApproveReturn{ReturnID: "R-1", VisitedAt: visit}, accepted, "ReturnApproved")
		at := st.s.Returns[0].Approved
		require.Equal(t, day, at.Day, "the precision is kept")
		require.Equal(t, dayOf(hour(40)), dayOf(at.At.AsTime()))
		require.Equal(t, st.c.Policy.ReversePickupWithin, st.clock(clockPickup).DueAt.AsTime().Sub(at.At.AsTime()))
		st.refuses(PickUpReturn{ReturnID: "R-1", At: When{Time: hour(10)}}, CodeInvalidDate)
		st.does(PickUpReturn{ReturnID: "R-1", At: When{Time: hour(41)}}, accepted, "ReturnPickedUp", "ReturnCompleted")
		st.does(RejectReturn{ReturnID: "R-2", VisitedAt: visit}, accepted, "ReturnRejected")
		require.True(t, at.EqualVT(st.s.Returns[1].Rejected))
	}
}

func TestCustomerReturnRejectCancelsVisit(t *testing.T) {
	t.Parallel()
	st := deliveredSelf(t)
	st.decide(returnReported("R-1", fromCustomer, 11, "item-1", 2))
	st.does(RequestTechVisit{ReturnID: "R-1", ServiceID: "V-1", DueAt: hour(60)}, accepted, "TechVisitRequested")
	st.does(RequestTechVisit{ReturnID: "R-1", ServiceID: "V-1", DueAt: hour(60)}, duplicate)
	st.does(RejectReturn{ReturnID: "R-1", ServiceID: "V-1", Comments: "fine"}, accepted, "TechVisitCancelled", "ReturnRejected")
	require.Equal(t, serviceCancelled, st.s.Services[0].Status)
	require.Nil(t, st.s.Services[0].Completed)
	require.Nil(t, st.clock(clockVisit).Done, "a rejection completes no visit")
	require.Equal(t, st.c.Now, st.clock(clockVisit).CancelledAt.AsTime())
	require.Equal(t, completed, st.s.Status, "a rejected return no longer counts")
	st.refuses(CancelReturn{ReturnID: "R-1"}, CodeOperationNotAllowed)
}

func TestCourierReturnFlow(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(2), selfShipDispatch())
	st.does(returnReported("R-1", fromCourier, 1, "item-1", 2), applied, "ReturnCreated", "ReturnApproved")
	require.Equal(t, requested, st.s.Status)
	require.Equal(t, hour(1), st.clock(clockDeliver).CancelledAt.AsTime())
	require.Nil(t, st.clock(clockPickup), "no reverse pickup for a courier return")
	require.True(t, st.item("item-1").CourierReturn)
	st.refuses(ApproveReturn{ReturnID: "R-1"}, CodeOperationNotAllowed)
	st.does(CompleteReturn{ReturnID: "R-1"}, accepted, "ReturnCompleted")
	require.Equal(t, returned, st.s.Status)
}

func TestCancelCourierReturnDelivers(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(2), selfShipDispatch(), returnReported("R-1", fromCourier, 1, "item-1", 2))
	st.does(CancelReturn{ReturnID: "R-1"}, accepted, "ReturnCancelled", "ShipmentDelivered", "ShipmentCompleted")
	require.Equal(t, completed, st.s.Status)
	require.Equal(t, assumed, st.s.Times.Delivered.Certainty, "the command gave no time")
	require.NotNil(t, st.clock(clockDeliver).Done)
	require.Nil(t, st.clock(clockDeliver).CancelledAt, "reopened and done")
	// The marketplace's echo.
	st.does(ReturnReached{at(2), "R-1", rmaCancelled, nil}, staleFact)
}

func TestCancelCourierReturnRevivesUnits(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(2), selfShipDispatch())
	st.does(cancelFact(1, "order_cancelled", lineOfUnits("item-1", 2)), applied, "ItemsCancelled")
	require.True(t, st.last.Events[0].Transition.Irregular)
	require.Equal(t, cancelled, st.s.Status)
	st.does(returnReported("R-1", fromCourier, 1, "item-1", 2), applied, "ReturnCreated", "ReturnApproved")
	require.False(t, st.s.Returns[0].Irregular, "the courier brings back what was cancelled on the way")
	st.does(CancelReturn{ReturnID: "R-1", DeliveredAt: When{Time: hour(0.02)}}, accepted, "ReturnCancelled", "ShipmentDelivered", "ShipmentCompleted")
	require.Equal(t, completed, st.s.Status)
	require.EqualValues(t, 2, live(st.item("item-1")))
	require.Nil(t, st.s.Times.Cancelled)
	require.NotNil(t, st.clock(clockDeliver).Done)
}

// The cancellation of a standard return delivers nothing.
func TestStandardReturnCancelled(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), reach(shipped, 1), returnReported("R-1", fromCourier, 2, "item-1", 1))
	require.NotNil(t, st.clock(clockDeliver).CancelledAt)
	st.refuses(CancelReturn{ReturnID: "R-1"}, CodeOperationNotAllowed)
	st.does(ReturnReached{at(3), "R-1", rmaCancelled, nil}, applied, "ReturnCancelled")
	require.Equal(t, shipped, st.s.Status)
	require.Nil(t, st.clock(clockDeliver).CancelledAt, "the promise counts again")
}

func TestReturnImpliesShipped(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	st.does(returnReported("R-1", fromCustomer, 5, "item-1", 1), applied, "ReturnCreated")
	tr := st.last.Events[0].Transition
	require.Equal(t, []ledgerv1.Status{packing, packed, ready, pickedUp, shipped}, tr.Skipped)
	require.Equal(t, []ledgerv1.Stage{ledgerv1.Stage_STAGE_SHIPPED}, tr.Stages)
	require.Equal(t, shipped, st.item("item-1").Forward)
	require.Equal(t, inferred, st.clock(clockDispatch).Done.Certainty)
	require.Nil(t, st.s.Times.Delivered)
}

// A command that names nothing must not cancel everything.
func TestCancelNeedsGroups(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	st.refuses(Cancel{Reason: "b2b_order"}, CodeInvalidRequest)
	st.refuses(Cancel{GroupIDs: []string{}, Reason: "b2b_order"}, CodeInvalidRequest)
	require.Equal(t, approved, st.s.Status)
}

// The dates of commands are judged by the day in India, with or without a time, and kept as they were reported.
func TestCommandDatesAreDays(t *testing.T) {
	t.Parallel()
	day := func(d, h int) time.Time { return time.Date(2024, 4, d, h, 0, 0, 0, ist) }
	for name, c := range map[string]struct {
		dispatch, invoice time.Time
		refused           bool
	}{
		"two seconds ahead":            {dispatch: day(3, 10).Add(2 * time.Second)},
		"hours ahead, today":           {dispatch: day(3, 23), invoice: day(3, 23)},
		"tomorrow":                     {dispatch: day(4, 0), refused: true},
		"an invoice of tomorrow":       {dispatch: day(3, 9), invoice: day(4, 0), refused: true},
		"hours before it was ordered":  {dispatch: day(1, 0), invoice: day(1, 0)},
		"the day before it was order":  {dispatch: day(1, 0).Add(-time.Second), refused: true},
		"an invoice of the day before": {dispatch: day(3, 9), invoice: day(1, 0).Add(-time.Second), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			created := createdSelf(1)
			created.At, created.DispatchAfter = day(1, 22), time.Time{}
			for i := range created.Items {
				created.Items[i].Details.OrderDate = nil
			}
			st := newStory(t)
			st.c.Now = day(3, 10)
			st.decide(created)
			in := DispatchSelfShip{
				DispatchedAt: When{Time: c.dispatch}, InvoiceDate: When{Time: c.invoice}, InvoiceLines: invoice("item-1", 1),
			}
			if c.refused {
				st.refuses(in, CodeInvalidDate)
				return
			}
			st.does(in, accepted, "ShipmentShipped")
			require.True(t, c.dispatch.Equal(st.s.Times.Shipped.At.AsTime()), "times are kept as reported")
			require.False(t, st.s.Times.Shipped.Day)
		})
	}
}

// A return shows that the goods left: for the whole shipment, and for units that were cancelled before.
func TestReturnRevivesCancelledUnits(t *testing.T) {
	t.Parallel()
	for _, source := range []ledgerv1.ReturnSource{fromCustomer, fromCourier} {
		st := given(t, created(3, 1), Cancelled{at(1), []CancelledItem{lineOfUnits("item-1", 2)}})
		st.does(returnReported("R-1", source, 5, "item-1", 2), applied, "ReturnCreated")
		revived := st.last.Events[0].GetReturnCreated().GetRevived()
		require.Len(t, revived, 1, "one live unit, and one that was cancelled")
		require.EqualValues(t, 1, revived[0].GetUnits())
		it := st.item("item-1")
		require.EqualValues(t, 2, live(it))
		require.EqualValues(t, 2, it.GetShipped())
		require.EqualValues(t, 1, events.CancelledUnits(it))
		require.False(t, st.s.Returns[0].Irregular, "no more than were ordered")
		require.Equal(t, shipped, st.item("item-2").Forward, "a shipment leaves as one")
		require.Equal(t, inferred, st.clock(clockDispatch).Done.Certainty)
		require.Equal(t, hour(5), st.clock(clockDispatch).Done.At.AsTime())
		require.Equal(t, []ledgerv1.Stage{ledgerv1.Stage_STAGE_SHIPPED}, st.last.Events[0].Transition.Stages)

		st.does(returnReported("R-2", source, 6, "item-1", 5), applied, "ReturnCreated")
		require.True(t, st.s.Returns[1].Irregular)
		require.EqualValues(t, 5, st.s.Returns[1].Units, "the reported number is kept")
		require.EqualValues(t, 3, st.item("item-1").Shipped, "but no more can have been shipped than were ordered")
	}
}

// A customer return of goods on their way means that they will not arrive.
func TestDeliverClockEndsWithCustomerReturn(t *testing.T) {
	t.Parallel()
	st := given(t, created(2), reach(shipped, 1))
	st.does(returnReported("R-1", fromCustomer, 3, "item-1", 1), applied, "ReturnCreated")
	require.Nil(t, st.clock(clockDeliver).CancelledAt, "one unit is to arrive")
	st.does(returnReported("R-2", fromCustomer, 4, "item-1", 1), applied, "ReturnCreated")
	require.Equal(t, hour(4), st.clock(clockDeliver).CancelledAt.AsTime())
	st.does(ReturnReached{at(5), "R-2", rmaCancelled, nil}, applied, "ReturnCancelled")
	require.Nil(t, st.clock(clockDeliver).CancelledAt, "it reopens with the return")
	st.does(reach(delivered, 6), applied, "ShipmentDelivered")
	require.Equal(t, hour(6), st.clock(clockDeliver).Done.At.AsTime())
}

// Items that turned round hold no stage up: the others complete it.
func TestStageWithoutRefusedItems(t *testing.T) {
	t.Parallel()
	st := given(t, created(1, 1), reach(shipped, 1))
	st.does(Observed{Fact: at(2), Status: delivered, OrderItemIDs: []string{"item-1"}}, applied, "ShipmentDelivered")
	require.Empty(t, st.last.Events[0].Transition.Stages)
	st.does(returnReported("R-1", fromCustomer, 3, "item-2", 1), applied, "ReturnCreated")
	require.Equal(t, []ledgerv1.Stage{ledgerv1.Stage_STAGE_DELIVERED}, st.last.Events[0].Transition.Stages)
}

func TestDeliveredLeavesOutCourierReturns(t *testing.T) {
	t.Parallel()
	for _, inOrder := range []bool{true, false} {
		facts := []Input{returnReported("R-1", fromCourier, 3, "item-1", 1), reach(delivered, 4)}
		if !inOrder {
			facts[0], facts[1] = facts[1], facts[0]
		}
		st := given(t, created(3), reach(shipped, 1), facts[0], facts[1])
		require.EqualValues(t, 2, st.item("item-1").Delivered)
		st.does(ReturnReached{at(5), "R-1", rmaCancelled, nil}, applied, "ReturnCancelled")
		require.EqualValues(t, 3, st.item("item-1").Delivered)
	}
}

// A returned item whose services were cancelled is not completed.
func TestReturnedItemIsNotCompleted(t *testing.T) {
	t.Parallel()
	c := createdSelf(1)
	c.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1", DueAt: hour(100)}}
	st := given(t, c, reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
	st.does(ReturnReached{at(3), "R-1", rmaCompleted, nil}, applied, "ReturnCompleted", "ServiceCancelled")
	require.Equal(t, returned, st.s.Status)
	require.Equal(t, delivered, st.item("item-1").Forward)
	require.Nil(t, st.s.Times.ItemCompleted)
}
