package shipment

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestHoldOlderThanReportIsStale(t *testing.T) {
	t.Parallel()
	st := given(t, created(2), Hold{Fact: at(1)}, Unhold{at(5), approved})
	st.does(Hold{Fact: at(3)}, staleFact)
	require.False(t, st.s.OnHold)
	st.does(Hold{Fact: at(5)}, applied, "ShipmentHeld")
	require.True(t, st.s.OnHold, "equal times count in the order of arrival")
	st.does(Unhold{at(4), approved}, staleFact)
	st.does(Hold{at(4), []*ledgerv1.ItemUnits{{OrderItemId: "item-1", Units: 1}}}, staleFact)
	require.EqualValues(t, 2, st.item("item-1").Held)
	st.does(Unhold{at(4), packed}, applied, "ShipmentPacked")
	require.True(t, st.s.OnHold, "the status of a release is judged by rank")
	st.does(Unhold{at(6), packed}, applied, "ShipmentReleased")
}

// A release that is older than the creation does not end its hold.
func TestHoldFromCreation(t *testing.T) {
	t.Parallel()
	c := created(1)
	c.Hold = true
	st := given(t, c)
	st.does(Unhold{at(-2), approved}, staleFact)
	st.does(Unhold{at(1), approved}, applied, "ShipmentReleased")
}

func TestDatesOlderThanReportFillGaps(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), DatesChanged{Fact: at(6), DispatchBy: hour(50)})
	st.does(DatesChanged{Fact: at(4), DispatchBy: hour(40)}, applied, "DispatchDatesChanged")
	require.True(t, st.last.Events[0].Transition.Late)
	require.Equal(t, hour(50), st.s.DispatchBy.AsTime())
	require.Equal(t, hour(50), st.clock(clockDispatch).DueAt.AsTime())
	st.does(DatesChanged{Fact: at(4), DispatchBy: hour(40)}, duplicate)
	st.does(DatesChanged{Fact: at(4), DispatchBy: hour(40), DispatchAfter: hour(2)}, applied, "DispatchDatesChanged")
	require.Nil(t, st.last.Events[0].GetDispatchDatesChanged().DispatchBy)
	require.Equal(t, hour(2), st.s.DispatchAfter.AsTime())
	require.Equal(t, hour(50), st.clock(clockDispatch).DueAt.AsTime())
	again := created(1)
	again.At, again.MarketUpdatedAt, again.DispatchBy = hour(5), hour(5), hour(45)
	st.does(again, applied, "PropertiesUpdated")
	require.Equal(t, hour(50), st.s.DispatchBy.AsTime(), "a creation that is reported again is not later than the dates")
	st.does(DatesChanged{Fact: at(6), DispatchBy: hour(60)}, applied, "DispatchDatesChanged")
	require.Equal(t, hour(24), st.clock(clockDispatch).FirstDueAt.AsTime())
}

func TestCreatedAgainOlderFillsGaps(t *testing.T) {
	t.Parallel()
	c := created(1)
	c.MarketUpdatedAt = hour(2)
	c.Forms = []*ledgerv1.Form{{Name: "EWAY", Link: "new"}}
	st := given(t, c)
	old := created(1)
	old.MarketUpdatedAt = hour(1)
	old.Details = &ledgerv1.ShipmentDetails{PackagingPolicy: "OLD", DeliveryAddress: &ledgerv1.Address{City: "Pune"}}
	old.Items[0].Details = &ledgerv1.ItemDetails{Sku: "old", Title: "Lamp"}
	old.Forms = []*ledgerv1.Form{{Name: "EWAY", Link: "old"}}
	st.does(old, applied, "PropertiesUpdated")
	require.Equal(t, []string{"details.delivery_address", "items.item-1.title"}, st.last.Events[0].GetPropertiesUpdated().Changed)
	require.Equal(t, "DEFAULT", st.s.Details.PackagingPolicy)
	require.Equal(t, "sku-item-1", st.item("item-1").Details.Sku)
	require.Equal(t, "new", st.s.Forms[0].Link)
	require.Equal(t, hour(2), st.s.MarketplaceUpdatedAt.AsTime())
	st.does(old, staleFact)
}

