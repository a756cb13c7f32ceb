package shipment

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// A jump names the states that it skipped, and a late fact corrects their times.
func TestJumpNamesSkippedStates(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	st.does(reach(delivered, 5), applied, "ShipmentDelivered")
	tr := st.last.Events[0].Transition
	require.Equal(t, []ledgerv1.Status{packing, packed, ready, pickedUp, shipped}, tr.Skipped)
	require.Equal(t, []ledgerv1.Stage{1, 2}, tr.Stages)
	require.Equal(t, inferred, st.s.Times.Shipped.Certainty)
	require.Equal(t, inferred, st.clock(clockDispatch).Done.Certainty)
	st.does(reach(shipped, 4), applied, "ShipmentShipped")
	tr = st.last.Events[0].Transition
	require.True(t, tr.Late)
	require.False(t, tr.Irregular)
	require.Equal(t, tr.From, tr.To)
	require.Equal(t, hour(4), st.clock(clockDispatch).Done.At.AsTime())
	require.Equal(t, reportedCertainty, st.clock(clockDispatch).Done.Certainty)
	require.Equal(t, hour(4), st.s.Times.Packed.At.AsTime(), "what was packed was packed before it was shipped")
	st.does(reach(shipped, 4), duplicate)
	st.does(reach(shipped, 3), staleFact)
	require.Equal(t, ReasonOutranked, st.last.Reason)
}

// From SHIPPED on a cancellation is irregular.
func TestCancellationInEveryState(t *testing.T) {
	t.Parallel()
	for _, s := range []ledgerv1.Status{approved, packed, pickedUp, shipped, delivered, completed} {
		st := given(t, created(2))
		if s != approved {
			st.decide(seen(s, 1))
		}
		st.does(Cancelled{Fact: at(2)}, applied, "ItemsCancelled")
		require.Equal(t, cancelled, st.s.Status)
		require.Equal(t, rank(s) >= rank(shipped), st.s.Irregular, s)
		require.Equal(t, rank(s) >= rank(shipped), st.item("item-1").Cancellations[0].AfterShipped)
		require.Equal(t, hour(2), st.s.Times.Cancelled.At.AsTime())
	}
}

func TestClockMetStaysMetAfterCancellation(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), reach(delivered, 3))
	st.does(Cancelled{Fact: at(4)}, applied, "ItemsCancelled")
	require.Equal(t, hour(3), st.clock(clockDeliver).Done.At.AsTime())
	require.Nil(t, st.clock(clockDeliver).CancelledAt)
}

// A completion before the cancellation counts, though it is reported after it.
func TestClockCountsLateCompletion(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), Cancelled{Fact: at(4)})
	require.Equal(t, hour(4), st.clock(clockDispatch).CancelledAt.AsTime())
	st.does(reach(shipped, 3), applied, "ShipmentShipped")
	require.False(t, st.s.Irregular)
	require.Equal(t, hour(3), st.clock(clockDispatch).Done.At.AsTime())
	require.Nil(t, st.clock(clockDispatch).CancelledAt)
	st.does(reach(delivered, 6), applied, "ShipmentDelivered")
	require.True(t, st.last.Events[0].Transition.Irregular, "it happened after the cancellation")
	require.NotNil(t, st.clock(clockDeliver).CancelledAt)
	require.Equal(t, cancelled, st.s.Status)
}

