package ingest_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/testkit"
)

func loggedTo(l *testkit.LogLines) func(*ingest.Deps) {
	return func(d *ingest.Deps) { d.Log = l.Logger(slog.LevelInfo) }
}

// The line of a refused notification says what is wrong, where, and whose notification it is.
func TestNotificationsLogRefusals(t *testing.T) {
	t.Parallel()
	lines := &testkit.LogLines{}
	b := setup(t, nil, func(c *ingest.Config) { c.Sellers = strictSellers() }, loggedTo(lines))
	bad := strings.Replace(created("S1"), `"quantity":2`, `"quantity":"two"`, 1)
	require.Equal(t, http.StatusBadRequest, b.send(http.MethodPost, "/notifications/s3", bad, bearer(tokenOf("s3"))...).status)
	require.Equal(t, http.StatusNotFound, b.send(http.MethodPost, "/notifications", creating("S1", "s1"), bearer(tokenOf("s3"))...).status)
	got := lines.With(t, "request handled")
	require.Len(t, got, 2)
	require.Equal(t, "unreadable", got[0]["problem"])
	require.Contains(t, got[0]["detail"], "want a number, got a string")
	require.Equal(t, "attributes.orderItems[0].quantity", got[0]["path"])
	require.InDelta(t, strings.Index(bad, `"two"`), got[0]["body_offset"], 0)
	require.Equal(t, "s3", got[0]["seller_id"])
	require.Contains(t, got[0]["auth_id"], "token/")
	require.NotContains(t, got[0]["detail"], "two", "no value of the body is logged")
	require.Equal(t, "unknown_seller", got[1]["problem"])
	require.Contains(t, got[1]["detail"], "does not speak for the seller")
	require.Equal(t, "shipment_created", got[1]["event_type"])
}

// An item that is refused before it reaches a lane has no decision; its line and the answer say why.
func TestCommandsLogRefusals(t *testing.T) {
	t.Parallel()
	lines := &testkit.LogLines{}
	b := setup(t, nil, nil, loggedTo(lines))
	const path = "/sellers/v3/shipments/selfShip/delivery"
	got := b.send(http.MethodPost, path, `{"shipments":[{"shipmentId":"S1"},{"locationId":"LOC1","deliveryDate":"2024-04-01"}]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusOK, got.status, "%s", got.body)
	require.Equal(t, "UNPROCESSABLE_ENTITY", got.member(t, "shipments", 0, "errorCode"))
	refused := lines.With(t, "command refused")
	require.Len(t, refused, 2)
	require.Equal(t, "S1", refused[0]["shipment_id"])
	require.Equal(t, "self_ship_delivery", refused[0]["action"])
	require.Equal(t, "own", refused[0]["seller_id"])
	require.Equal(t, "UNPROCESSABLE_ENTITY", refused[0]["reason"])
	require.Contains(t, refused[0]["detail"], "shipments[0]: deliveryDate is mandatory")
	require.Contains(t, refused[1]["detail"], "shipments[1]: shipmentId is mandatory")
	require.NotEmpty(t, refused[0]["correlation_id"])

	require.Equal(t, http.StatusBadRequest, b.send(http.MethodPost, path, `{"shipments":[{"shipmentId":7}]}`, bearer(ownToken)...).status)
	handled := lines.With(t, "request handled")
	require.Equal(t, "shipments[0].shipmentId", handled[len(handled)-1]["path"])
	require.Equal(t, "own", handled[len(handled)-1]["seller_id"])
	require.Equal(t, "self_ship_delivery", handled[len(handled)-1]["action"])

	const update = "/sellers/v3/shipments/S1/update"
	require.Equal(t, http.StatusBadRequest, b.send(http.MethodPost, update, `{"tracking_id":7}`, bearer(ownToken)...).status)
	handled = lines.With(t, "request handled")
	require.Equal(t, "tracking_id", handled[len(handled)-1]["path"])
}

// At level INFO, inputs that are accepted write nothing: a busy instance would write thousands of lines a second.
func TestRequestsLogNothingOnSuccess(t *testing.T) {
	t.Parallel()
	lines := &testkit.LogLines{}
	b := setup(t, nil, nil, loggedTo(lines))
	for range 20 {
		require.Equal(t, http.StatusOK, b.send(http.MethodPost, "/notifications/s3", created("S1")).status)
	}
	require.Empty(t, lines.With(t, "request handled"))
}
