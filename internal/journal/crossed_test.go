package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// fencing matches the request that fences one of a lane's ids.
func fencing(ending string) func([]byte) bool {
	return func(request []byte) bool {
		return netfault.KeyOf(request) == kmsg.InitProducerID && bytes.Contains(request, []byte(ending))
	}
}

// contender takes a lane with the journal's own fence and commits with its own commit, one step at a time, as the model
// does. The content of its records does not matter, only whether they are committed.
type contender struct {
	b      *bundle
	name   string
	j      *Journal // Never run; for its settings.
	link   *netfault.Link
	writer *writer // Nil while it has none.
	known  int64   // The commits it saw when it opened, and its own since.
	done   chan error
}

func (b *bundle) contender(name string) *contender {
	b.Helper()
	c := &contender{b: b, name: name, link: &netfault.Link{}}
	cfg := DefaultConfig()
	cfg.Lanes, cfg.StoreDir = b.lanes, b.TempDir()
	deps := Deps{Options: append(b.options(), kgo.Dialer(c.link.Dial))}
	j, err := New(cfg, deps)
	require.NoError(b, err)
	c.j = j
	b.Cleanup(c.giveUp)
	return c
}

func (c *contender) giveUp() {
	if c.writer != nil {
		c.writer.close()
		c.writer = nil
	}
}

// fenceAa begins to take the lane and stops when Aa is fenced and BB is not.
func (c *contender) fenceAa() {
	c.b.Helper()
	c.giveUp()
	held := c.link.PauseAt(fencing("-BB"))
	c.done = make(chan error, 1)
	go func() {
		var err error
		c.writer, err = fence(context.WithoutCancel(c.b.Context()), &c.j.cfg, c.j.deps.Options, 0)
		c.done <- err
	}()
	select {
	case <-held:
	case err := <-c.done:
		require.NoError(c.b, err, "%s is stopped before it fences BB", c.name)
	}
}

// fenceBB lets it fence BB too.
func (c *contender) fenceBB() {
	c.b.Helper()
	c.link.Resume()
	require.NoError(c.b, <-c.done)
}

// commit tries one transaction on the id whose turn it is.
func (c *contender) commit() error {
	e := encoder{}
	for _, topic := range []string{events.TopicEvents, events.TopicDecisions} {
		rec := &kgo.Record{Topic: topic, Key: []byte(c.name), Value: []byte("x")}
		e.eventRecs = append(e.eventRecs, rec)
	}
	return c.writer.commit(&batch{encoder: e})
}

// committed counts the records that readers see.
func (b *bundle) committed() (n int64) {
	b.Helper()
	b.records(events.TopicEvents, 0, func(*kgo.Record) { n++ })
	return n
}

// Of two owners that fenced crosswise at most one commits.
func TestFenceCrosswiseOneCommits(t *testing.T) {
	t.Parallel()
	onEach(t, 1, func(b *bundle) {
		// All interleavings in which Q begins, and then both orders of their attempts.
		for name, fences := range map[string]func(p, q *contender){
			"Q Aa, P Aa, P BB, Q BB": func(p, q *contender) { q.fenceAa(); p.fenceAa(); p.fenceBB(); q.fenceBB() },
			"Q Aa, P Aa, Q BB, P BB": func(p, q *contender) { q.fenceAa(); p.fenceAa(); q.fenceBB(); p.fenceBB() },
			"Q Aa, Q BB, P Aa, P BB": func(p, q *contender) { q.fenceAa(); q.fenceBB(); p.fenceAa(); p.fenceBB() },
		} {
			for _, first := range []string{"P", "Q"} {
				p, q := b.contender("P"), b.contender("Q")
				before := b.committed()
				fences(p, q)
				order := []*contender{p, q}
				if first == "Q" {
					order = []*contender{q, p}
				}
				won := map[string]int{}
				// More than two attempts each, so that both contenders try both ids.
				for range 3 {
					for _, c := range order {
						if c.commit() == nil {
							won[c.name]++
						}
					}
				}
				b.Log(name, "first to try", first, "committed", won)
				require.Zero(b, won["Q"], "%s: P fenced Aa last, and the first transaction is on Aa", name)
				require.Positive(b, won["P"], name)
				require.EqualValues(b, won["P"], b.committed()-before, "every record in the lane was confirmed")
				p.giveUp()
				q.giveUp()
			}
		}
	})
}

