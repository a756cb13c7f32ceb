package ingest_test

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"google.golang.org/protobuf/types/known/timestamppb"

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

	// The broker answers a lane that commits before it shows the records to readers.
	open := testkit.Client(t, b.brokers, kafka.ManualPartitions(), kgo.TransactionalID("open"))
	require.NoError(t, open.BeginTransaction())
	rec := &kgo.Record{Topic: events.TopicEvents, Partition: int32(lane), Value: []byte("later")}
	require.NoError(t, open.ProduceSync(t.Context(), rec).FirstErr())
	a = b.send(http.MethodGet, "/progress", "")
	require.Equal(t, false, a.member(t, "caughtUp"), "%s", a.body)
	require.NoError(t, open.EndTransaction(t.Context(), kgo.TryAbort))
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

// The resolver passes a new return on to the partition of its next order item while progress measures.
func TestProgressFollowsForwardedReturn(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	testkit.Topics(t, brokers, lanes)
	client := testkit.Client(t, brokers, kafka.ManualPartitions())
	unresolved := func(partition int32) *kgo.Record {
		return &kgo.Record{Topic: events.TopicUnresolved, Partition: partition, Value: []byte("{}")}
	}
	require.NoError(t, client.ProduceSync(t.Context(), unresolved(0)).FirstErr())
	b := newBundle(t, brokers, nil, nil)
	b.url = serve(t, b.ingest) // Its own resolver does not run.

	resolver, admin := kafka.GroupResolver("orderledger"), kadm.NewClient(client)
	forward := func() {
		err := client.ProduceSync(t.Context(), unresolved(1)).FirstErr()
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: events.TopicUnresolved, Partition: 0, At: 1, LeaderEpoch: -1, Metadata: "1"})
		if err = errors.Join(err, admin.CommitAllOffsets(t.Context(), resolver, offsets)); err != nil {
			t.Error(err)
		}
	}
	asked := 0
	cluster.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req, ok := r.(*kmsg.OffsetFetchRequest)
		if !ok || req.Group != resolver && (len(req.Groups) != 1 || req.Groups[0].Group != resolver) {
			return nil, nil, false
		}
		// The first one is about the aliases.
		if asked++; asked == 2 {
			cluster.SleepControl(forward)
		}
		return nil, nil, false
	})
	a := b.send(http.MethodGet, "/progress", "")
	require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	require.Equal(t, 2, asked)
	require.InDelta(t, 1, a.member(t, "behind", "resolver"), 0, "%s", a.body)
	require.Equal(t, false, a.member(t, "caughtUp"))
}

// A command on a return reaches all of its shipments, also while the tables have only one of them.
func TestCommandsAwaitSiblings(t *testing.T) {
	t.Parallel()
	conn := readModel(t)
	b := setup(t, conn, nil)
	for _, id := range []string{"S1", "S2", "S3"} {
		b.notify(strings.ReplaceAll(created(id), `"NORMAL"`, `"SELF"`))
		b.notify(`{"eventType":"shipment_delivered","timestamp":"2024-04-05T00:00:00Z","shipmentId":"` + id + `","attributes":{}}`)
	}
	courier := func(id string) string { return strings.ReplaceAll(line(id), "customer_return", "courier_return") }
	b.notify(aReturn("return_created", "R1", "2024-04-06T00:00:00Z", courier("S1")+","+courier("S2")))
	approved := returned(ledgerv1.ReturnStatus_RETURN_STATUS_APPROVED)
	first, second := b.state("S1", approved), b.state("S2", approved)
	complete := func(id string) any {
		t.Helper()
		a := b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"returnIds":["`+id+`"]}`, bearer(ownToken)...)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		return a.member(t, "returns", 0, "errorCode")
	}
	caughtUp := func() {
		admin := kadm.NewClient(testkit.Client(t, b.brokers))
		ends, err := admin.ListCommittedOffsets(t.Context(), events.TopicEvents)
		require.NoError(t, err)
		require.NoError(t, admin.CommitAllOffsets(t.Context(), kafka.GroupProjector("orderledger"), ends.Offsets()))
	}
	project(t, conn, first)
	caughtUp()
	require.Equal(t, "DEPENDENT_SYSTEM_CALL_FAILED", complete("R1"))
	b.state("S1", approved)
	project(t, conn, second)
	require.Nil(t, complete("R1"))
	b.state("S1", returned(ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED))
	b.state("S2", returned(ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED))

	// The other shipment never records the return: the seller can still act on this one.
	b.notify(aReturn("return_created", "R3", "2024-04-06T00:00:00Z", courier("S3")+","+courier("S9")))
	third := b.state("S3", approved).CloneVT()
	third.UpdatedAt = timestamppb.New(time.Now().Add(-2 * time.Minute))
	project(t, conn, third)
	caughtUp()
	require.Nil(t, complete("R3"))
	b.state("S3", returned(ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED))
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

// A return whose creation was answered with 200 and is not decided yet is not refused as unknown.
func TestCommandsAwaitUndecidedReturn(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]string{
		"in the inbox":     line("S1"),
		"for the resolver": `{"orderItemId":"I-S1","quantity":1,"source":"customer_return","reason":"SIZE"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokers := testkit.Kafka(t)
			testkit.Topics(t, brokers, lanes)
			b := newBundle(t, brokers, readModel(t), func(c *ingest.Config) { c.LookupTimeout = 300 * time.Millisecond })
			b.url = serve(t, b.ingest) // No lane is open, and no worker runs.
			complete := func() answer {
				return b.send(http.MethodPost, "/sellers/v2/returns/complete", `{"returnIds":["R1"]}`, bearer(ownToken)...)
			}
			require.Equal(t, "INVALID_RETURNS", complete().member(t, "returns", 0, "errorCode"), "nothing was ever reported")
			b.notify(aReturn("return_created", "R1", "2024-04-06T00:00:00Z", lines))
			a := complete()
			require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
			require.Equal(t, "urn:orderledger:problem:not_yet", a.member(t, "type"))

			// It is decided, and no shipment has it.
			b.start()
			testkit.Eventually(t, func() bool {
				a = complete()
				return a.status == http.StatusOK
			}, "the notification is decided")
			require.Equal(t, "INVALID_RETURNS", a.member(t, "returns", 0, "errorCode"))
		})
	}
}
