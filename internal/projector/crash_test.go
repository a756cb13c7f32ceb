package projector_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/events/eventstest"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// runProcess runs a projector on its own network until it crashes or has caught up. It replaces the previous one at
// once, because it has the same instance id.
func (b *bundle) runProcess(m *process, inserters int) {
	b.t.Helper()
	cfg := config()
	cfg.InstanceID, cfg.Inserters = "one", inserters
	click := b.click
	click.Dial = m.ClickHouse
	p := projector.New(cfg, b.kafka, click, testkit.Logger(b.t), prometheus.NewRegistry(), kgo.Dialer(m.Kafka))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	adm := b.admin()
	testkit.Eventually(b.t, func() bool { return m.crashed() || b.behind(adm) == 0 }, "the projector crashes or catches up")
	cancel()
	if m.crashed() {
		<-done // A crashed process returns nothing, so its error is ignored.
		return
	}
	require.NoError(b.t, <-done)
}

// TestProjectorCrashAtAnyStep checks that no row is lost or duplicated, whatever request a process crashes at.
func TestProjectorCrashAtAnyStep(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		for _, insert := range []bool{true, false} {
			for _, after := range []bool{true, false} {
				t.Run(fmt.Sprintf("insert %t, after %t", insert, after), func(t *testing.T) {
					t.Parallel()
					b := setupOn(t, on, 2)
					b.crashes(insert, after, 0)
				})
			}
		}
		t.Run("with expired tokens", func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, on, 2)
			// As after an outage that outlasts the deduplication window. By then no insert of the crashed process can be in
			// flight, so here one insert runs at a time, and the process crashes after the server has stored it.
			for _, table := range []string{"events", "decisions_history"} {
				require.NoError(t, b.db.Exec(t.Context(), "ALTER TABLE "+table+" MODIFY SETTING non_replicated_deduplication_window = 0"))
			}
			b.crashes(true, true, 1)
		})
	})
}

// crashes lets a projector crash at one request after another, with more records each time.
func (b *bundle) crashes(insert, after bool, inserters int) {
	b.t.Helper()
	crashed := 0
	// A process makes some fifteen inserts and ten commits.
	for nth := 1; nth <= 8; nth++ {
		b.stories(3)
		m := newProcess(crashPoint{insert: insert, after: after, nth: nth})
		b.runProcess(m, inserters)
		if m.crashed() {
			crashed++
		}
	}
	require.Greater(b.t, crashed, 5, "few processes reached their crash point")
	b.runProcess(newProcess(crashPoint{}), inserters)
	b.complete()
}

// TestProjectorFrozenBeforeInsert checks that an insert that arrives after another projector took over changes nothing.
func TestProjectorFrozenBeforeInsert(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		for nth := 1; nth <= 4; nth++ {
			t.Run(fmt.Sprintf("insert %d", nth), func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				b.stories(12)
				// The first projector freezes after the commit of the intent and before the insert's query is sent.
				m := newProcess(crashPoint{insert: true, nth: nth})
				m.freeze = make(chan struct{})
				cfg := config()
				cfg.InstanceID = "one"
				click := b.click
				click.Dial = m.ClickHouse
				old := projector.New(cfg, b.kafka, click, testkit.Logger(t), nil, kgo.Dialer(m.Kafka))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- old.Run(ctx) }()
				<-m.down
				// The second takes over and does the work.
				stop := b.projector(cfg, b.click)
				b.caughtUp()
				b.complete()
				// The first resumes and sends its insert.
				close(m.freeze)
				b.stories(6)
				b.caughtUp()
				cancel()
				<-done
				b.complete()
				stop()
			})
		}
	})
}

// A batch that the previous projector announced may be gone from the topic, all of it.
func TestProjectorSkipsVanishedBatch(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		// Readers see none of the records at offsets 0 to 7, and the marker at 8 is behind the batch of the intent.
		var gone []eventstest.Rec
		for _, e := range eventstest.Story(999, eventstest.Start) {
			gone = append(gone, eventstest.NewLane(0).Event(e))
		}
		b.write(kgo.TryAbort, gone...)
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: events.TopicEvents, At: 0, LeaderEpoch: -1, Metadata: "v2;7;7;-1"})
		require.NoError(t, b.admin().CommitAllOffsets(t.Context(), kafka.GroupProjector(b.kafka.Cluster), offsets))
		b.stories(4)
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()
	})
}

