package ingest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// aReturn returns a notification of a return; lines are JSON.
func aReturn(event, returnID, at, lines string) string {
	return fmt.Sprintf(`{"eventType":%q,"timestamp":%q,"source":"flipkart","returnId":%q,"locationId":"LOC1","attributes":{"returnItems":[%s]}}`,
		event, at, returnID, lines)
}

func line(shipmentID string) string {
	return fmt.Sprintf(`{"orderItemId":"I-%s","quantity":1,"source":"customer_return","reason":"SIZE","shipmentId":%q}`, shipmentID, shipmentID)
}

func (b *bundle) delivered(shipmentID string) {
	b.t.Helper()
	b.notify(created(shipmentID))
	b.notify(fmt.Sprintf(`{"eventType":"shipment_delivered","timestamp":"2024-04-05T00:00:00Z","shipmentId":%q,"attributes":{"status":"DELIVERED"}}`, shipmentID))
	b.state(shipmentID, status(ledgerv1.Status_STATUS_DELIVERED))
}

func returned(want ledgerv1.ReturnStatus) func(*ledgerv1.Shipment) bool {
	return func(s *ledgerv1.Shipment) bool {
		return len(s.GetReturns()) == 1 && s.GetReturns()[0].GetStatus() == want
	}
}

func TestResolverFindsShipment(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.delivered("S1")
	b.notify(aReturn("return_created", "R1", "2024-04-06T00:00:00Z", line("S1")))
	b.state("S1", returned(ledgerv1.ReturnStatus_RETURN_STATUS_CREATED))

	a := b.notify(aReturn("return_picked_up", "R1", "2024-04-07T00:00:00Z", `{"orderItemId":"I-S1"}`))
	require.Equal(t, true, a.member(t, "unresolved"))
	b.state("S1", returned(ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP))
}

func TestResolverKeepsOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.delivered("S1")
	b.notify(aReturn("return_picked_up", "R1", "2024-04-07T00:00:00Z", `{"orderItemId":"I-S1"}`))
	b.notify(aReturn("return_completed", "R1", "2024-04-08T00:00:00Z", `{"orderItemId":"I-S1"}`))
	testkit.Eventually(t, func() bool {
		a := b.send(http.MethodGet, "/progress", "")
		return a.status == http.StatusOK && a.member(t, "waitingForReturns") == 2.0
	}, "both are examined")

	b.notify(aReturn("return_created", "R1", "2024-04-06T00:00:00Z", line("S1")))
	s := b.state("S1", returned(ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED))
	require.Equal(t, time.Date(2024, 4, 7, 0, 0, 0, 0, time.UTC), s.GetReturns()[0].GetPickedUp().GetAt().AsTime())
	var order []string
	for _, d := range b.decisions(5) {
		order = append(order, d.GetInputType())
	}
	require.Equal(t, []string{
		"notification.shipment_created", "notification.shipment_delivered", "notification.return_created",
		"notification.return_picked_up", "notification.return_completed",
	}, order)
}

func TestResolverReachesAllShipments(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.delivered("S1")
	b.delivered("S2")
	a := b.notify(aReturn("return_created", "R1", "2024-04-06T00:00:00Z", line("S1")+","+line("S2")))
	require.NotNil(t, a.member(t, "also", 0))
	b.state("S1", returned(ledgerv1.ReturnStatus_RETURN_STATUS_CREATED))
	b.state("S2", returned(ledgerv1.ReturnStatus_RETURN_STATUS_CREATED))
	b.notify(aReturn("return_completed", "R1", "2024-04-08T00:00:00Z", ``))
	b.state("S1", returned(ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED))
	b.state("S2", returned(ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED))
}

func TestResolverExpiresUnknownReturn(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.UnresolvedLimit = time.Nanosecond })
	b.notify(aReturn("return_completed", "R9", "2024-04-08T00:00:00Z", ``))
	d := b.decisions(1)[0]
	require.Equal(t, ledgerv1.Outcome_OUTCOME_WAITING, d.GetOutcome())
	require.Equal(t, "R9", d.GetShipmentId())
	require.Equal(t, "own", d.GetSellerId())
}
