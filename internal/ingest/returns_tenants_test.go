package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// from sends a notification of a seller; empty means that the sender names none.
func (b *bundle) from(sellerID, body string) answer {
	b.t.Helper()
	a := b.send(http.MethodPost, strings.TrimSuffix("/notifications/"+sellerID, "/"), body)
	require.Equal(b.t, http.StatusOK, a.status, "%s", a.body)
	return a
}

// deliveredTo creates shipments of a seller and delivers them.
func (b *bundle) deliveredTo(sellerID string, shipmentIDs ...string) {
	b.t.Helper()
	for _, id := range shipmentIDs {
		b.from(sellerID, created(id))
		b.from(sellerID, fmt.Sprintf(`{"eventType":"shipment_delivered","timestamp":"2024-04-05T00:00:00Z","shipmentId":%q,"attributes":{"status":"DELIVERED"}}`, id))
	}
	for _, id := range shipmentIDs {
		b.state(id, status(ledgerv1.Status_STATUS_DELIVERED))
	}
}

// withoutShipment returns a line of a new return that names its order item only.
func withoutShipment(item string) string {
	return fmt.Sprintf(`{"orderItemId":%q,"quantity":1,"source":"customer_return","reason":"SIZE"}`, item)
}

// find reads decisions until there is one with this reason.
func (b *bundle) find(reason string) *ledgerv1.Decision {
	b.t.Helper()
	for n := 1; ; n++ {
		got := b.decisions(n)
		if i := slices.IndexFunc(got, func(d *ledgerv1.Decision) bool { return d.GetReason() == reason }); i >= 0 {
			return got[i]
		}
	}
}

// resolverReady waits until the resolver knows all aliases of the ledger, once it has got a notification.
func (b *bundle) resolverReady() {
	b.t.Helper()
	testkit.Eventually(b.t, func() bool {
		a := b.send(http.MethodGet, "/progress", "")
		return a.status == http.StatusOK && a.member(b.t, "behind", "resolver") == 0.0
	}, "the resolver is not behind")
}

const (
	rmaCreated   = ledgerv1.ReturnStatus_RETURN_STATUS_CREATED
	rmaPickedUp  = ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP
	rmaCompleted = ledgerv1.ReturnStatus_RETURN_STATUS_COMPLETED
)

// Another seller names the return of this one on a shipment of its own, and does so first.
func TestResolverKeepsSellersApart(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("other", "A1", "A2")
	b.deliveredTo("own", "V1", "V2")
	b.from("other", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("A1")+","+line("A2")))
	b.state("A1", returned(rmaCreated))
	b.state("A2", returned(rmaCreated))
	// This one arrives before its return, as far as this seller is concerned.
	b.from("own", aReturn("return_picked_up", "R", "2024-04-07T00:00:00Z", `{"orderItemId":"I-V1"},{"orderItemId":"I-V2"}`))
	b.from("own", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("V1")+","+line("V2")))
	b.state("V1", returned(rmaPickedUp))
	b.state("V2", returned(rmaPickedUp))
	require.Equal(t, rmaCreated, b.state("A1", returned(rmaCreated)).GetReturns()[0].GetStatus())
	b.from("other", aReturn("return_completed", "R", "2024-04-08T00:00:00Z", ``))
	b.state("A1", returned(rmaCompleted))
	b.state("A2", returned(rmaCompleted))
	b.state("V1", returned(rmaPickedUp))
	b.state("V2", returned(rmaPickedUp))
	for _, d := range b.decisions(8 + 4 + 2 + 2) {
		require.Equal(t, ledgerv1.Outcome_OUTCOME_APPLIED, d.GetOutcome(), "%v", d)
	}
}

func TestResolverTakesOnlySeller(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("own", "V1")
	b.from("own", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("V1")))
	b.state("V1", returned(rmaCreated))
	b.from("", aReturn("return_picked_up", "R", "2024-04-07T00:00:00Z", ``))
	b.state("V1", returned(rmaPickedUp))

	b.deliveredTo("other", "A1")
	b.from("other", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("A1")))
	b.state("A1", returned(rmaCreated))
	b.resolverReady()
	b.from("", aReturn("return_completed", "R", "2024-04-08T00:00:00Z", ``))
	d := b.find("ambiguous")
	require.Equal(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome())
	require.Equal(t, "R", d.GetShipmentId())
	require.Equal(t, "notification.return_completed", d.GetInputType())
	require.NotEmpty(t, d.GetBody())
	b.state("V1", returned(rmaPickedUp))
	b.state("A1", returned(rmaCreated))
}