// Bounds that the previous projector announced stay as they are: they are part of the tokens, and an insert of that
// projector may still arrive.
func TestProjectorKeepsBoundsOfAnnouncedBatch(t *testing.T) {
	t.Parallel()
	announce := func(t *testing.T, b *bundle, metadata string) {
		t.Helper()
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: events.TopicEvents, At: 0, LeaderEpoch: -1, Metadata: metadata})
		require.NoError(t, b.admin().CommitAllOffsets(t.Context(), kafka.GroupProjector(b.kafka.Cluster), offsets))
	}
	t.Run("its last records are gone", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.stories(1) // Events at the offsets 0 to 7, and a marker at 8. Readers see none of the next nine.
		lane := eventstest.NewLane(0)
		var gone []eventstest.Rec
		for _, e := range eventstest.Story(999, eventstest.Start) {
			gone = append(gone, lane.Event(e))
		}
		b.write(kgo.TryAbort, gone...)
		announce(t, b, "v2;16;16;-1")
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()

		var lanes proto.ColUInt16
		var offsets proto.ColUInt64
		var recorded clickhouse.Time
		lanes.Append(0)
		offsets.Append(16)
		recorded.Append(eventstest.Start.UnixMilli())
		late := clickhouse.NewInserter(b.click)
		t.Cleanup(func() { require.NoError(t, late.Close()) })
		require.NoError(t, late.Insert(t.Context(), &clickhouse.Table{Name: "events", Columns: proto.Input{
			{Name: "lane", Data: &lanes}, {Name: "offset", Data: &offsets}, {Name: "recorded_at", Data: &recorded},
		}}, events.TopicEvents+":0:0-16"))
		b.complete()
	})
	t.Run("another build cut it across months", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.stories(1)
		b.lanes[0].Now = time.Date(2026, 4, 30, 23, 59, 59, 992e6, time.UTC)
		b.stories(2)
		announce(t, b, "v2;25;24;-1") // All of it, with two markers.
		b.projector(config(), b.click)
		b.caughtUp()
		b.complete()
		require.Equal(t, 1, int(b.batches(events.TopicEvents)))
	})
}

func TestProjectorRepeatsCommitWithLostReply(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 2)
		b.stories(10)
		var lossy netfault.LossyDialer
		lossy.DropReplies(kmsg.OffsetCommit, 4)
		b.projector(config(), b.click, kgo.Dialer(lossy.Dial))
		// If two requests share a connection, only the first counts as lost.
		testkit.Eventually(t, func() bool { return lossy.LostReplies(kmsg.OffsetCommit) >= 2 }, "replies are lost")
		b.stories(4)
		b.caughtUp()
		b.complete()
	})
}

func TestProjectorsShareLanes(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 4)
		b.stories(10)
		first := b.projector(config(), b.click)
		b.stories(20)
		second := b.projector(config(), b.click)
		b.stories(20)
		b.caughtUp()
		first()
		b.stories(10)
		b.caughtUp()
		b.complete()
		second()
	})
}

func TestProjectorWaitsForClickHouse(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]crashPoint{
		"before an insert":                   {insert: true, nth: 2},
		"before the response of an insert":   {insert: true, nth: 1, after: true},
		"before the response of another one": {insert: true, nth: 2, after: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
				b := setupOn(t, on, 1)
				b.stories(5)
				m := newProcess(at)
				click := b.click
				restored := make(chan struct{})
				click.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					select {
					case <-restored:
						return new(net.Dialer).DialContext(ctx, network, addr)
					default:
					}
					return m.ClickHouse(ctx, network, addr)
				}
				b.projector(config(), click)
				<-m.down
				b.stories(5)
				testkit.Eventually(t, func() bool { return b.metric("orderledger_projector_retries_total") >= 2 }, "it retries more than once")
				close(restored)
				b.caughtUp()
				b.complete()
			})
		})
	}
}
