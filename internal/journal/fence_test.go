package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
	"github.com/orderledger/orderledger/schemas/gen/ledgerv1"
)

// alone gives an instance a group of its own, so that it believes that it owns every lane.
func alone(name string) option {
	return config(func(c *Config) { c.Prefix = c.Cluster; c.Cluster = name })
}

// Two owners that the group assigns at the same time never both commit.
func TestFenceTwoAssignedOwners(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		each := 15
		if on == testkit.Apache {
			each = 5 // A takeover is slow there, and each fence makes another owner take over.
		}
		for _, owners := range []int{2, 3} {
			t.Run(fmt.Sprint(owners), func(t *testing.T) {
				t.Parallel()
				b := setupOn(t, on, 1)
				var all []*instance
				for i := range owners {
					all = append(all, b.start(alone(fmt.Sprint("group", i))))
				}
				ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
				defer cancel()
				var wg sync.WaitGroup
				for i, j := range all {
					wg.Go(func() {
						for n := range each {
							c := keyed(createCmd(fmt.Sprint("s", i, "-", n)), "k")
							// They fence one another all the time; a command in doubt is submitted again.
							for ctx.Err() == nil {
								r, err := j.Submit(ctx, c)
								if err == nil {
									if r.Version != 1 || r.Outcome != ledgerv1.Outcome_OUTCOME_ACCEPTED {
										t.Errorf("owner %d: %+v", i, r)
									}
									break
								}
								if !errors.Is(err, ErrNotOwner) && !errors.Is(err, ErrFenced) && !errors.Is(err, ErrInDoubt) {
									t.Errorf("owner %d: %v", i, err)
									break
								}
							}
						}
					})
				}
				wg.Wait()
				for _, j := range all {
					j.stop()
				}
				require.Len(t, b.check().events[0], each*owners)
			})
		}
	})
}

// An owner that wakes after it was fenced stores nothing.
func TestFenceZombie(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1, quick())
		var link netfault.Link
		short := config(func(c *Config) {
			c.SessionTimeout, c.RebalanceTimeout = on.Session(500*time.Millisecond), 500*time.Millisecond
		})
		zombie := b.start(over(&link), short).ready()
		zombie.mustSubmit(createCmd("a"))

		link.Pause()
		defer link.Resume()
		type result struct {
			r   Receipt
			err error
		}
		asleep := make(chan result, 1)
		go func() {
			r, err := zombie.Submit(context.WithoutCancel(t.Context()), keyed(cmd("a", "note", "asleep"), "asleep"))
			asleep <- result{r, err}
		}()
		owner := b.start(short)
		testkit.Eventually(t, func() bool { return owner.lanes.serving(0) != nil && owner.Ready() == nil }, "the lane moved")
		require.EqualValues(t, 2, owner.mustSubmit(keyed(cmd("a", "note", "owner"), "owner")).Version)

		link.Resume()
		got := <-asleep
		if got.err == nil {
			// It took the lane back, and decided after everything that its successor had recorded.
			require.Greater(t, got.r.Version, uint64(2), "it did not decide with the state that it fell asleep with")
		} else {
			require.True(t, errors.Is(got.err, ErrNotOwner) || errors.Is(got.err, ErrFenced) || errors.Is(got.err, ErrInDoubt), "%v", got.err)
		}
		// The ledger is whole and the lane works, whichever instance owns it now.
		testkit.Eventually(t, func() bool {
			for _, j := range []*instance{owner, zombie} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, err := j.Submit(ctx, keyed(cmd("a", "note", "after"), "after"))
				cancel()
				if err == nil {
					return true
				}
			}
			return false
		}, "somebody owns the lane")
		k := b.check()
		stored := 0
		for _, e := range k.events[0] {
			if e.InputKey == "asleep" {
				stored++
			}
		}
		if got.err == nil {
			require.Equal(t, 1, stored)
		} else if !errors.Is(got.err, ErrInDoubt) {
			require.Zero(t, stored)
		}
	})
}

// An owner that was fenced takes the lane back if the group still assigns it.
func TestTakeoverAfterFenceIfAssigned(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		j := b.start().ready()
		j.mustSubmit(createCmd("a"))
		// Somebody outside the group fences both ids, as an operator's tool would by mistake.
		for _, id := range []string{"orderledger-lane-0-Aa", "orderledger-lane-0-BB"} {
			client := testkit.Client(t, b.brokers, kgo.TransactionalID(id))
			_, _, err := client.ProducerID(t.Context())
			require.NoError(t, err)
		}
		require.EqualValues(t, 2, j.mustSubmit(cmd("a", "note", "x")).Version)
		require.InDelta(t, 2, counted(j.metrics.takeovers.WithLabelValues("opened")), 0)
		b.check()
	})
}

// The first transaction is on Aa, and the turn passes on a confirmed commit only.
func TestWriterTurn(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	l := j.lanes.serving(0)
	require.Zero(t, l.writer.turn)
	for i := range 5 {
		j.mustSubmit(createCmd(fmt.Sprint(i)))
		require.Equal(t, (i+1)%2, l.writer.turn)
	}
	// An abort keeps the id.
	refuseOnce(b)
	r := j.mustSubmit(createCmd("refused"))
	require.Equal(t, ledgerv1.Outcome_OUTCOME_ACCEPTED, r.Outcome)
	require.InDelta(t, 1, counted(j.metrics.batches.WithLabelValues("aborted")), 0)
	require.Zero(t, l.writer.turn, "six commits")
	b.check()
}

// After a commit that failed with a fence the lane asks the group before it fences in turn.
func TestLaneFencedCommitAsksGroup(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	j.mustSubmit(createCmd("a"))
	described := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Observe: true, Count: -1})
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced, TopLevel: true})
	require.EqualValues(t, 2, j.mustSubmit(cmd("a", "note", "x")).Version)
	require.Positive(t, described.Hits())
	b.check()
}
