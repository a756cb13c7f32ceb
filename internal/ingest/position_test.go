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
