package ingest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

func TestNotificationsReturn503WithoutKafka(t *testing.T) {
	t.Parallel()
	cluster, brokers := testkit.KafkaCluster(t)
	testkit.Topics(t, brokers, lanes)
	options := kafka.Options(testkit.KafkaConfig(brokers, lanes))
	ledger, err := journal.New(journal.Config{Cluster: "c", StoreDir: t.TempDir(), Lanes: lanes}, journal.Deps{Options: options})
	require.NoError(t, err)
	cfg := ingest.DefaultConfig()
	cfg.Lanes, cfg.NotificationTimeout, cfg.Sellers = lanes, 100*time.Millisecond, testSellers()
	in, err := ingest.New(cfg, ingest.Deps{Options: options, Journal: ledger, Log: testkit.Logger(t)})
	require.NoError(t, err)
	t.Cleanup(in.Close)
	b := &bundle{t: t, url: serve(t, in)}
	cluster.Close()
	for _, body := range []string{created("S1"), aReturn("return_completed", "R1", "2024-04-08T00:00:00Z", ``)} {
		a := b.send(http.MethodPost, "/notifications/own", body)
		require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
		require.Equal(t, "1", a.header.Get("Retry-After"))
		require.Equal(t, "urn:orderledger:problem:unavailable", a.member(t, "type"))
	}
	require.Equal(t, http.StatusServiceUnavailable, b.send(http.MethodGet, "/progress", "").status)
	require.Error(t, in.Ready(t.Context()))
}

func TestCommandsReturn503WithoutLane(t *testing.T) {
	t.Parallel()
	brokers := testkit.Kafka(t)
	options := kafka.Options(testkit.KafkaConfig(brokers, lanes))
	ledger, err := journal.New(journal.Config{Cluster: "c", StoreDir: t.TempDir(), Lanes: lanes}, journal.Deps{Options: options})
	require.NoError(t, err)
	cfg := ingest.DefaultConfig()
	cfg.Lanes, cfg.Sellers, cfg.CommandTimeout = lanes, testSellers(), 100*time.Millisecond
	in, err := ingest.New(cfg, ingest.Deps{Options: options, Journal: ledger, Log: testkit.Logger(t)})
	require.NoError(t, err)
	t.Cleanup(in.Close)
	b := &bundle{t: t, url: serve(t, in)}
	a := b.labels("S1", ownToken)
	require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
	require.Equal(t, "DEPENDENT_SYSTEM_CALL_FAILED", a.member(t, "errorCode"))
	require.Equal(t, "1", a.header.Get("Retry-After"))
}

func TestAccessLimitsRate(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.RatePerSecond, c.Burst = 0.001, 2 })
	call := func(token string) answer {
		return b.send(http.MethodPost, "/sellers/v3/shipments/dispatch", `{"shipmentIds":["S1"]}`, bearer(token)...)
	}
	require.NotEqual(t, http.StatusTooManyRequests, call(ownToken).status)
	require.NotEqual(t, http.StatusTooManyRequests, call(ownToken).status)
	a := call(ownToken)
	require.Equal(t, http.StatusTooManyRequests, a.status)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	require.NotEqual(t, http.StatusTooManyRequests, call(otherToken).status, "each seller has its own rate")
}

func TestAccessCountsItems(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 1000, ingest.DefaultConfig().RatePerSecond, 0, "it is on by default")
	b := setup(t, nil, func(c *ingest.Config) { c.RatePerSecond, c.Burst = 0.001, 10 })
	dispatch := func(token string, items int) int {
		list := strings.Repeat(`"S1",`, items-1) + `"S1"`
		return b.send(http.MethodPost, "/sellers/v3/shipments/dispatch", `{"shipmentIds":[`+list+`]}`, bearer(token)...).status
	}
	require.Equal(t, http.StatusOK, dispatch(ownToken, 8))
	require.Equal(t, http.StatusTooManyRequests, dispatch(ownToken, 3), "two are left, of which the call takes one")
	require.Equal(t, http.StatusOK, dispatch(ownToken, 1))
	require.Equal(t, http.StatusTooManyRequests, dispatch(ownToken, 1))
	for range 20 {
		b.notify(created("S1")) // Notifications are exempt.
	}
	require.Equal(t, http.StatusOK, dispatch(otherToken, 25), "a call above the burst takes all of it")
	require.Equal(t, http.StatusTooManyRequests, dispatch(otherToken, 1))
}

func TestPackingRepeatChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Cluster = "orderledger" })
	b.notify(created("S1"))
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	require.Equal(t, "SUCCESS", b.labels("S1", ownToken).member(t, "shipments", 0, "status"))
	before := b.state("S1", status(ledgerv1.Status_STATUS_PACKED))

	// Another worker starts from the beginning, as after the loss of its offsets.
	cfg := ingest.DefaultConfig()
	cfg.Addr, cfg.Lanes, cfg.Sellers, cfg.Cluster, cfg.BlobDir, cfg.ResolverDir = "", lanes, testSellers(), "again", b.blobs, t.TempDir()
	options := kafka.Options(testkit.KafkaConfig(b.brokers, lanes))
	in, err := ingest.New(cfg, ingest.Deps{Options: options, Journal: b.journal, Log: testkit.Logger(t)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Units()[0].Run(ctx) }()
	admin := kadm.NewClient(testkit.Client(t, b.brokers))
	testkit.Eventually(t, func() bool {
		offsets, err := admin.FetchOffsets(t.Context(), kafka.GroupPacking("again"))
		if err != nil {
			return false
		}
		ends, err := admin.ListEndOffsets(t.Context(), events.TopicEvents)
		if err != nil {
			return false
		}
		lane := events.Lane("S1", lanes)
		at, worked := offsets.Lookup(events.TopicEvents, lane)
		end, _ := ends.Lookup(events.TopicEvents, lane)
		return worked && at.At >= end.Offset-1 // The marker of the last transaction takes an offset too.
	}, "the second worker has read everything")
	cancel()
	require.NoError(t, <-ended)
	in.Close()
	after := b.state("S1", status(ledgerv1.Status_STATUS_PACKED))
	require.True(t, before.EqualVT(after), "version %d, then %d", before.GetVersion(), after.GetVersion())
}

func TestPackingRendersAfterCancellation(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Workers = false })
	two := strings.Replace(created("S1"), `"orderItems":[`, `"orderItems":[{"orderItemId":"J","orderId":"OD1","cancellationGroupId":"g2","quantity":1,"priceComponents":{"totalPrice":7}},`, 1)
	b.notify(two)
	b.state("S1", status(ledgerv1.Status_STATUS_APPROVED))
	require.Equal(t, "SUCCESS", b.labels("S1", ownToken).member(t, "shipments", 0, "status"))
	a := b.send(http.MethodPost, "/sellers/v3/shipments/cancel",
		`{"shipments":[{"shipmentId":"S1","locationId":"LOC1","cancellationGroupIds":["g2"],"reason":"not_enough_inventory"}]}`, bearer(ownToken)...)
	require.Equal(t, "SUCCESS", a.member(t, "shipments", 0, "status"), "%s", a.body)

	cfg := ingest.DefaultConfig()
	cfg.Addr, cfg.Lanes, cfg.Sellers, cfg.BlobDir, cfg.ResolverDir = "", lanes, testSellers(), b.blobs, t.TempDir()
	options := kafka.Options(testkit.KafkaConfig(b.brokers, lanes))
	in, err := ingest.New(cfg, ingest.Deps{Options: options, Journal: b.journal, Log: testkit.Logger(t)})
	require.NoError(t, err)
	t.Cleanup(in.Close)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- in.Units()[0].Run(ctx) }()
	s := b.state("S1", status(ledgerv1.Status_STATUS_PACKED))
	cancel()
	require.NoError(t, <-ended)
	require.Equal(t, uint32(2), s.GetDocumentRevision())
	require.True(t, strings.HasSuffix(s.GetPacking().GetDocumentsRef(), "-2"), s.GetPacking().GetDocumentsRef())
	require.Len(t, s.GetPacking().GetInvoiceLines(), 1)
}

func TestMetricsCountByRoute(t *testing.T) {
	t.Parallel()
	b := setup(t, nil, func(c *ingest.Config) { c.Workers = false })
	b.notify(created("S1"))
	b.send(http.MethodPost, "/notifications", `{`)
	b.send(http.MethodGet, "/nowhere/17", ``)
	counted := map[string]float64{}
	families, err := b.reg.Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			if metric.GetCounter().GetValue() > 0 { // Those that an alert watches exist at 0 from the start.
				counted[name] = metric.GetCounter().GetValue()
			}
			if metric.GetHistogram() != nil {
				counted[name] = float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	require.Equal(t, map[string]float64{
		"orderledger_ingest_requests_total 200 POST /notifications/{seller}":       1,
		"orderledger_ingest_requests_total 400 POST /notifications":                1,
		"orderledger_ingest_requests_total 404 /":                                  1,
		"orderledger_ingest_request_duration_seconds POST /notifications/{seller}": 1,
		"orderledger_ingest_request_duration_seconds POST /notifications":          1,
		"orderledger_ingest_request_duration_seconds /":                            1,
		"orderledger_ingest_notifications_total inbox":                             1,
		"orderledger_ingest_notifications_total refused":                           1,
	}, counted)
}