func TestReturnFieldsNeverGoBack(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
	track := func(h float64, id, courier string) Input {
		return ReturnTracked{at(h), "R-1", []*ledgerv1.ReturnTracking{{OrderItemId: "item-1", TrackingId: id, CourierName: courier}}}
	}
	st.does(track(5, "T-5", ""), applied, "ReturnTrackingUpdated")
	st.does(track(4, "T-4", ""), staleFact)
	st.does(track(4, "T-4", "Van"), applied, "ReturnTrackingUpdated")
	require.Equal(t, "T-5", st.s.Returns[0].TrackingId)
	require.Equal(t, "Van", st.s.Returns[0].CourierName, "an unknown field is filled")
	expect := func(h, date float64) Input {
		return ReturnExpected{at(h), "R-1", []*ledgerv1.ReturnExpectedDate{{OrderItemId: "item-1", ExpectedDate: ts(hour(date))}}}
	}
	st.does(expect(5, 90), applied, "ReturnExpectedDateChanged")
	st.does(expect(4, 80), staleFact)
	st.does(expect(5, 91), applied, "ReturnExpectedDateChanged")
	st.does(Observed{Fact: at(4.5), Return: &ledgerv1.Return{ReturnId: "R-1", TrackingId: "T-0", Reason: "broken"}}, applied, "ReturnUpdated")
	require.Equal(t, "T-5", st.s.Returns[0].TrackingId)
	require.Equal(t, hour(91), st.s.Returns[0].ExpectedDate.AsTime())
}

func TestCancellationFoundGetsReportedTime(t *testing.T) {
	t.Parallel()
	st := given(t, created(3), seen(cancelled, 5))
	require.Equal(t, inferred, st.s.Times.Cancelled.Certainty)
	st.c.Policy.CancelledBy = map[string]ledgerv1.CancelledBy{"order_cancelled": ledgerv1.CancelledBy_CANCELLED_BY_CUSTOMER}
	st.does(cancelFact(3, "order_cancelled", lineOfUnits("item-1", 1)), applied, "PropertiesUpdated")
	require.True(t, st.last.Events[0].Transition.Late)
	require.Equal(t, hour(5), st.s.Times.Cancelled.At.AsTime(), "two units have no reported time yet")
	st.does(cancelFact(4, "seller_cancellation", lineOfUnits("item-1", 2)), applied, "PropertiesUpdated")
	require.Equal(t, hour(4), st.s.Times.Cancelled.At.AsTime())
	require.Equal(t, reportedCertainty, st.s.Times.Cancelled.Certainty)
	require.Equal(t, hour(4), st.clock(clockDispatch).CancelledAt.AsTime())
	it := st.item("item-1")
	require.EqualValues(t, 1, it.CancelledCustomer)
	require.EqualValues(t, 2, it.CancelledSeller)
	require.Equal(t, hour(3), it.Cancellations[0].At.At.AsTime())
	st.does(cancelFact(3, "order_cancelled", lineOfUnits("item-1", 1)), duplicate)
	st.does(cancelFact(6, "order_cancelled", lineOfUnits("item-1", 3)), duplicate)
	require.Equal(t, ReasonNothingLeft, st.last.Reason)
}

// A cancellation of all units gives its time to one that a pull had found.
func TestCancellationOfAllGivesTime(t *testing.T) {
	t.Parallel()
	c := created(3)
	c.Status = cancelled
	st := newStory(t)
	st.does(c, applied, "ShipmentCreated", "ItemsCancelled")
	st.does(Cancelled{Fact: at(-0.5)}, applied, "PropertiesUpdated")
	require.Equal(t, hour(-0.5), st.s.Times.Cancelled.At.AsTime())
	require.EqualValues(t, 3, st.item("item-1").CancelledUnknown)
}

func TestCancellationAbsoluteGivesTimeOnce(t *testing.T) {
	t.Parallel()
	st := given(t, created(3))
	st.c.Policy.AbsoluteCancellations = true
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	st.does(seen(cancelled, 5), applied, "ItemsCancelled")
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 1)), duplicate)
	st.does(cancelFact(3, "r", lineOfUnits("item-1", 3)), applied, "PropertiesUpdated")
	require.Equal(t, hour(3), st.s.Times.Cancelled.At.AsTime())
	st.does(cancelFact(3, "r", lineOfUnits("item-1", 3)), duplicate)
}

