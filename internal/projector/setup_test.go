package projector_test

import (
	"context"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/projections"
)

// bundle is a test's own Kafka and ClickHouse, and the lanes that it writes.
type bundle struct {
	t       testing.TB
	kafka   kafka.Config
	click   clickhouse.Config
	db      driver.Conn
	client  *kgo.Client // Writes lanes, in transactions.
	lanes   []*eventstest.Lane
	reg     *prometheus.Registry // Of the projector that was started last.
	written int
}

// setup uses the broker and the engine in this process, for benchmarks.
func setup(tb testing.TB, lanes int) *bundle {
	tb.Helper()
	return setupOn(tb, testkit.Backends{Kafka: testkit.Kfake, ClickHouse: testkit.Embedded}, lanes)
}

func setupOn(tb testing.TB, on testkit.Backends, lanes int) *bundle {
	tb.Helper()
	b := &bundle{t: tb, click: on.ClickHouse.Open(tb)}
	require.NoError(tb, clickhouse.Migrate(tb.Context(), b.click, testkit.Logger(tb), projections.Migrations()))
	var err error
	b.db, err = clickhouse.Open(b.click)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = b.db.Close() })
	_, err = clickhouse.EnsureOwner(tb.Context(), b.db, "") // Tests count the inserts that the projector makes otherwise.
	require.NoError(tb, err)

	_, brokers := on.Kafka.Open(tb)
	b.kafka = testkit.KafkaConfig(brokers, lanes)
	testkit.Topics(tb, brokers, lanes)
	b.client = testkit.Client(tb, brokers, kafka.ManualPartitions(), kgo.TransactionalID("writer"))
	for i := range lanes {
		b.lanes = append(b.lanes, eventstest.NewLane(int32(i)))
	}
	return b
}

// config has small batches, so that tests have many of them.
func config() projector.Config {
	return projector.Config{MaxRows: 50, SessionTimeout: 10 * time.Second}
}

// write writes records in one transaction, committed or aborted.
func (b *bundle) write(commit kgo.TransactionEndTry, recs ...eventstest.Rec) {
	b.t.Helper()
	require.NoError(b.t, b.client.BeginTransaction())
	var records []*kgo.Record
	for _, r := range recs {
		records = append(records, record(r))
	}
	require.NoError(b.t, b.client.ProduceSync(context.Background(), records...).FirstErr())
	require.NoError(b.t, b.client.EndTransaction(context.Background(), commit))
	testkit.Settled(b.t, b.client, projector.Topics()...)
}

func record(r eventstest.Rec) *kgo.Record {
	return &kgo.Record{
		Topic: r.Topic, Partition: r.Lane, Key: []byte(r.Key), Value: r.Value, Timestamp: r.At,
		Headers: kafka.AppendRecordHeaders(nil, r.Headers),
	}
}

// stories writes n shipments from creation to completion, ten per transaction, spread over the lanes, with a decision
// for each event.
func (b *bundle) stories(n int) {
	b.t.Helper()
	for n > 0 {
		chunk := min(n, 10)
		var recs []eventstest.Rec
		for range chunk {
			lane := b.lanes[b.written%len(b.lanes)]
			for _, e := range eventstest.Story(b.written, eventstest.Start.Add(time.Duration(b.written)*time.Second)) {
				recs = append(recs, lane.Event(e))
				d := eventstest.Decision()
				d.ShipmentId, d.FirstVersion, d.LastVersion = e.After.ShipmentId, e.After.Version, e.After.Version
				recs = append(recs, lane.Decision(d))
			}
			b.written++
		}
		b.write(kgo.TryCommit, recs...)
		n -= chunk
	}
}

// projector starts a projector and returns the function that stops it and waits.
func (b *bundle) projector(cfg projector.Config, click clickhouse.Config, opts ...kgo.Opt) (stop func()) {
	b.t.Helper()
	b.reg = prometheus.NewRegistry()
	p := projector.New(cfg, b.kafka, click, testkit.Logger(b.t), b.reg, opts...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(b.t, <-done)
	}
	b.t.Cleanup(stop)
	return stop
}

func (b *bundle) admin() *kadm.Client { return kadm.NewClient(b.client) }

// metric returns the sum of a metric of the projector that was started last.
func (b *bundle) metric(name string) (sum float64) {
	b.t.Helper()
	families, err := b.reg.Gather()
	require.NoError(b.t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// caughtUp waits until the group's offsets have reached the end of the topics, so that every record is in all tables.
func (b *bundle) caughtUp() {
	b.t.Helper()
	adm := b.admin()
	testkit.Eventually(b.t, func() bool { return b.behind(adm) == 0 }, "the projector catches up")
}

// behind returns how many offsets lie between the group's position and the end of the topics.
func (b *bundle) behind(adm *kadm.Client) (n int64) {
	b.t.Helper()
	ctx := context.Background()
	ends, err := adm.ListCommittedOffsets(ctx, projector.Topics()...)
	require.NoError(b.t, err)
	at, err := adm.FetchOffsets(ctx, kafka.GroupProjector(b.kafka.Cluster))
	if err != nil {
		return -1
	}
	ends.Each(func(o kadm.ListedOffset) {
		if got, ok := at.Lookup(o.Topic, o.Partition); ok {
			n += o.Offset - got.At
			if got.Metadata != "" && got.At < o.Offset {
				n++
			}
		} else {
			n += o.Offset
		}
	})
	return n
}

// number returns the single number that a query returns.
func (b *bundle) number(query string, args ...any) (n int64) {
	b.t.Helper()
	require.NoError(b.t, b.db.QueryRow(context.Background(), "SELECT toInt64((SELECT "+query+"))", args...).Scan(&n), query)
	return n
}

// complete checks that the tables have every event and decision once, and every shipment in its last state.
func (b *bundle) complete() {
	b.t.Helper()
	all := int64(b.written * eventstest.StoryLength)
	for _, table := range []string{"events", "decisions"} {
		require.Equal(b.t, all, b.number("count() FROM "+table), table)
		seq := map[string]string{"events": "laneseq", "decisions": "decisionseq"}[table]
		require.Equal(b.t, all, b.number("uniqExact(lane, "+seq+") FROM "+table), table)
		// Dense: the highest number of a lane is its number of rows.
		require.Zero(b.t, b.number("count() FROM (SELECT lane FROM "+table+" GROUP BY lane HAVING max("+seq+") != count() OR min("+seq+") != 1)"), table)
	}
	require.EqualValues(b.t, b.written, b.number("count() FROM shipments WHERE status = 'COMPLETED' AND version = 8"))
	require.EqualValues(b.t, b.written, b.number("count() FROM shipments"))
	require.EqualValues(b.t, b.written+(b.written+2)/3, b.number("count() FROM order_items WHERE status = 'COMPLETED' AND version = 8"))
	require.EqualValues(b.t, 2*b.written, b.number("count() FROM sla WHERE outcome IN ('met', 'breached') AND version = 8"))
}