// A return over shipments of two sellers: its notifications name neither seller nor lines, so the seller of each
// shipment counts.
func TestResolverServesReturnOfTwoSellers(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("own", "S1")
	b.deliveredTo("other", "S2")
	// This one arrives before its return.
	b.from("", aReturn("return_picked_up", "R", "2024-04-07T00:00:00Z", ``))
	b.from("", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("S1")+","+line("S2")))
	b.state("S1", returned(rmaPickedUp))
	b.state("S2", returned(rmaPickedUp))
	b.resolverReady()
	b.from("", aReturn("return_completed", "R", "2024-04-08T00:00:00Z", ``))
	b.state("S1", returned(rmaCompleted))
	b.state("S2", returned(rmaCompleted))
	sellers := map[string]int{}
	for _, d := range b.decisions(2*2 + 2 + 2 + 2) {
		require.Equal(t, ledgerv1.Outcome_OUTCOME_APPLIED, d.GetOutcome(), "%v", d)
		if d.GetInputType() != "notification.return_created" {
			sellers[d.GetShipmentId()+" of "+d.GetSellerId()]++
		}
	}
	require.Equal(t, map[string]int{"S1 of own": 4, "S2 of other": 4}, sellers)
}

// A credential speaks for two of three sellers that have a return of one id.
func TestResolverStaysWithinCredential(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Sellers = strictSellers() })
	send := func(token, seller, body string) {
		t.Helper()
		path := strings.TrimSuffix("/notifications/"+seller, "/")
		a := b.send(http.MethodPost, path, body, bearer(tokenOf(token))...)
		require.Equal(t, http.StatusOK, a.status, "%s", a.body)
	}
	for token, seller := range map[string]string{"both": "s2", "s3": "s3"} {
		id := "S-" + seller
		send(token, seller, created(id))
		send(token, seller, aReturn("return_created", "R", "2024-04-06T00:00:00Z", line(id)))
		b.state(id, returned(rmaCreated))
	}
	send("both", "", aReturn("return_picked_up", "R", "2024-04-07T00:00:00Z", ``))
	b.state("S-s2", returned(rmaPickedUp))
	b.state("S-s3", returned(rmaCreated))
}

func TestResolverFindsShipmentByOrderItem(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("own", "S1", "S2")
	a := b.from("own", aReturn("return_created", "R", "2024-04-06T00:00:00Z",
		withoutShipment("I-S1")+","+line("S2")+","+withoutShipment("I-S3")))
	require.Equal(t, true, a.member(t, "unresolved"))
	b.from("own", aReturn("return_picked_up", "R", "2024-04-07T00:00:00Z", ``))
	b.deliveredTo("own", "S3")
	for _, id := range []string{"S1", "S2", "S3"} {
		s := b.state(id, returned(rmaPickedUp))
		require.Equal(t, []string{"S1", "S2", "S3"}, s.GetReturns()[0].GetSiblingShipmentIds())
	}
	// Its repeat is a duplicate, though the resolver has rewritten it.
	b.from("own", aReturn("return_created", "R", "2024-04-06T00:00:00Z",
		withoutShipment("I-S1")+","+line("S2")+","+withoutShipment("I-S3")))
	outcomes := map[string]int{}
	for _, d := range b.decisions(3*2 + 3 + 3 + 3) {
		outcomes[d.GetOutcome().String()+d.GetReason()]++
	}
	require.Equal(t, map[string]int{"OUTCOME_APPLIED": 12, "OUTCOME_DUPLICATErepeated_key": 3}, outcomes)
}

// The lines of a new return name order items, or shipments, of two sellers; the sender names no seller.
func TestResolverFindsShipmentsOfTwoSellers(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("own", "S1")
	b.deliveredTo("other", "S2", "S3")
	b.from("", aReturn("return_created", "R", "2024-04-06T00:00:00Z",
		withoutShipment("I-S1")+","+line("S2")+","+withoutShipment("I-S3")))
	for _, id := range []string{"S1", "S2", "S3"} {
		b.state(id, returned(rmaCreated))
	}
	for _, d := range b.decisions(3*2 + 3) {
		require.Equal(t, ledgerv1.Outcome_OUTCOME_APPLIED, d.GetOutcome(), "%v", d)
	}
}

func TestResolverQuarantinesAmbiguousOrderItem(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("other", "A1")
	b.from("own", strings.ReplaceAll(created("V1"), "I-V1", "I-A1"))
	b.from("own", strings.ReplaceAll(created("V2"), "I-V2", "I-A1"))
	b.state("V1", status(ledgerv1.Status_STATUS_APPROVED))
	b.state("V2", status(ledgerv1.Status_STATUS_APPROVED))
	b.from("other", aReturn("return_created", "R1", "2024-04-06T00:00:00Z", withoutShipment("I-A1")))
	b.state("A1", returned(rmaCreated))
	b.resolverReady()
	b.from("own", aReturn("return_created", "R2", "2024-04-06T00:00:00Z", withoutShipment("I-A1")))
	d := b.find("ambiguous")
	require.Equal(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome())
	require.Equal(t, "R2", d.GetShipmentId())
	require.Equal(t, "own", d.GetSellerId())
}