// By default the quantity is cancelled on top of what was cancelled before, up to the live units.
func TestCancellationIsCapped(t *testing.T) {
	t.Parallel()
	st := given(t, created(3))
	st.c.Policy.CancelledBy = map[string]ledgerv1.CancelledBy{"order_cancelled": ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER}
	st.does(cancelFact(1, "order_cancelled", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	st.does(cancelFact(1, "order_cancelled", lineOfUnits("item-1", 1)), duplicate)
	st.does(cancelFact(2, "seller_cancellation", lineOfUnits("item-1", 5)), applied, "ItemsCancelled")
	require.True(t, st.last.Events[0].Transition.Irregular, "more than was left")
	it := st.item("item-1")
	require.EqualValues(t, 1, it.CancelledCustomer)
	require.EqualValues(t, 2, it.CancelledSeller)
	st.does(cancelFact(3, "whatever", lineOfUnits("item-1", 1)), duplicate)
	require.Equal(t, ReasonNothingLeft, st.last.Reason)
}

func TestCancellationAbsolute(t *testing.T) {
	t.Parallel()
	st := given(t, created(3))
	st.c.Policy.AbsoluteCancellations = true
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	st.does(cancelFact(2, "r", lineOfUnits("item-1", 1)), duplicate)
	st.does(cancelFact(3, "r", lineOfUnits("item-1", 3)), applied, "ItemsCancelled")
	require.EqualValues(t, 3, st.item("item-1").CancelledUnknown)
}

func TestCancellationEchoFillsReason(t *testing.T) {
	t.Parallel()
	c := created(2)
	c.Items[0].Cancelled = 2
	st := given(t, c)
	require.Equal(t, cancelled, st.s.Status)
	require.EqualValues(t, 2, st.item("item-1").CancelledUnknown)
	st.does(cancelFact(1, "seller_cancellation", lineOfUnits("item-1", 2)), duplicate, "PropertiesUpdated")
	require.Equal(t, ReasonNothingLeft, st.last.Reason)
	require.EqualValues(t, 2, st.item("item-1").CancelledSeller)
	require.Zero(t, st.item("item-1").CancelledUnknown)
	require.Equal(t, "seller_cancellation", st.item("item-1").Cancellations[0].Reason)
}

// The known items of the fact are applied.
func TestUnknownItemsAreNamed(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 1), lineOfUnits("item-8", 1)), applied, "ItemsCancelled")
	require.Equal(t, ReasonUnknownItems, st.last.Reason)
	require.Equal(t, []string{"item-8"}, st.last.UnknownItems)
	st.does(cancelFact(2, "r", lineOfUnits("item-8", 1)), quarantined)
	require.Equal(t, ReasonUnknownItems, st.last.Reason)
	require.Equal(t, []string{"item-8"}, st.last.UnknownItems)
}

// A shipment that is shipped when it is first reported gets two events.
func TestCreatedAsShipped(t *testing.T) {
	t.Parallel()
	c := created(1, 2)
	c.Status = shipped
	st := newStory(t)
	st.does(c, applied, "ShipmentCreated", "ShipmentShipped")
	require.Equal(t, shipped, st.s.Status)
	require.Equal(t, inferred, st.s.Times.Shipped.Certainty)
	st.does(reach(shipped, -0.5), applied, "ShipmentShipped")
	require.Equal(t, hour(-0.5), st.clock(clockDispatch).Done.At.AsTime())
}

func TestCreatedWithMixedStates(t *testing.T) {
	t.Parallel()
	c := created(1, 2, 1)
	c.Items[0].Status, c.Items[1].Status, c.Items[2].Status = delivered, packed, cancelled
	st := newStory(t)
	st.does(c, applied, "ShipmentCreated", "ItemsCancelled", "ShipmentPacked", "ShipmentDelivered")
	require.Equal(t, delivered, st.item("item-1").Status)
	require.Equal(t, packed, st.item("item-2").Status)
	require.Equal(t, cancelled, st.item("item-3").Status)
	require.Equal(t, packed, st.s.Status, "the lowest item that is not cancelled")
	require.Empty(t, st.s.Stages)
	st.does(cancelFact(1, "r", lineOfUnits("item-2", 2)), applied, "ItemsCancelled")
	require.Equal(t, []ledgerv1.Stage{1, 2}, st.last.Events[0].Transition.Stages, "a cancellation can bring the rest to a stage")
	require.NotNil(t, st.clock(clockDeliver).Done)
}

// A second creation updates what differs and moves no state.
func TestCreatedAgain(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), reach(shipped, 1))
	again := created(1)
	again.Status, again.Hold = approved, true
	again.DeliverBy, again.MarketUpdatedAt = hour(120), hour(2)
	again.Details = &ledgerv1.ShipmentDetails{DeliveryAddress: &ledgerv1.Address{City: "Pune"}}
	again.Items[0].Details = &ledgerv1.ItemDetails{Sku: "new"}
	again.Items = append(again.Items, CreatedItem{OrderItemID: "item-5", Quantity: 1})
	again.Forms = []*ledgerv1.Form{{Name: "EWAY", Link: "x"}}
	st.does(again, applied, "PropertiesUpdated")
	require.Equal(t, []string{
		"details.delivery_address", "items.item-1.sku", "items.item-5", "forms", "deliver_by", "marketplace_updated_at",
	}, st.last.Events[0].GetPropertiesUpdated().Changed)
	require.EqualValues(t, 1, st.item("item-5").Ordered, "an item that a later report adds is added")
	require.EqualValues(t, 1, st.item("item-5").Shipped)
	require.Equal(t, shipped, st.s.Status, "a shipment moves as one")
	require.False(t, st.s.OnHold)
	require.Equal(t, "DEFAULT", st.s.Details.PackagingPolicy)
	require.Equal(t, hour(120), st.clock(clockDeliver).DueAt.AsTime())
	again.Items = again.Items[:1]
	st.does(again, duplicate)
	old := created(1)
	st.does(old, staleFact)
}

