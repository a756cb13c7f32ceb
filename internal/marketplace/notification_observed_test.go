package marketplace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/shipment"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestObservedReads(t *testing.T) {
	t.Parallel()
	due := time.Date(2024, 4, 20, 12, 30, 0, 0, time.UTC)
	t.Run("a shipment with items and a service", func(t *testing.T) {
		t.Parallel()
		n := read(t, string(example(t, marketplace.EventShipmentObserved)))
		got, ok := n.Input().(shipment.Observed)
		require.True(t, ok)
		require.Equal(t, "pull", got.Source)
		require.Equal(t, ledgerv1.Status_STATUS_COMPLETED, got.Status)
		require.Equal(t, []string{"12345678901234567", "12345678901234568"}, got.OrderItemIDs)
		require.Equal(t, []shipment.ActivateService{{
			ServiceID: "SF1", OrderItemID: "12345678901234567", Description: "Installation", DueAt: due,
		}}, got.Services)
	})
	t.Run("a return with a tech visit, for the shipment that the resolver finds", func(t *testing.T) {
		t.Parallel()
		n := read(t, string(example(t, marketplace.EventReturnObserved)))
		require.Empty(t, n.ShipmentIDs())
		n = n.For("S9", "seller-1")
		got, ok := n.Input().(shipment.Observed)
		require.True(t, ok)
		require.Equal(t, "S9", got.ShipmentID)
		want := &ledgerv1.Return{ReturnId: "9900112233", Status: ledgerv1.ReturnStatus_RETURN_STATUS_APPROVED}
		require.True(t, want.EqualVT(got.Return), "%v", got.Return)
		require.Equal(t, []shipment.RequestTechVisit{{
			ReturnID: "9900112233", ServiceID: "SR1", OrderItemID: "12345678901234567", Description: "Tech visit", DueAt: due,
		}}, got.TechVisits)
	})
	for name, body := range map[string]string{
		"a shipment of which nothing was seen": envelope("shipment_observed", anyShipment, `{"orderItems":[{"orderItemId":"1"}]}`),
		"a shipment in an unknown state":       envelope("shipment_observed", anyShipment, `{"status":"LOST"}`),
		"a return of which nothing was seen":   envelope("return_observed", anyReturn, `{}`),
		"a return in an unknown state":         envelope("return_observed", anyReturn, `{"status":"APPROVED"}`),
		"a return without an id":               envelope("return_observed", anyShipment, `{"status":"RETURN_APPROVED"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := read(t, body)
			code, message, bad := n.Unintelligible()
			require.True(t, bad)
			require.Equal(t, shipment.ReasonBadBody, code, message)
		})
	}
}
