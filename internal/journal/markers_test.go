package journal

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// endedWithoutMarkers makes the broker lose the next EndTxn on its way and then say that it had been obeyed, as a
// coordinator does that skipped the markers.
func endedWithoutMarkers(b *bundle, state string) {
	var ended atomic.Pointer[kmsg.EndTxnRequest]
	b.cluster.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		ended.Store(r.(*kmsg.EndTxnRequest)) //nolint:forcetypeassert // It is called for nothing else.
		return nil, errors.New("lost on its way"), true
	})
	b.cluster.ControlKey(int16(kmsg.DescribeTransactions), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		txn := ended.Load()
		if txn == nil {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.DescribeTransactionsResponse)               //nolint:forcetypeassert // Likewise.
		for _, id := range r.(*kmsg.DescribeTransactionsRequest).TransactionalIDs { //nolint:forcetypeassert // Likewise.
			of := kmsg.NewDescribeTransactionsResponseTransactionState()
			of.TransactionalID, of.State, of.ProducerID, of.ProducerEpoch = id, "Empty", -1, -1
			if id == txn.TransactionalID {
				of.State, of.ProducerID, of.ProducerEpoch = state, txn.ProducerID, txn.ProducerEpoch+1
			}
			resp.TransactionStates = append(resp.TransactionStates, of)
		}
		return resp, nil, true
	})
}

func withoutRetries(_ *Config, d *Deps, _ *Journal) {
	d.Options = append(d.Options, kgo.RequestRetries(0))
}

func TestMarkersThatTheBrokerLostAreWrittenBeforeTheFenceForgetsThem(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start(withoutRetries).ready()
	j.mustSubmit(createCmd("a"))
	endedWithoutMarkers(b, "CompleteCommit")
	r := j.mustSubmit(keyed(cmd("a", "note", "x"), "k"))
	require.EqualValues(t, 2, r.Version)
	require.False(t, r.Repeated)
	require.InDelta(t, 2, counted(j.metrics.repaired.WithLabelValues("marker")), 0, "of the events and of the decisions")
	book := b.check()
	require.Len(t, book.events[0], 2)
	require.Equal(t, r.Offset, book.events[0][1].offset, "it was committed, not decided again")
}

func TestMarkersOfAnAbortAreWrittenToo(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start(withoutRetries).ready()
	j.mustSubmit(createCmd("a"))
	endedWithoutMarkers(b, "CompleteAbort")
	r := j.mustSubmit(keyed(cmd("a", "note", "x"), "k"))
	require.EqualValues(t, 2, r.Version)
	require.InDelta(t, 2, counted(j.metrics.repaired.WithLabelValues("marker")), 0)
	require.Len(t, b.check().events[0], 2, "the aborted batch is decided again")
}

func TestATransactionThatIsStillOpenIsLeftToTheFence(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start(withoutRetries).ready()
	j.mustSubmit(createCmd("a"))
	endedWithoutMarkers(b, "Ongoing")
	j.mustSubmit(keyed(cmd("a", "note", "x"), "k"))
	require.Zero(t, counted(j.metrics.repaired.WithLabelValues("marker")))
	require.Len(t, b.check().events[0], 2)
}

func TestALaneThatReadersCantReadToItsEndIsTakenOverAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	j.mustSubmit(createCmd("a"))
	// Somebody's transaction that nobody ends, as one whose marker was lost.
	other := testkit.Client(t, b.brokers, kgo.TransactionalID("other"), kafka.ManualPartitions())
	require.NoError(t, other.BeginTransaction())
	require.NoError(t, other.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicDecisions, Value: []byte("x")}).FirstErr())
	t.Cleanup(func() { _ = other.EndTransaction(context.WithoutCancel(t.Context()), kgo.TryAbort) })

	m, adm := &maintenance{j: j.Journal}, kadm.NewClient(j.topics.client)
	m.checkReadable(t.Context(), adm)
	require.Len(t, m.stuck, 1)
	stuck := m.stuck
	require.InDelta(t, 1, counted(j.metrics.takeovers.WithLabelValues("opened")), 0, "once may be chance")
	m.checkReadable(t.Context(), adm)
	require.Equal(t, stuck, m.stuck)
	testkit.Eventually(t, func() bool { return j.lanes.serving(0).failure.Load() != nil }, "the lane is taken over again")

	require.NoError(t, other.EndTransaction(t.Context(), kgo.TryAbort))
	j.ready()
	m.checkReadable(t.Context(), adm)
	require.Empty(t, m.stuck)
	require.EqualValues(t, 2, j.mustSubmit(cmd("a", "note", "x")).Version)
}

func TestAStoreAheadOfWhatReadersSeeIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	// What readers may read ends before a transaction of somebody's, and the lane goes on behind it.
	other := testkit.Client(t, b.brokers, kgo.TransactionalID("other"), kafka.ManualPartitions())
	require.NoError(t, other.BeginTransaction())
	require.NoError(t, other.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicEvents, Value: []byte("x")}).FirstErr())
	j.mustSubmit(createCmd("a"))
	m, adm := &maintenance{j: j.Journal}, kadm.NewClient(j.topics.client)
	m.checkReadable(t.Context(), adm)
	m.checkReadable(t.Context(), adm)
	testkit.Eventually(t, func() bool { return j.lanes.serving(0).failure.Load() != nil }, "the lane is taken over again")
	require.NoError(t, other.EndTransaction(context.WithoutCancel(t.Context()), kgo.TryAbort))
	j.ready()
	require.Zero(t, counted(j.metrics.rebuilds))
	require.EqualValues(t, 2, j.mustSubmit(cmd("a", "note", "x")).Version)
	b.check()
}