// A pull finds what no notification has reported.
func TestObserved(t *testing.T) {
	t.Parallel()
	st := given(t, created(1, 1), reach(delivered, 1))
	st.does(Observed{
		Fact: at(2), Status: completed, OrderItemIDs: []string{"item-1", "item-7"},
		Details: &ledgerv1.ShipmentDetails{Buyer: &ledgerv1.Buyer{FirstName: "A"}}, Packing: &ledgerv1.Packing{InvoiceNumber: "I"},
	}, applied, "PropertiesUpdated", "ShipmentCompleted")
	require.Equal(t, []string{"item-7"}, st.last.UnknownItems)
	require.Equal(t, delivered, st.s.Status, "one item is complete")
	require.Equal(t, inferred, st.s.Times.ItemCompleted.Certainty)
	require.Nil(t, st.s.Times.Completed, "the shipment is completed with its last item")
	require.Equal(t, []string{"item-1"}, st.last.Events[1].GetShipmentCompleted().OrderItemIds)
	found := &ledgerv1.Return{ReturnId: "R-1", OrderItemId: "item-2", Units: 1, Source: fromCustomer, Status: rmaApproved}
	st.does(Observed{Fact: at(3), Return: found}, applied, "ReturnCreated", "ReturnApproved")
	require.Nil(t, st.clock(clockPickup), "a reverse pickup is the self-ship seller's")
	st.does(Observed{Fact: at(4), Return: &ledgerv1.Return{ReturnId: "R-1", ShipmentStatus: "in_transit", ReplacementOrderItemId: "n-1"}}, applied, "ReturnUpdated")
	require.Equal(t, "n-1", st.s.Returns[0].ReplacementOrderItemId)
	st.does(Observed{Fact: at(5), Return: &ledgerv1.Return{ReturnId: "R-1", Status: rmaRejected}}, applied, "ReturnRejected")
	require.Equal(t, delivered, st.item("item-2").Status)
	st.does(Observed{Fact: at(6), Services: []ActivateService{{ServiceID: "V-1", OrderItemID: "item-2", DueAt: hour(99)}}}, applied, "ServiceActivated", "ServiceStarted")
	st.does(Observed{Fact: at(7), Status: packing}, duplicate)
	st.does(Observed{Fact: at(7), Status: requested}, duplicate)
}

func TestDeliveredFactCompletesSelfShip(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(1), reach(shipped, 1))
	st.does(reach(delivered, 2), applied, "ShipmentDelivered", "ShipmentCompleted")
	require.Equal(t, completed, st.s.Status)
}

func TestReturnContradictionIsIrregular(t *testing.T) {
	t.Parallel()
	st := given(t, created(2), reach(delivered, 1))
	st.does(returnReported("R-1", fromCustomer, 2, "item-1", 3), applied, "ReturnCreated")
	require.True(t, st.s.Returns[0].Irregular, "more units than are live")
	st.does(returnReported("R-1", fromCustomer, 2, "item-1", 3), duplicate)
	st.does(ReturnReached{at(3), "R-1", rmaCompleted, nil}, applied, "ReturnCompleted")
	require.Equal(t, inferred, st.s.Returns[0].PickedUp.Certainty)
	st.does(ReturnReached{at(2.5), "R-1", rmaPickedUp, nil}, applied, "ReturnPickedUp")
	require.True(t, st.last.Events[0].Transition.Late)
	require.Equal(t, reportedCertainty, st.s.Returns[0].PickedUp.Certainty)
	require.Equal(t, returned, st.s.Status)
	st.does(ReturnReached{at(4), "R-1", rmaCancelled, nil}, staleFact)
	st.does(ReturnReached{at(3), "R-1", rmaCompleted, nil}, duplicate)
	require.Equal(t, returned, st.s.Status)
}

