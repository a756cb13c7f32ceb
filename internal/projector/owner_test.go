package projector_test

import (
	"context"
	"testing"
	"time"

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

// replace empties ClickHouse as a new server would be.
func (b *bundle) replace() {
	b.t.Helper()
	require.NoError(b.t, b.db.Exec(context.Background(), "DROP DATABASE IF EXISTS "+b.click.Database+" SYNC"))
	require.NoError(b.t, clickhouse.Migrate(context.Background(), b.click, testkit.Logger(b.t), projections.Migrations()))
}

// run runs a projector of a ledger until it ends, and returns why.
func (b *bundle) run(ctx context.Context, ledgerID string) error {
	cfg := config()
	cfg.LedgerID, cfg.OwnerCheckEvery = ledgerID, 20*time.Millisecond
	return projector.New(cfg, b.kafka, b.click, testkit.Logger(b.t), nil).Run(ctx)
}

func TestProjectorRefusesLostTables(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 2)
		b.stories(20)
		stop := b.projector(config(), b.click)
		b.caughtUp()
		events, decisions := b.number("count() FROM events"), b.number("count() FROM decisions_history")
		require.ErrorIs(t, projector.Refill(t.Context(), b.client, b.kafka.Cluster), projector.ErrMembers,
			"a projector that runs would commit its positions again")
		stop()
		b.replace()

		err := b.run(t.Context(), "")
		require.ErrorIs(t, err, clickhouse.ErrTablesLost)
		require.ErrorContains(t, err, "orderledger refill")
		require.ErrorIs(t, b.check(""), clickhouse.ErrTablesLost)
		require.Zero(t, b.number("count() FROM events"), "it refuses before it writes anything")

		require.NoError(t, projector.Refill(t.Context(), b.client, b.kafka.Cluster))
		require.NoError(t, b.check(""))
		// Killed in the middle of it, twice.
		for i := range 2 {
			ctx, kill := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- b.run(ctx, "") }()
			testkit.Eventually(t, func() bool { return b.number("count() FROM events") > int64(i)*events/3 }, "some rows are there")
			kill()
			require.NoError(t, <-done)
		}
		b.projector(config(), b.click)
		b.caughtUp()
		require.Equal(t, events, b.number("count() FROM events"))
		require.Equal(t, events, b.number("uniqExact(lane, offset) FROM events"))
		require.Equal(t, decisions, b.number("count() FROM decisions_history"))
		require.NoError(t, b.check(""))
	})
}

func (b *bundle) check(ledgerID string) error {
	return projector.CheckTables(context.Background(), b.client, b.kafka.Cluster, b.db, ledgerID)
}

// Tables that are replaced while a projector runs would be filled from its positions only.
func TestProjectorNoticesReplacedTables(t *testing.T) {
	t.Parallel()
	require.LessOrEqual(t, projector.DefaultConfig().OwnerCheckEvery, 10*time.Second, "as docs/promises.md says")
	b := setup(t, 1)
	b.stories(3)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- b.run(ctx, "L1") }()
	b.caughtUp()
	b.replace()
	select {
	case err := <-done:
		require.ErrorIs(t, err, clickhouse.ErrTablesLost)
		require.ErrorContains(t, err, "replaced while the projector ran")
	case <-time.After(testkit.Limit):
		require.Fail(t, "the projector goes on")
	}
}

// A projector that is killed between an intent and its insert leaves the intent, which also says what the tables must
// hold.
func TestProjectorRefusesLostTablesAfterIntent(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.stories(3)
	stop := b.projector(config(), b.click)
	b.caughtUp()
	stop()
	b.write(kgo.TryCommit, b.lanes[0].Event(eventstest.Story(3, eventstest.Start)[0])) // Of the events only.
	m := newProcess(crashPoint{insert: true, nth: 1})
	b.runProcess(m, 1)
	require.True(t, m.crashed())
	require.NoError(t, b.check(""))

	require.NoError(t, b.db.Exec(t.Context(), "TRUNCATE TABLE events"))
	require.ErrorIs(t, b.check(""), clickhouse.ErrTablesLost)
	err := b.run(t.Context(), "")
	require.ErrorIs(t, err, clickhouse.ErrTablesLost)
	require.ErrorContains(t, err, "events of lane 0 ends at offset -1")
	require.Zero(t, b.number("count() FROM events"), "it refuses before it writes anything")
}

// Tables that lost rows while a projector runs keep their owner. Whoever takes a lane over compares them once more.
func TestProjectorRefusesLostTablesAtTakeover(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.stories(3)
	cfg := config()
	cfg.InstanceID = "one"
	done := make(chan error, 1)
	go func() { done <- projector.New(cfg, b.kafka, b.click, testkit.Logger(t), nil).Run(t.Context()) }()
	b.caughtUp()
	// The last row only: no fewer can be lost.
	require.NoError(t, b.db.Exec(t.Context(), "ALTER TABLE events DELETE WHERE offset = ? "+
		"SETTINGS mutations_sync = 2", b.number("max(offset) FROM events")))
	group := kafka.GroupProjector(b.kafka.Cluster)
	_, err := kadm.NewClient(b.client).LeaveGroup(t.Context(), kadm.LeaveGroup(group).InstanceIDs("one"))
	require.NoError(t, err)
	select {
	case err := <-done:
		require.ErrorIs(t, err, clickhouse.ErrTablesLost)
		require.ErrorContains(t, err, "orderledger refill")
	case <-time.After(testkit.Limit):
		require.Fail(t, "the projector goes on")
	}
}

// A Kafka that starts anew under old tables, or tables of another ledger.
func TestProjectorRefusesOtherLedger(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.replace() // So that they have no owner yet.
	b.stories(3)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.run(ctx, "L1") }()
	b.caughtUp()
	stop()
	require.NoError(t, <-done)
	rows := b.number("count() FROM events")

	b.kafka.Cluster = "another" // Its group has no positions.
	err := b.run(t.Context(), "L2")
	require.ErrorIs(t, err, clickhouse.ErrOtherLedger)
	require.ErrorContains(t, err, "ledger L1")
	require.ErrorIs(t, b.check("L2"), clickhouse.ErrOtherLedger)
	require.NoError(t, b.check("L1"))
	require.Equal(t, rows, b.number("count() FROM events"))
}
