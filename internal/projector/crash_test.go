package projector_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// life runs a projector on a network of its own until it dies or has caught up. Each takes the place of the one before
// at once, being the same member of the group.
func (b *bundle) life(m *mortal, inserters int) {
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
	testkit.Eventually(b.t, func() bool { return m.isDead() || b.behind(adm) == 0 }, "the projector dies or catches up")
	cancel()
	if m.isDead() {
		// What it returns is of no interest: nobody hears a dead process.
		<-done
		return
	}
	require.NoError(b.t, <-done)
}

func TestADeathAtAnyStepLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		for _, insert := range []bool{true, false} {
			for _, after := range []bool{true, false} {
				t.Run(fmt.Sprintf("insert %t after %t", insert, after), func(t *testing.T) {
					t.Parallel()
					b := setupOn(t, on, 2)
					b.deaths(insert, after, 0)
				})
			}
		}
		t.Run("with tokens forgotten", func(t *testing.T) {
			t.Parallel()
			b := setupOn(t, on, 2)
			// As after an outage that is longer than tables remember tokens. By then no insert of the dead can still be on
			// its way: so here one insert runs at a time, and the one that kills has landed.
			for _, table := range []string{"events", "decisions_history"} {
				require.NoError(t, b.db.Exec(t.Context(), "ALTER TABLE "+table+" MODIFY SETTING non_replicated_deduplication_window = 0"))
			}
			b.deaths(true, true, 1)
		})
	})
}

// deaths lets a projector die at one step after another, each time with more to do.
func (b *bundle) deaths(insert, after bool, inserters int) {
	b.t.Helper()
	died := 0
	// A life has some fifteen inserts and ten commits.
	for nth := 1; nth <= 8; nth++ {
		b.stories(3)
		m := newMortal(step{insert: insert, after: after, nth: nth})
		b.life(m, inserters)
		if m.isDead() {
			died++
		}
	}
	require.Greater(b.t, died, 5, "the test has killed nothing")
	b.life(newMortal(step{}), inserters)
	b.complete()
}

func TestAnInsertOfAnOwnerThatWasReplacedChangesNothing(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		for nth := 1; nth <= 4; nth++ {
			t.Run(fmt.Sprintf("insert %d", nth), func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				b.stories(12)
				// The first owner is frozen with an insert in its hand: the intent is committed, the query is not sent.
				m := newMortal(step{insert: true, nth: nth})
				m.freeze = make(chan struct{})
				cfg := config()
				cfg.InstanceID = "one"
				click := b.click
				click.Dial = m.ClickHouse
				old := projector.New(cfg, b.kafka, click, testkit.Logger(t), nil, kgo.Dialer(m.Kafka))
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- old.Run(ctx) }()
				<-m.dead
				// The second takes its place and does the work.
				stop := b.projector(cfg, b.click)
				b.caughtUp()
				b.complete()
				// Now the first wakes up and sends what it had in its hand.
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

func TestCommitsWhoseAnswerIsLostAreRepeated(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 2)
		b.stories(10)
		var lossy netfault.LossyDialer
		lossy.DropReplies(kmsg.OffsetCommit, 4)
		b.projector(config(), b.click, kgo.Dialer(lossy.Dial))
		// Of two on one connection only the first is seen to be lost.
		testkit.Eventually(t, func() bool { return lossy.LostReplies(kmsg.OffsetCommit) >= 2 }, "answers are lost")
		b.stories(4)
		b.caughtUp()
		b.complete()
	})
}

func TestTwoProjectorsShareTheLanesAndHandThemOver(t *testing.T) {
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

func TestClickHouseBeingAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	testkit.OnEachPair(t, func(t *testing.T, on testkit.Backends) {
		b := setupOn(t, on, 1)
		b.stories(5)
		m := newMortal(step{insert: true, nth: 2})
		click := b.click
		away := make(chan struct{})
		click.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			select {
			case <-away:
				return new(net.Dialer).DialContext(ctx, network, addr)
			default:
			}
			return m.ClickHouse(ctx, network, addr)
		}
		b.projector(config(), click)
		<-m.dead
		b.stories(5)
		// It tries again and fails, more than once.
		testkit.Eventually(t, func() bool { return b.metric("orderledger_projector_retries_total") >= 2 }, "it tries again")
		close(away)
		b.caughtUp()
		b.complete()
	})
}