func TestReturnWithSeveralLines(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(1, 1), reach(delivered, 1))
	two := returnReported("R-1", fromCustomer, 2, "item-1", 1)
	two.Lines = append(two.Lines, ReturnLine{Return: &ledgerv1.Return{OrderItemId: "item-2", Source: fromCustomer}, Quantity: 1})
	st.does(two, applied, "ReturnCreated")
	st.does(ApproveReturn{ReturnID: "R-1"}, accepted, "ReturnApproved")
	require.Equal(t, []string{"item-1", "item-2"}, st.last.Events[0].GetReturnApproved().OrderItemIds)
	st.does(ReturnReached{at(3), "R-1", rmaCompleted, []string{"item-2", "item-9"}}, applied, "ReturnCompleted")
	require.Equal(t, []string{"item-9"}, st.last.UnknownItems)
	require.Equal(t, requested, st.item("item-1").Status)
	require.Equal(t, returned, st.item("item-2").Status)
	st.c.Now = hour(9)
	st.does(PickUpReturn{ReturnID: "R-1", At: When{Time: hour(8)}}, accepted, "ReturnPickedUp", "ReturnCompleted")
	require.Equal(t, returned, st.s.Status)
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	fact := func(change func(*Fact)) Fact { f := at(1); change(&f); return f }
	for name, c := range map[string]struct {
		in     Input
		reason Code
	}{
		"no shipment":        {reachAs(fact(func(f *Fact) { f.ShipmentID = "" })), ReasonBadID},
		"another shipment":   {reachAs(fact(func(f *Fact) { f.ShipmentID = "other" })), ReasonBadID},
		"another seller":     {reachAs(fact(func(f *Fact) { f.SellerID = "other" })), ReasonOtherSeller},
		"an id of 100 kB":    {reachAs(fact(func(f *Fact) { f.LocationID = strings.Repeat("x", 100_000) })), ReasonBadID},
		"no time":            {reachAs(fact(func(f *Fact) { f.At = time.Time{} })), ReasonBadTime},
		"the year 0":         {reachAs(fact(func(f *Fact) { f.At = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC) })), ReasonBadTime},
		"the day after":      {reachAs(fact(func(f *Fact) { f.At = noon().Add(48 * time.Hour) })), ReasonBadTime},
		"no status":          {StatusReached{at(1), unset}, ReasonBadBody},
		"cancelled as state": {StatusReached{at(1), cancelled}, ReasonBadBody},
		"quantity -1":        {cancelFact(1, "r", lineOfUnits("item-1", -1)), ReasonBadQuantity},
		"quantity 0":         {cancelFact(1, "r", lineOfUnits("item-2", 0)), ReasonBadQuantity},
		"dates of year 0":    {DatesChanged{Fact: at(1), DispatchBy: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)}, ReasonBadTime},
		"dates in 100 years": {DatesChanged{Fact: at(1), DeliverBy: noon().AddDate(100, 0, 0)}, ReasonBadTime},
		"no items":           {creation(func(c *Created) { c.Items = nil }), ReasonNoItems},
		"no ids":             {creation(func(c *Created) { c.Items[0].OrderItemID, c.Items[1].OrderItemID = "", "" }), ReasonBadID},
		"no units":           {creation(func(c *Created) { c.Items[0].Quantity, c.Items[1].Quantity = 0, 0 }), ReasonBadQuantity},
		"too many items":     {creation(func(c *Created) { c.Items = make([]CreatedItem, 1001) }), ReasonTooLarge},
		"too much text": {creation(func(c *Created) {
			c.Details = &ledgerv1.ShipmentDetails{PackagingPolicy: strings.Repeat("x", 1_400_000)}
		}), ReasonTooLarge},
		"return without id":     {returnReported("", fromCustomer, 1, "item-1", 1), ReasonBadID},
		"return without lines":  {ReturnReported{Fact: at(1), ReturnID: "R-1"}, ReasonNoItems},
		"return of -1":          {returnReported("R-1", fromCustomer, 1, "item-1", -1), ReasonBadQuantity},
		"return without source": {returnReported("R-1", 0, 1, "item-1", 1), ReasonBadBody},
		"unknown return":        {ReturnReached{at(1), "R-1", rmaCompleted, nil}, ReasonUnknownReturn},
		"return state":          {ReturnReached{at(1), "R-1", rmaCreated, nil}, ReasonBadBody},
		"unknown event":         {Unintelligible{at(1), "x", ReasonUnknownEventType, "What?"}, ReasonUnknownEventType},
		"status out of range":   {seen(77, 1), ReasonBadBody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := given(t, created(1, 1))
			st.does(c.in, quarantined)
			require.Equal(t, c.reason, st.last.Reason)
		})
	}
}