func TestResolverSplitsByLines(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("own", "S1", "S2", "S3")
	b.from("own", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("S1")+","+line("S2")+","+line("S3")))
	b.from("own", aReturn("return_completed", "R", "2024-04-08T00:00:00Z", `{"orderItemId":"I-S3"},{"orderItemId":"I-S1"}`))
	b.state("S1", returned(rmaCompleted))
	b.state("S3", returned(rmaCompleted))
	b.state("S2", returned(rmaCreated))
	for _, d := range b.decisions(6 + 3 + 2) {
		require.Equal(t, ledgerv1.Outcome_OUTCOME_APPLIED, d.GetOutcome())
		require.Empty(t, d.GetReason(), "%v", d)
	}
}

// The second shipment of the return is created after the follow-up.
func TestResolverReachesLateShipment(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	b.deliveredTo("own", "S1")
	b.from("own", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("S1")+","+line("S2")))
	b.from("own", aReturn("return_picked_up", "R", "2024-04-07T00:00:00Z", `{"orderItemId":"I-S1"},{"orderItemId":"I-S2"}`))
	b.from("own", aReturn("return_completed", "R", "2024-04-08T00:00:00Z", ``))
	b.state("S1", returned(rmaCompleted))
	b.deliveredTo("own", "S2")
	s := b.state("S2", returned(rmaCompleted))
	require.Equal(t, "2024-04-07T00:00:00Z", s.GetReturns()[0].GetPickedUp().GetAt().AsTime().Format("2006-01-02T15:04:05Z"))
	for _, d := range b.decisions(2 + 1 + 2 + 1 + 2 + 1 + 2) {
		require.NotEqual(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome(), "%v", d)
	}
}

// The second shipment of the return is created when the follow-up has waited too long for it.
func TestResolverExpiresToNamedShipment(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.UnresolvedLimit = time.Nanosecond })
	b.deliveredTo("own", "S1")
	b.from("own", aReturn("return_created", "R", "2024-04-06T00:00:00Z", line("S1")+","+line("S2")))
	b.from("own", aReturn("return_completed", "R9", "2024-04-08T00:00:00Z", ``)) // From the first one on, aliases count.
	b.state("S1", returned(rmaCreated))
	b.resolverReady()
	b.from("own", aReturn("return_picked_up", "R", "2024-04-07T00:00:00Z", `{"orderItemId":"I-S1"},{"orderItemId":"I-S2"}`))
	b.state("S1", returned(rmaPickedUp))
	b.deliveredTo("own", "S2")
	b.state("S2", returned(rmaPickedUp))
	for _, d := range b.decisions(2 + 2 + 1 + 2 + 2 + 2) {
		require.NotEqual(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome(), "%v", d)
	}
}

func TestResolverQuarantinesUnreadable(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	client := testkit.Client(t, b.brokers, kafka.ManualPartitions())
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{
		Topic: events.TopicUnresolved, Partition: events.KeyPartition("R1", lanes), Key: []byte("R1"),
		Value: []byte(`{"eventType":"return_completed"`),
	}).FirstErr())
	d := b.decisions(1)[0]
	require.Equal(t, ledgerv1.Outcome_OUTCOME_QUARANTINED, d.GetOutcome())
	require.Equal(t, "bad_body", d.GetReason())
	require.Equal(t, "R1", d.GetShipmentId())
	require.JSONEq(t, `"{\"eventType\":\"return_completed\""`, fmt.Sprintf("%q", d.GetBody()))
}

// A body with many shipments is not written, and kept, once for each of them.
func TestInboxRecordsAreParts(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, nil)
	const shipments = 1000
	lines := make([]string, shipments)
	items := make([]string, shipments)
	for i := range lines {
		id := fmt.Sprintf("a8b6c5f6-5eb5-4c44-9c40-%012d", i)
		lines[i] = strings.Replace(line(id), "SIZE", strings.Repeat("x", 800), 1)
		items[i] = fmt.Sprintf(`{"orderItemId":"I-%s"}`, id)
	}
	body := aReturn("return_created", "R1", "2024-04-06T00:00:00Z", strings.Join(lines, ","))
	require.Greater(t, len(body), 900<<10)
	a := b.notify(body)
	require.NotNil(t, a.member(t, "also", shipments-2))
	require.LessOrEqual(t, b.inboxBytes(shipments), 2*len(body)+500*shipments)
}

// inboxBytes returns the bytes of keys, headers and values of the first n records of the inbox.
func (b *bundle) inboxBytes(n int) (total int) {
	b.t.Helper()
	client := testkit.Client(b.t, b.brokers, kgo.ConsumeTopics(events.TopicInbox),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(b.t.Context(), testkit.Limit)
	defer cancel()
	for n > 0 {
		client.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			n--
			total += len(rec.Key) + len(rec.Value)
			for _, h := range rec.Headers {
				total += len(h.Key) + len(h.Value)
			}
		})
		require.NoError(b.t, ctx.Err(), "%d records are missing", n)
	}
	return total
}
