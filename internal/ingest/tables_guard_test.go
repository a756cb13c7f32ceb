package ingest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// Tables that lost their rows answer no reads, and nothing is caught up: an empty answer would look like the truth.
func TestReadsRefuseLostTables(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	project(t, conn, aShipment("S1", 2, nil))
	require.Equal(t, http.StatusOK, b.get("?shipmentIds=S1").status)

	// The projector says that it has written rows up to offset 41 of the lane, and the tables hold none.
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: events.TopicEvents, At: 50, LeaderEpoch: -1, Metadata: kafka.TableEndVersion + ";41"})
	admin := kadm.NewClient(testkit.Client(t, b.brokers))
	_, err := admin.CommitOffsets(t.Context(), kafka.GroupProjector(b.cfg.Cluster), offsets)
	require.NoError(t, err)
	testkit.Eventually(t, func() bool { return b.get("?shipmentIds=S1").status == http.StatusServiceUnavailable }, "reads are refused")
	refused := b.get("?shipmentIds=S1")
	require.NotEmpty(t, refused.header.Get("Retry-After"))
	require.Contains(t, string(refused.body), "can't be trusted")
	require.ErrorContains(t, b.ingest.ReadyReads(t.Context()), "rows up to 41 were written")
	require.NoError(t, b.ingest.Ready(t.Context()), "intake goes on")

	progress := b.send(http.MethodGet, "/progress", "")
	require.Equal(t, http.StatusOK, progress.status, "%s", progress.body)
	require.Equal(t, false, progress.member(t, "caughtUp"))
	require.Contains(t, progress.member(t, "tables"), "do not hold what was written")

	// Calls that look ids up in the tables can't say that there is no such return.
	a := b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"locationId":"LOC1","returnIds":["R9"]}`, bearer(ownToken)...)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
	b.notify(created("S2"))
	b.state("S2", status(ledgerv1.Status_STATUS_APPROVED))
}