// A line or a date that makes no sense is left out and named; the rest of the fact is applied.
func TestFactsLeaveOut(t *testing.T) {
	t.Parallel()
	far, old := time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(0, 0).UTC()
	for name, c := range map[string]struct {
		in    Input
		left  []string
		check func(st *story)
	}{
		"a line without units": {creation(func(c *Created) { c.Items[1].Quantity = 0 }), []string{"item item-2: an impossible number of units"}, func(st *story) {
			require.Len(st.t, st.s.Items, 1)
		}},
		"a line twice": {creation(func(c *Created) { c.Items[1].OrderItemID = "item-1" }), []string{"item item-1: an id that is missing, too long or repeated"}, func(st *story) {
			require.Len(st.t, st.s.Items, 1)
		}},
		"more cancelled than ordered": {creation(func(c *Created) { c.Items[1].Cancelled = 2 }), []string{"item item-2, cancelledQuantity: an impossible number of units"}, func(st *story) {
			require.EqualValues(st.t, 1, live(st.s.Items[1]))
		}},
		"dates": {creation(func(c *Created) { c.DispatchBy, c.DeliverBy = far, old }), []string{
			"dispatchByDate 2099-12-31: before 1990 or more than ten years ahead", "deliverByDate 1970-01-01: before 1990 or more than ten years ahead",
		}, func(st *story) {
			require.Nil(st.t, st.s.DispatchBy)
			require.Nil(st.t, st.s.DeliverBy)
			require.Empty(st.t, st.s.Clocks)
		}},
		"the date of an item": {creation(func(c *Created) { c.Items[0].Details.OrderDate = ts(old) }), []string{"item item-1, orderDate: before 1990 or more than ten years ahead"}, func(st *story) {
			require.Nil(st.t, st.s.Items[0].Details.OrderDate)
			require.Equal(st.t, "sku-item-1", st.s.Items[0].Details.Sku)
		}},
		"a long order id": {creation(func(c *Created) { c.OrderID = strings.Repeat("x", 257) }), []string{"orderId: too long"}, func(st *story) {
			require.Empty(st.t, st.s.OrderId)
		}},
		"what the parser left out": {creation(func(c *Created) { c.LeftOut = []string{"attributes.mps: want a boolean"} }), []string{"attributes.mps: want a boolean"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := newStory(t)
			st.does(c.in, applied, "ShipmentCreated")
			require.Equal(t, c.left, st.last.LeftOut)
			require.Equal(t, ReasonLeftOut, st.last.Reason)
			require.Contains(t, st.last.Message, c.left[0])
			if c.check != nil {
				c.check(st)
			}
		})
	}
	t.Run("lines of a cancellation", func(t *testing.T) {
		t.Parallel()
		st := given(t, created(1, 1))
		st.does(cancelFact(1, "r", lineOfUnits("item-1", 1), lineOfUnits("item-2", 0)), applied, "ItemsCancelled")
		require.Equal(t, []string{"item item-2: an impossible number of units"}, st.last.LeftOut)
	})
	t.Run("one of several new dates", func(t *testing.T) {
		t.Parallel()
		st := given(t, created(1))
		st.does(DatesChanged{Fact: at(1), DispatchBy: hour(30), DeliverBy: far}, applied, "DispatchDatesChanged")
		require.Len(t, st.last.LeftOut, 1)
	})
	t.Run("lines and dates of a return", func(t *testing.T) {
		t.Parallel()
		st := given(t, created(1, 1), seen(shipped, 1))
		r := returnReported("R-1", fromCustomer, 2, "item-1", 1)
		r.Lines[0].Return.ExpectedDate = ts(far)
		r.Lines = append(r.Lines, returnReported("R-1", 0, 2, "item-2", 1).Lines...)
		st.does(r, applied, "ReturnCreated")
		require.Equal(t, []string{"item item-2: an unknown source", "item item-1, expectedDate: before 1990 or more than ten years ahead"}, st.last.LeftOut)
		require.Nil(t, st.s.Returns[0].ExpectedDate)
	})
}

