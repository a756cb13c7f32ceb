package shipment

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// A delivery that was on time stays on time when units of another item are revived.
func TestClockMetStaysMetAfterRevival(t *testing.T) {
	t.Parallel()
	d := selfShipDispatch()
	d.InvoiceLines = invoice("item-1", 2, "item-2", 1)
	st := given(t, createdSelf(2, 1), d, cancelFact(1, "order_cancelled", lineOfUnits("item-2", 1)))
	st.c.Now = hour(20)
	st.does(ConfirmDelivery{At: When{Time: hour(10)}}, accepted, "ShipmentDelivered", "ShipmentCompleted")
	met := st.clock(clockDeliver).Done.At.AsTime()
	st.does(returnReported("R-1", fromCourier, 11, "item-2", 1), applied, "ReturnCreated", "ReturnApproved")
	st.does(CancelReturn{ReturnID: "R-1"}, accepted, "ReturnCancelled", "ShipmentDelivered", "ShipmentCompleted")
	for _, e := range st.last.Events {
		for _, c := range e.After.Clocks {
			if c.Kind == clockDeliver {
				require.NotNil(t, c.Done, "%T", e.Body)
				require.Equal(t, met, c.Done.At.AsTime())
			}
		}
	}
	require.Equal(t, completed, st.s.Status)
}

func TestServiceEndsWithReturn(t *testing.T) {
	t.Parallel()
	c := createdSelf(2)
	c.Services = []ActivateService{{ServiceID: "V-1", OrderItemID: "item-1", DueAt: hour(100)}}
	st := given(t, c, reach(delivered, 1), returnReported("R-1", fromCustomer, 2, "item-1", 2))
	require.NotNil(t, st.clock(clockService))
	st.does(ReturnReached{at(3), "R-1", rmaCompleted, nil}, applied, "ReturnCompleted", "ServiceCancelled")
	require.Equal(t, returned, st.s.Status)
	require.Equal(t, hour(3), st.clock(clockService).CancelledAt.AsTime())
}

// FORM_FAILED and PACKING_IN_PROGRESS have the same rank; the shipment shows the first.
func TestStatusPrefersFormFailed(t *testing.T) {
	t.Parallel()
	items := []*ledgerv1.Item{{Status: packed}, {Status: packing}, {Status: formFailed}, {Status: cancelled}}
	require.Equal(t, formFailed, shipmentStatus(items))
	items[1], items[2] = items[2], items[1]
	require.Equal(t, formFailed, shipmentStatus(items))
	require.Equal(t, cancelled, shipmentStatus(items[3:]))
}

// The seller's delivery date never replaces the marketplace's.
func TestClockKeepsMarketplaceDate(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(2), selfShipDispatch())
	require.Equal(t, hour(48), st.s.TentativeDelivery.AsTime())
	require.Equal(t, hour(96), st.clock(clockDeliver).DueAt.AsTime())
	st.does(UpdateTracking{TentativeDelivery: When{Time: hour(200)}}, accepted, "TrackingUpdated")
	require.Equal(t, hour(96), st.clock(clockDeliver).DueAt.AsTime())
}

// A courier return of a self-ship seller that the marketplace cancels was delivered after all.
func TestReturnCancelledByMarketplaceDelivers(t *testing.T) {
	t.Parallel()
	st := given(t, createdSelf(1), reach(shipped, 1), returnReported("R-1", fromCourier, 2, "item-1", 1))
	st.does(ReturnReached{at(3), "R-1", rmaCancelled, nil}, applied, "ReturnCancelled", "ShipmentDelivered", "ShipmentCompleted")
	require.Equal(t, inferred, st.s.Times.Delivered.Certainty)
	require.Equal(t, hour(3), st.clock(clockDeliver).Done.At.AsTime())
}

func TestVisitEndsWithReturn(t *testing.T) {
	t.Parallel()
	rma := returnReported("R-1", fromCustomer, 2, "item-1", 1)
	rma.Lines[0].TechVisit = &RequestTechVisit{ServiceID: "V-1", DueAt: hour(60)}
	for status, body := range map[ledgerv1.ReturnStatus]string{
		rmaCancelled: "TechVisitCancelled", rmaRejected: "TechVisitCancelled", rmaApproved: "TechVisitCompleted", rmaCompleted: "TechVisitCompleted",
	} {
		st := given(t, createdSelf(1), reach(delivered, 1), rma)
		st.decide(ReturnReached{at(3), "R-1", status, nil})
		require.Equal(t, body, st.bodies()[0])
		c := st.clock(clockVisit)
		gone := status == rmaCancelled || status == rmaRejected
		require.Equal(t, gone, c.CancelledAt != nil, status)
		require.Equal(t, !gone, c.Done != nil, status)
	}
}

// A fact with an id that is too long is quarantined even if its shipment is unknown.
func TestFactWithLongIDIsQuarantined(t *testing.T) {
	t.Parallel()
	f := at(1)
	f.SellerID = strings.Repeat("x", 300)
	st := newStory(t)
	st.does(StatusReached{f, packed}, quarantined)
	require.Equal(t, ReasonBadID, st.last.Reason)
	st.does(StatusReached{at(1), packed}, waiting)
}

func TestCommandForOtherLocation(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	st.refuses(RequestLabels{LocationID: "LOC2"}, CodeInvalidShipments)
}

func TestRequestLabelsChecks(t *testing.T) {
	t.Parallel()
	st := given(t, created(1))
	request := func(r *ledgerv1.PackRequest) Input { return RequestLabels{Request: r} }
	st.refuses(request(&ledgerv1.PackRequest{TaxItems: []*ledgerv1.TaxItem{{OrderItemId: "item-9"}}}), CodeInvalidItemID)
	st.refuses(request(&ledgerv1.PackRequest{TaxItems: []*ledgerv1.TaxItem{{OrderItemId: "item-1", TaxRate: 101}}}), CodeInvalidTax)
	for _, date := range []float64{25, -25} {
		invoices := []*ledgerv1.InvoiceRequest{{InvoiceDate: reported(hour(date))}}
		st.refuses(request(&ledgerv1.PackRequest{Invoices: invoices}), CodeInvalidDate)
	}
	st.refuses(Cancel{GroupIDs: []string{"grp-item-1"}, Reason: "bored"}, CodeInvalidReason)
	st.refuses(Cancel{GroupIDs: []string{"grp-9"}, Reason: "b2b_order"}, CodeInvalidItemID)
	st.does(request(&ledgerv1.PackRequest{Invoices: []*ledgerv1.InvoiceRequest{{InvoiceDate: reported(hour(-1))}}}), accepted, "LabelsRequested")
}
