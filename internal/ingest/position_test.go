package ingest_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestProgressReportsCaughtUp(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	var a answer
	testkit.Eventually(t, func() bool {
		a = b.send(http.MethodGet, "/progress", "")
		return a.status == http.StatusOK && a.member(t, "behind", "inbox") == 0.0
	}, "the inbox is decided")
	require.Equal(t, false, a.member(t, "caughtUp"), "there is no projector: %s", a.body)
	require.Positive(t, a.member(t, "behind", "projector"))
	require.InDelta(t, 0, a.member(t, "behind", "translate"), 0, "there is no emitter")

	// A projector that has reached the end.
	admin := kadm.NewClient(testkit.Client(t, b.brokers))
	ends, err := admin.ListCommittedOffsets(t.Context(), events.TopicEvents, events.TopicDecisions)
	require.NoError(t, err)
	require.NoError(t, admin.CommitAllOffsets(t.Context(), kafka.GroupProjector("orderledger"), ends.Offsets()))
	a = b.send(http.MethodGet, "/progress", "")
	require.Equal(t, true, a.member(t, "caughtUp"), "%s", a.body)
	lane := int(events.Lane("S1", lanes))
	require.InDelta(t, 1, a.member(t, "lanes", lane, "inboxEnd"), 0)
	require.InDelta(t, 1, a.member(t, "lanes", lane, "decided"), 0)
}

// A return that the tables lack may have been created a moment ago, so a call does not refuse it before they hold the
// end of the ledger.
func TestCommandsAwaitNewReturn(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	limit := 100 * time.Millisecond
	b := setup(t, conn, func(c *ingest.Config) { c.LookupTimeout = limit })
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	project(t, conn, aShipment("S0", 2, func(s *ledgerv1.Shipment) {
		s.Returns = []*ledgerv1.Return{{ReturnId: "R0", OrderItemId: "I-S0"}}
	}))
	complete := func(ids string) answer {
		return b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"returnIds":[`+ids+`]}`, bearer(ownToken)...)
	}
	a := complete(`"R1"`)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
	require.Equal(t, "urn:orderledger:problem:not_yet", a.member(t, "type"))
	require.Equal(t, "1", a.header.Get("Retry-After"))
	a = complete(`"R1","R0"`)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.Equal(t, "DEPENDENT_SYSTEM_CALL_FAILED", a.member(t, "returns", 0, "errorCode"), "it is repeated")
	require.Equal(t, "INVALID_SHIPMENTS", a.member(t, "returns", 1, "errorCode"), "the journal has no such shipment; it was asked")
	service := b.send(http.MethodPost, "/sellers/v2/services/complete",
		`{"services":[{"serviceFulfilmentId":"V1","deliveryDate":"2024-04-09"}]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusServiceUnavailable, service.status, "%s", service.body)
	service = b.send(http.MethodPost, "/sellers/v2/services/complete",
		`{"services":[{"shipmentId":"S1","locationId":"LOC1","deliveryDate":"2024-04-09"}]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusServiceUnavailable, service.status, "%s", service.body)

	// The tables reach the end of the ledger.
	project(t, conn, aShipment("S1", 2, func(s *ledgerv1.Shipment) {
		s.Returns = []*ledgerv1.Return{{ReturnId: "R1", OrderItemId: "I-S1"}}
	}))
	admin := kadm.NewClient(testkit.Client(t, b.brokers))
	ends, err := admin.ListCommittedOffsets(t.Context(), events.TopicEvents)
	require.NoError(t, err)
	require.NoError(t, admin.CommitAllOffsets(t.Context(), kafka.GroupProjector("orderledger"), ends.Offsets()))
	a = complete(`"R1","R2"`)
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.NotContains(t, []any{"INVALID_RETURNS", "DEPENDENT_SYSTEM_CALL_FAILED"}, a.member(t, "returns", 0, "errorCode"))
	require.Equal(t, "INVALID_RETURNS", a.member(t, "returns", 1, "errorCode"), "now that is certain")
}

func TestReadsWaitForPosition(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, func(c *ingest.Config) { c.PositionTimeout = 50 * time.Millisecond })
	read := func(position string) answer {
		return b.send(http.MethodGet, "/sellers/v3/shipments?shipmentIds=S1", "", append(bearer(ownToken), "If-Position-At-Least", position)...)
	}
	late := read("1:7")
	require.Equal(t, http.StatusServiceUnavailable, late.status)
	require.Equal(t, "urn:orderledger:problem:not_yet", late.member(t, "type"))
	require.Equal(t, "1", late.header.Get("Retry-After"))

	offsets := kadm.Offsets{}
	offsets.AddOffset(events.TopicEvents, 1, 7, -1)
	admin := kadm.NewClient(testkit.Client(t, b.brokers))
	require.NoError(t, admin.CommitAllOffsets(t.Context(), kafka.GroupProjector("orderledger"), offsets))
	require.Equal(t, http.StatusServiceUnavailable, read("1:7").status, "offset 7 itself is not applied yet")
	require.Equal(t, http.StatusOK, read("1:6").status)
	require.Equal(t, http.StatusServiceUnavailable, read("1:6,2:0").status, "no offset of the other lane is known")

	for _, nonsense := range []string{"7", "a:b", "1:-1", strconv.Itoa(lanes) + ":1", strings.Repeat("1:1,", 3)} {
		require.Equal(t, http.StatusUnprocessableEntity, read(nonsense).status, nonsense)
	}
}