// The rule that keeps crossed owners apart is that the first transaction is on Aa. Without it every broker lets both
// commit, and the tests here would see it.
func TestFenceCrosswiseWithoutTheRule(t *testing.T) {
	t.Parallel()
	onEach(t, 1, func(b *bundle) {
		p, q := b.contender("P"), b.contender("Q")
		q.fenceAa()
		p.fenceAa()
		p.fenceBB()
		q.fenceBB()
		q.writer.turn = 1
		require.NoError(b, p.commit(), "P owns Aa")
		require.NoError(b, q.commit(), "Q owns BB")
		require.EqualValues(b, 2, b.committed())
	})
}

// The model of the fence on a broker: the steps of all contenders in an order drawn at random. Whoever commits must
// have seen everything before.
func TestFenceStepsAtRandom(t *testing.T) {
	t.Parallel()
	onEach(t, 1, func(b *bundle) {
		const contenders = 3
		steps := 400
		if soak() {
			steps = 10_000
		}
		seed := uint64(time.Now().UnixNano())
		b.Log("seed", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		all := make([]*contender, contenders)
		phase := make([]int, contenders) // 0: nothing, 1: Aa fenced, 2: both, 3: open.
		for i := range all {
			all[i] = b.contender(fmt.Sprint(i))
		}
		commits, refused := int64(0), 0
		for range steps {
			i := r.IntN(contenders)
			c := all[i]
			switch phase[i] {
			case 0:
				c.fenceAa()
				phase[i] = 1
			case 1:
				c.fenceBB()
				phase[i] = 2
			case 2:
				c.known = b.committed()
				phase[i] = 3
			case 3:
				if err := c.commit(); err != nil {
					refused++
					phase[i] = 0
					break
				}
				require.Equal(b, commits, c.known, "contender %d committed and had not seen the whole lane", i)
				commits++
				c.known++
			}
		}
		b.Log(commits, "commits,", refused, "refused")
		require.Positive(b, commits)
		require.Positive(b, refused)
		require.Equal(b, commits, b.committed())
		for i, c := range all {
			if phase[i] == 1 {
				c.fenceBB()
			}
		}
	})
}

// A lane is whole after each of many racing takeovers.
func TestLaneRacingTakeovers(t *testing.T) {
	t.Parallel()
	onEach(t, 1, func(b *bundle) {
		rounds, per := 6, 5
		if soak() {
			rounds = 40
		}
		want := 0
		for round := range rounds {
			// Three instances, each of which believes that it owns the lane, take it at the same moment and from one another.
			var wg sync.WaitGroup
			var all []*instance
			for i := range 3 {
				all = append(all, b.start(alone(fmt.Sprint("group", round, "-", i)), terse()))
			}
			ctx, cancel := context.WithTimeout(b.Context(), testkit.Limit)
			for i, j := range all {
				wg.Go(func() {
					for n := range per {
						if err := submitUntilAnswered(ctx, j, keyed(createCmd(fmt.Sprint("s", round, "-", i, "-", n)), "k")); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			cancel()
			for _, j := range all {
				j.stop()
			}
			want += 3 * per
			require.Len(b, b.check().events[0], want)
		}
	})
}

// submitUntilAnswered submits until there is an answer, with the same key each time.
func submitUntilAnswered(ctx context.Context, j *instance, c Command) error {
	for {
		r, err := j.Submit(ctx, c)
		switch {
		case err == nil && r.Outcome != ledgerv1.Outcome_OUTCOME_ACCEPTED:
			return fmt.Errorf("%s: %+v", c.ShipmentID, r)
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return err
		case !errors.Is(err, ErrNotOwner) && !errors.Is(err, ErrFenced) && !errors.Is(err, ErrInDoubt):
			return err
		}
	}
}
