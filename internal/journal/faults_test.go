package journal

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/testkit"
	"github.com/orderledger/orderledger/internal/testkit/netfault"
)

// refuseOnce makes the broker reject the next produce to the events for its content.
func refuseOnce(b *bundle) {
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders.events.v1", Err: kerr.MessageTooLarge})
}

// work submits commands and appends notifications under faults, and repeats them with the same keys until all have an
// answer. Then the ledger must be whole and hold everything once.
func work(t *testing.T, b *bundle, j *instance, fault func(round int)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	defer cancel()
	var last int64
	for round := range 3 {
		fault(round)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				id := fmt.Sprint("s", round, "-", i)
				for ctx.Err() == nil {
					r, err := j.Submit(ctx, keyed(createCmd(id), "k"))
					if err == nil {
						if r.Version != 1 {
							t.Errorf("%+v", r)
						}
						return
					}
				}
				t.Error("no answer")
			})
		}
		for _, r := range []InboxRecord{note(fmt.Sprint("n", round), "c", toy{Kind: "create"}), note(fmt.Sprint("n", round), "n", toy{Kind: "note"})} {
			// The fault may hit this client too. A record that it repeats is a duplicate.
			testkit.Eventually(t, func() bool {
				_, offset, err := b.inbox.Append(ctx, r)
				last = max(last, offset)
				return err == nil
			}, "appended")
		}
		wg.Wait()
	}
	b.clearFaults()
	j.decided(0, last)
	k := b.check()
	require.Len(t, k.events[0], 3*8+3*2)
}

// Errors in reply to any kind of request lose nothing and repeat nothing.
func TestLaneBrokerErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  kmsg.Key
		errs []*kerr.Error
	}{
		{kmsg.Produce, []*kerr.Error{
			kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.InvalidProducerEpoch,
			kerr.TransactionAbortable, kerr.UnknownServerError,
		}},
		{kmsg.EndTxn, []*kerr.Error{
			kerr.CoordinatorNotAvailable, kerr.ConcurrentTransactions, kerr.ProducerFenced, kerr.InvalidProducerEpoch,
			kerr.RequestTimedOut, kerr.UnknownServerError, kerr.TransactionAbortable, kerr.InvalidTxnState,
		}},
		{kmsg.InitProducerID, []*kerr.Error{
			kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.UnknownServerError,
		}},
		{kmsg.FindCoordinator, []*kerr.Error{kerr.CoordinatorNotAvailable}},
		{kmsg.Fetch, []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownServerError}},
		{kmsg.ListOffsets, []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownServerError}},
		{kmsg.OffsetCommit, []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.UnknownServerError}},
	} {
		for _, e := range c.errs {
			t.Run(fmt.Sprint(c.key.Name(), "/", e.Message), func(t *testing.T) {
				t.Parallel()
				b := setup(t, 1)
				j := b.start(config(func(c *Config) { c.SessionTimeout = 6 * time.Second })).ready()
				work(t, b, j, func(round int) {
					if round == 1 {
						b.faults = append(b.faults, b.cluster.Fault(
							kfake.Fault{Keys: []kmsg.Key{c.key}, Err: e, Count: 2},
							kfake.Fault{Keys: []kmsg.Key{c.key}, Err: e, Count: 1, TopLevel: true}))
					}
				})
			})
		}
	}
}

// Errors of the group move lanes, and lose nothing.
func TestLaneGroupErrors(t *testing.T) {
	t.Parallel()
	for key, errs := range map[kmsg.Key][]*kerr.Error{
		kmsg.Heartbeat: {
			kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.CoordinatorNotAvailable,
		},
		kmsg.JoinGroup: {
			kerr.UnknownMemberID, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator,
			kerr.UnknownServerError,
		},
		kmsg.SyncGroup: {
			kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.CoordinatorNotAvailable,
			kerr.UnknownServerError,
		},
	} {
		for _, e := range errs {
			t.Run(fmt.Sprint(key.Name(), "/", e.Message), func(t *testing.T) {
				t.Parallel()
				b := setup(t, 1, quick())
				j := b.start(config(func(c *Config) { c.SessionTimeout = time.Second })).ready()
				work(t, b, j, func(round int) {
					if round != 1 {
						return
					}
					met := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: e, Count: 2, TopLevel: true})
					b.faults = append(b.faults, met)
					if key != kmsg.Heartbeat { // A member joins again only when the reply to its heartbeat says so.
						b.faults = append(b.faults, b.cluster.Fault(kfake.Fault{
							Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress, TopLevel: true,
						}))
					}
					testkit.Eventually(t, func() bool { return met.Hits() > 0 }, "the fault is met")
				})
			})
		}
	}
}

// Lost requests and replies lose nothing and repeat nothing.
func TestLaneLostRequestsAndReplies(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		for _, key := range []kmsg.Key{
			kmsg.Produce, kmsg.EndTxn, kmsg.InitProducerID, kmsg.Fetch, kmsg.ListOffsets, kmsg.Metadata, kmsg.OffsetCommit,
			kmsg.Heartbeat,
		} {
			for name, lose := range map[string]func(*netfault.LossyDialer){
				" lost on its way":     func(net *netfault.LossyDialer) { net.DropRequests(key, 2) },
				" whose reply is lost": func(net *netfault.LossyDialer) { net.DropReplies(key, 2) },
			} {
				t.Run(key.Name()+name, func(t *testing.T) {
					t.Parallel()
					b := setupOn(t, on, 1)
					var net netfault.LossyDialer
					j := b.start(dialer(&net)).ready()
					work(t, b, j, func(int) { lose(&net) })
				})
			}
		}
	})
}

// A network that is slow and breaks connections loses nothing and repeats nothing.
func TestLaneSlowNetwork(t *testing.T) {
	t.Parallel()
	testkit.OnEachKafka(t, func(t *testing.T, on testkit.KafkaBackend) {
		b := setupOn(t, on, 1)
		var link netfault.Link
		limit := 200 * time.Millisecond
		if on == testkit.Apache {
			limit = 2 * time.Second // Enough for a takeover on a busy broker.
		}
		j := b.start(over(&link), config(func(c *Config) { c.TransactionTimeout = limit })).ready()
		work(t, b, j, func(int) {
			// Requests in flight hang for longer than a transaction may take, and then all arrive at once.
			link.Pause()
			time.AfterFunc(limit*3/2, link.Resume)
		})
	})
}
