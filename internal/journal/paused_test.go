package journal

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// An owner that is paused inside a transaction writes nothing when it wakes.
func TestFencePausedOwner(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func([]byte) bool{
		"between begin and produce":      netfault.IsKind(kmsg.Produce),
		"between produce and the commit": netfault.IsKind(kmsg.EndTxn),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, 1, func(b *bundle) { pause(b, at) })
		})
	}
}

// pause stops an owner at a request of its second transaction, lets a successor take its lane, and wakes it.
func pause(b *bundle, at func([]byte) bool) {
	var link netfault.Link
	sleeper := b.start(over(&link), named("one")).ready()
	sleeper.mustSubmit(createCmd("a"))
	held := link.PauseAt(at)
	asleep := make(chan error, 1)
	go func() {
		_, err := sleeper.Submit(context.WithoutCancel(b.Context()), keyed(cmd("a", "note", "asleep"), "asleep"))
		asleep <- err
	}()
	<-held

	// A successor of the same name takes its place in the group at once. Each id gets a transaction of its own.
	owner := b.start(named("one")).ready()
	for i := range 3 {
		require.EqualValues(b, 2+i, owner.mustSubmit(cmd("a", "note", "owner")).Version)
	}
	before := b.settledEnds(0)

	link.Resume()
	err := <-asleep
	require.True(b, errors.Is(err, ErrInDoubt) || errors.Is(err, ErrFenced) || errors.Is(err, ErrNotOwner), "%v", err)
	require.Error(b, <-sleeper.done, "another has its name")
	sleeper.ended = true
	require.Equal(b, before, b.settledEnds(0), "the lane has not even an aborted record of it")
	require.EqualValues(b, 5, owner.mustSubmit(cmd("a", "note", "after")).Version)
	for _, e := range b.check().events[0] {
		require.NotEqual(b, "asleep", e.InputKey)
	}
	owner.stop()
}

// A request of an old owner that arrives during the successor's transaction on the same id is no part of that.
func TestFenceLateRequest(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]kmsg.Key{"produce": kmsg.Produce, "end": kmsg.EndTxn} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, 1, func(b *bundle) {
				// P sleeps in its first transaction, on Aa. Q takes both ids and sleeps in its own first one, on Aa too.
				p, q := b.contender("P"), b.contender("Q")
				for _, c := range []*contender{p, q} {
					c.fenceAa()
					c.fenceBB()
					where := kmsg.EndTxn
					if c == p {
						where = at
					}
					held := c.link.PauseAt(netfault.IsKind(where))
					go func() { c.done <- c.commit() }()
					<-held
				}
				p.link.Resume()
				require.Error(b, <-p.done)
				q.link.Resume()
				require.NoError(b, <-q.done)
				var keys []string
				b.records(events.TopicEvents, 0, func(r *kgo.Record) { keys = append(keys, string(r.Key)) })
				require.Equal(b, []string{"Q"}, keys)
			})
		})
	}
}
