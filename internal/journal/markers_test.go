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

// endedWithoutMarkers makes the broker lose the next EndTxn and then report the transaction as complete, as a
// coordinator does that skipped the markers.
func endedWithoutMarkers(b *bundle, state string) {
	var ended atomic.Pointer[kmsg.EndTxnRequest]
	b.cluster.ControlKey(int16(kmsg.EndTxn), func(r kmsg.Request) (kmsg.Response, error, bool) {
		ended.Store(r.(*kmsg.EndTxnRequest)) //nolint:forcetypeassert // No other request has this handler.
		return nil, errors.New("lost by the test"), true
	})
	b.cluster.ControlKey(int16(kmsg.DescribeTransactions), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		txn := ended.Load()
		if txn == nil {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.DescribeTransactionsResponse)               //nolint:forcetypeassert // As above.
		for _, id := range r.(*kmsg.DescribeTransactionsRequest).TransactionalIDs { //nolint:forcetypeassert // As above.
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

// Markers that the broker lost are written before the fence makes it forget them.
func TestTakeoverWritesLostMarkers(t *testing.T) {
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

// Lost markers of an aborted transaction are written too.
func TestTakeoverWritesLostAbortMarkers(t *testing.T) {
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

// A transaction that is still open is left to the fence.
func TestTakeoverLeavesOpenTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start(withoutRetries).ready()
	j.mustSubmit(createCmd("a"))
	endedWithoutMarkers(b, "Ongoing")
	j.mustSubmit(keyed(cmd("a", "note", "x"), "k"))
	require.Zero(t, counted(j.metrics.repaired.WithLabelValues("marker")))
	require.Len(t, b.check().events[0], 2)
}

// A lane that readers can't read to its end is taken over again.
func TestMaintenanceReopensUnreadableLane(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	j.mustSubmit(createCmd("a"))
	// A transaction of another producer that nobody ends, as if its marker was lost.
	other := testkit.Client(t, b.brokers, kgo.TransactionalID("other"), kafka.ManualPartitions())
	require.NoError(t, other.BeginTransaction())
	require.NoError(t, other.ProduceSync(t.Context(), &kgo.Record{Topic: events.TopicDecisions, Value: []byte("x")}).FirstErr())
	t.Cleanup(func() { _ = other.EndTransaction(context.WithoutCancel(t.Context()), kgo.TryAbort) })

	m, adm := &maintenance{j: j.Journal}, kadm.NewClient(j.topics.client)
	m.checkReadable(t.Context(), adm)
	require.Len(t, m.stuck, 1)
	stuck := m.stuck
	require.InDelta(t, 1, counted(j.metrics.takeovers.WithLabelValues("opened")), 0, "once may be a transaction in progress")
	m.checkReadable(t.Context(), adm)
	require.Equal(t, stuck, m.stuck)
	testkit.Eventually(t, func() bool { return j.lanes.serving(0).failure.Load() != nil }, "the lane is taken over again")

	require.NoError(t, other.EndTransaction(t.Context(), kgo.TryAbort))
	j.ready()
	m.checkReadable(t.Context(), adm)
	require.Empty(t, m.stuck)
	require.EqualValues(t, 2, j.mustSubmit(cmd("a", "note", "x")).Version)
}

// A store that is ahead of what readers may read is kept.
func TestTakeoverKeepsStoreAheadOfReaders(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	j := b.start().ready()
	// Readers stop before an open transaction of another producer, and the lane continues behind it.
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