// A repeat gives its reason to no other cancellation.
func TestCancellationRepeatKeepsReasons(t *testing.T) {
	t.Parallel()
	st := given(t, created(3))
	st.c.Policy.AbsoluteCancellations = true
	st.does(cancelFact(1, "", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	st.does(cancelFact(2, "r", lineOfUnits("item-1", 2)), applied, "ItemsCancelled")
	st.does(cancelFact(2, "r", lineOfUnits("item-1", 2)), duplicate)
	require.Empty(t, st.item("item-1").Cancellations[0].Reason)
}

// Two cancellations of an item in one second are two facts.
func TestCancellationsInOneSecond(t *testing.T) {
	t.Parallel()
	st := given(t, created(5))
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 1)), applied, "ItemsCancelled")
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 2)), applied, "ItemsCancelled")
	require.EqualValues(t, 2, live(st.item("item-1")))
	st.does(cancelFact(1, "r", lineOfUnits("item-1", 2)), duplicate)
	require.Equal(t, ReasonAlreadyKnown, st.last.Reason)
}

func TestReturnFoundGetsReportedTime(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	found := &ledgerv1.Return{ReturnId: "R-1", OrderItemId: "item-1", Units: 1, Source: fromCourier, TrackingId: "T-2"}
	st.does(Observed{Fact: at(5), Return: found}, applied, "ReturnCreated")
	require.Equal(t, hour(5), st.clock(clockDeliver).CancelledAt.AsTime())
	late := returnReported("R-1", fromCourier, 3, "item-1", 1)
	late.Lines[0].Return.TrackingId, late.Lines[0].Return.Reason = "T-1", "refused"
	st.does(late, applied, "ReturnUpdated")
	require.True(t, st.last.Events[0].Transition.Late)
	r := st.s.Returns[0]
	require.Equal(t, hour(3), r.Created.At.AsTime())
	require.Equal(t, reportedCertainty, r.Created.Certainty)
	require.Equal(t, "T-2", r.TrackingId, "the pull is newer")
	require.Equal(t, "refused", r.Reason)
	require.Equal(t, hour(3), st.clock(clockDeliver).CancelledAt.AsTime())
	require.Equal(t, hour(3), st.s.Times.Shipped.At.AsTime(), "the goods left before they came back")
	st.does(late, staleFact)
}

func TestReturnFirstEndStands(t *testing.T) {
	t.Parallel()
	for _, first := range []ledgerv1.ReturnStatus{rmaCompleted, rmaCancelled} {
		second := rmaCompleted + rmaCancelled - first
		begin := func() *story {
			return given(t, created(1), reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
		}
		st := begin()
		st.does(ReturnReached{at(3), "R-1", first, nil}, applied, endName(first))
		st.does(ReturnReached{at(5), "R-1", second, nil}, staleFact)
		st.does(ReturnReached{at(3), "R-1", second, nil}, staleFact)
		inOrder := st.s.Returns[0]
		require.Equal(t, first, inOrder.Status)

		st = begin()
		st.does(ReturnReached{at(5), "R-1", second, nil}, applied, endName(second))
		st.does(ReturnReached{at(3), "R-1", first, nil}, applied, endName(first))
		require.True(t, st.last.Events[0].Transition.Irregular)
		require.True(t, inOrder.EqualVT(st.s.Returns[0]), "%v\n%v", inOrder, st.s.Returns[0])
	}
}

func endName(s ledgerv1.ReturnStatus) string {
	if s == rmaCompleted {
		return "ReturnCompleted"
	}
	return "ReturnCancelled"
}

// A failure that is older than the acknowledgement does not stop packing.
func TestFormFailedBeforeAcknowledgement(t *testing.T) {
	t.Parallel()
	st := given(t, created(1), RequestLabels{}, seen(formFailed, 3))
	st.does(AcknowledgeForms{Forms: []*ledgerv1.FormAcknowledgement{{Name: "EWAY", AckNumber: "1"}}}, accepted, "FormAcknowledged")
	st.does(FormsFailed{at(2), []string{"EWAY"}}, applied, "FormFailed")
	require.True(t, st.last.Events[0].Transition.Late)
	require.Equal(t, packing, st.s.Status)
	require.Equal(t, hour(2), st.s.Times.FormFailed.At.AsTime())
	require.Equal(t, "1", st.s.Forms[0].AckNumber)
	st.does(FormsFailed{at(2), []string{"EWAY"}}, duplicate)
	st.does(FormsFailed{at(1), []string{"EWAY"}}, staleFact)
	st.does(FormsFailed{at(6), []string{"EWAY"}}, applied, "FormFailed")
	require.Equal(t, formFailed, st.s.Status)
}

// A date may lie before a step whose time was not reported.
func TestDateBeforeInferredStep(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(1))
	st.c.Now = hour(30)
	st.decide(returnReported("R-1", fromCourier, 29, "item-1", 1)) // A day after the delivery that the command reports.
	require.Equal(t, inferred, st.s.Times.Shipped.Certainty)
	st.does(CancelReturn{ReturnID: "R-1", DeliveredAt: When{Time: hour(4)}}, accepted, "ReturnCancelled", "ShipmentDelivered", "ShipmentCompleted")
	require.Equal(t, hour(4), st.s.Times.Delivered.At.AsTime())
	require.Equal(t, hour(4), st.s.Times.Shipped.At.AsTime())
}

func TestReturnFactsInAnyOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hours := rapid.Permutation([]float64{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}).Draw(t, "hours")
		var facts []Input
		flow := created(1)
		if rapid.Bool().Draw(t, "self-ship") {
			flow = createdSelf(1)
		}
		if rapid.Bool().Draw(t, "approved") {
			facts = append(facts, ReturnReached{at(hours[9]), "R-1", rmaApproved, nil})
		}
		for i, s := range []ledgerv1.ReturnStatus{rmaPickedUp, rmaCompleted, rmaCancelled} {
			if rapid.Bool().Draw(t, returnName(s)) {
				facts = append(facts, ReturnReached{at(hours[i]), "R-1", s, nil})
			}
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "trackings") {
			id := "T-" + string(rune('1'+i))
			facts = append(facts, ReturnTracked{at(hours[3+i]), "R-1", []*ledgerv1.ReturnTracking{{OrderItemId: "item-1", TrackingId: id}}})
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "dates") {
			facts = append(facts, ReturnExpected{at(hours[6+i]), "R-1", []*ledgerv1.ReturnExpectedDate{{OrderItemId: "item-1", ExpectedDate: ts(hour(float64(90 + i)))}}})
		}
		play := func(facts []Input) (*ledgerv1.Return, []*ledgerv1.Clock) {
			st := given(t, flow, reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 1))
			for _, f := range facts {
				st.decide(f)
			}
			return st.s.Returns[0], st.s.Clocks
		}
		a, clocks := play(facts)
		b, others := play(rapid.Permutation(facts).Draw(t, "order"))
		require.True(t, a.EqualVT(b), "%v\n%v", a, b)
		require.True(t, slices.EqualFunc(clocks, others, (*ledgerv1.Clock).EqualVT), "%v\n%v", clocks, others)
	})
}

// A promise is judged by what was promised until it ended: a later date neither breaks one that was kept nor saves one
// that was broken.
func TestDueReportedAfterTheEndChangesNothing(t *testing.T) {
	t.Parallel()
	for name, arrives := range map[string]bool{"it arrives after the end": false, "it arrives before the end": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flow := created(1)
			flow.DeliverBy = hour(8)
			st := given(t, flow)
			st.c.Now = hour(21)
			facts := []Input{reach(delivered, 10), DatesChanged{Fact: at(12), DeliverBy: hour(20)}}
			if arrives {
				slices.Reverse(facts)
			}
			for _, f := range facts {
				require.Equal(t, applied, st.decide(f).Outcome)
			}
			c := st.clock(clockDeliver)
			require.Equal(t, hour(8), c.DueAt.AsTime())
			require.Equal(t, hour(8), c.FirstDueAt.AsTime())
			require.Equal(t, hour(10), c.Done.At.AsTime(), "it was late, and stays so")
			require.Equal(t, hour(20), st.s.DeliverBy.AsTime(), "the date itself is the newest")
		})
	}
}
