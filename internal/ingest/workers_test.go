package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestPackingIsolatesFrozenOwner(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a := f.member(nil)
	b := f.member(func(c *ingest.Config) { c.Workers = false }) // Only a packs.
	a.start()
	b.start()
	f.settle()
	frozen, healthy := shipmentIn(b.owned()[0], 0), shipmentIn(a.owned()[0], 0)
	f.create(a, frozen, healthy)
	var reached atomic.Bool
	thawed := make(chan struct{})
	thaw := sync.OnceFunc(func() { close(thawed) })
	t.Cleanup(thaw)
	b.intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		reached.Store(true)
		<-thawed
		next.ServeHTTP(w, r)
	})
	require.Equal(t, "SUCCESS", b.labelsOfAll(frozen).member(t, "shipments", 0, "status"))
	testkit.Eventually(t, reached.Load, "the worker has reached the frozen owner")
	require.Equal(t, "SUCCESS", a.labelsOfAll(healthy).member(t, "shipments", 0, "status"))
	f.state(healthy, status(ledgerv1.Status_STATUS_PACKED))
	f.state(frozen, status(ledgerv1.Status_STATUS_PACKING_IN_PROGRESS))
	thaw()
	f.state(frozen, status(ledgerv1.Status_STATUS_PACKED))
}

func TestResolverMovesToOtherInstance(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	a, b := f.pair(nil)
	const n = 6
	shipment := func(i int) string { return fmt.Sprintf("S%d", i) }
	for i := range n {
		a.notify(created(shipment(i)))
		a.notify(fmt.Sprintf(`{"eventType":"shipment_delivered","timestamp":"2024-04-05T00:00:00Z","shipmentId":%q,"attributes":{"status":"DELIVERED"}}`, shipment(i)))
		a.notify(aReturn("return_picked_up", fmt.Sprintf("R%d", i), "2024-04-07T00:00:00Z", fmt.Sprintf(`{"orderItemId":"I-%s"}`, shipment(i))))
	}
	for i := range n {
		f.state(shipment(i), status(ledgerv1.Status_STATUS_DELIVERED))
	}
	testkit.Eventually(t, func() bool {
		got := a.send(http.MethodGet, "/progress", "")
		return got.status == http.StatusOK && got.member(t, "behind", "resolver") == 0.0
	}, "all are examined")
	b.stop()
	for i := range n {
		a.notify(aReturn("return_created", fmt.Sprintf("R%d", i), "2024-04-06T00:00:00Z", line(shipment(i))))
	}
	for i := range n {
		f.state(shipment(i), returned(ledgerv1.ReturnStatus_RETURN_STATUS_PICKED_UP))
	}
}

func TestResolverReadsAllAliasesFirst(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	testkit.Topics(t, brokers, lanes)
	client := testkit.Client(t, brokers, kafka.ManualPartitions())
	partition := events.KeyPartition("R1", lanes)
	alias := func(returnID, shipmentID string) *kgo.Record {
		value, err := (&ledgerv1.Alias{ShipmentId: shipmentID, SellerId: "own"}).MarshalVT()
		require.NoError(t, err)
		return &kgo.Record{
			Topic: events.TopicAliases, Partition: partition, Value: value,
			Key: fmt.Appendf(nil, "r%d:%s,3:own,%d:%s,", len(returnID), returnID, len(shipmentID), shipmentID),
		}
	}
	// The return has two shipments, with more aliases between theirs than one poll returns.
	records := []*kgo.Record{alias("R1", "S1")}
	for i := range 3000 {
		records = append(records, alias("other", fmt.Sprint("X", i)))
	}
	unresolved := func(returnID string) *kgo.Record {
		return &kgo.Record{
			Topic: events.TopicUnresolved, Partition: partition, Key: []byte(returnID),
			Value: []byte(aReturn("return_completed", returnID, "2024-04-08T00:00:00Z", ``)),
		}
	}
	// The second return has no alias when all aliases have been read.
	records = append(records, alias("R1", "S2"), unresolved("R2"), unresolved("R1"))
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())

	b := newBundle(t, brokers, nil, nil)
	b.start()
	inbox := testkit.Client(t, brokers, kgo.ConsumeTopics(events.TopicInbox),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	defer cancel()
	reached := map[string]bool{}
	await := func(shipments ...string) {
		for !reached[shipments[0]] || !reached[shipments[len(shipments)-1]] {
			inbox.PollFetches(ctx).EachRecord(func(rec *kgo.Record) { reached[string(rec.Key)] = true })
			require.NoError(t, ctx.Err(), "only %v reached", reached)
		}
	}
	await("S1", "S2")
	require.NoError(t, client.ProduceSync(t.Context(), alias("R2", "S3")).FirstErr())
	await("S3")
}