// creation is a creation of two items, changed.
func creation(change func(*Created)) Input { c := created(1, 1); change(&c); return c }

func reachAs(f Fact) Input { return StatusReached{f, packed} }

// The rules take the time from the decision only. updated_at is what the owner of the lane says; it may be years ahead,
// and no rule reads it.
func TestRulesUseDecisionTime(t *testing.T) {
	t.Parallel()
	st := newStory(t)
	ahead := noon().AddDate(10, 0, 0)
	st.c.UpdatedAt = ahead
	st.does(createdSelf(1), applied, "ShipmentCreated")
	require.Equal(t, ahead, st.s.UpdatedAt.AsTime())
	require.Equal(t, st.c.Now, st.s.FirstRecordedAt.AsTime(), "endpoints compare it with their start")
	st.c.UpdatedAt = noon() // Once the owner finds the lane too far ahead.
	st.does(DispatchSelfShip{InvoiceLines: invoice("item-1", 1)}, accepted, "ShipmentShipped")
	require.Equal(t, noon(), st.s.UpdatedAt.AsTime())
	require.Equal(t, st.c.Now, st.s.Times.Shipped.At.AsTime())
	st.does(ConfirmDelivery{At: When{Time: st.c.Now.Add(24 * time.Hour)}}, rejected)
	require.Equal(t, CodeInvalidDate, st.last.Reason, "it lies in the future")
	st.c.Now = hour(-24)
	st.does(ConfirmDelivery{At: When{Time: hour(1)}}, rejected)
	require.Equal(t, CodeInvalidDate, st.last.Reason, "it lies in the future of a clock that was set back")
	st.c.Now = hour(2)
	st.does(ConfirmDelivery{At: When{Time: hour(1)}}, accepted, "ShipmentDelivered", "ShipmentCompleted")
}

// The first recorded time is the ledger's, not the marketplace's, and nothing changes it.
func TestFirstRecordedAtNeverChanges(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	first := st.s.UpdatedAt.AsTime()
	require.Equal(t, first, st.s.FirstRecordedAt.AsTime())
	require.NotEqual(t, first, st.s.Times.Created.At.AsTime())
	st.c.Now = hour(5)
	st.does(created(1), duplicate)
	st.does(reach(packed, 3), applied, "ShipmentPacked")
	require.True(t, st.s.UpdatedAt.AsTime().After(first))
	require.Equal(t, first, st.s.FirstRecordedAt.AsTime())
}

// Only the input that creates a shipment marks it as history.
func TestHistoryMarkIsForLife(t *testing.T) {
	t.Parallel()
	for _, history := range []bool{false, true} {
		st := newStory(t)
		st.c.History = history
		st.does(created(1), applied, "ShipmentCreated")
		require.Equal(t, history, st.s.GetHistory())
		st.c.History = !history
		again := created(1)
		again.At, again.Items[0].Details = hour(2), &ledgerv1.ItemDetails{Title: "another"}
		st.does(again, applied, "PropertiesUpdated")
		st.does(reach(packed, 3), applied, "ShipmentPacked")
		require.Equal(t, history, st.s.GetHistory())
	}
}

func TestPlainDateIsEndOfDay(t *testing.T) {
	t.Parallel()
	// 20:00 UTC is past midnight in India.
	day := When{time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC), true}
	require.Equal(t, time.Date(2026, 3, 3, 18, 29, 59, 0, time.UTC), due(day).AsTime())
	require.False(t, isFuture(day, time.Date(2026, 3, 2, 18, 31, 0, 0, time.UTC)))
	require.True(t, isFuture(day, time.Date(2026, 3, 2, 18, 29, 0, 0, time.UTC)))
	require.EqualValues(t, -1, dayOf(time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)))
	require.EqualValues(t, 0, dayOf(time.Date(1969, 12, 31, 18, 30, 0, 0, time.UTC)))
}
