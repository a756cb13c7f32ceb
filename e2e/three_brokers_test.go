package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// burdened are the brokers that lead lanes and coordinate their transactions, by node id.
func (tw *town) burdened(adm *kadm.Client) []int32 {
	tw.t.Helper()
	var ids []string
	for lane := range tw.plan.lanes {
		aa, bb := kafka.LaneTransactionalIDs(tw.cluster, int32(lane))
		ids = append(ids, aa, bb)
	}
	coordinates := map[int32]bool{}
	for _, c := range adm.FindTxnCoordinators(tw.t.Context(), ids...) {
		require.NoError(tw.t, c.Err)
		coordinates[c.NodeID] = true
	}
	topics, err := adm.ListTopics(tw.t.Context(), events.TopicEvents)
	require.NoError(tw.t, err)
	var nodes []int32
	for _, p := range topics[events.TopicEvents].Partitions.Sorted() {
		if coordinates[p.Leader] {
			nodes = append(nodes, p.Leader)
			delete(coordinates, p.Leader)
		}
	}
	return nodes
}

// inSync says whether every partition of the ledger has all of its replicas in step.
func inSync(t testing.TB, adm *kadm.Client) bool {
	t.Helper()
	topics, err := adm.ListTopics(t.Context(), events.TopicEvents, events.TopicDecisions, events.TopicInbox, events.TopicSuborders,
		"__transaction_state", "__consumer_offsets")
	if err != nil {
		return false
	}
	whole := true
	topics.EachPartition(func(p kadm.PartitionDetail) { whole = whole && len(p.ISR) == len(p.Replicas) })
	return whole
}

func TestOneOfThreeBrokersThatIsKilledStopsNothing(t *testing.T) {
	seed := seedOf(t)
	b := newBrokers(t)
	if b.n < 3 {
		t.Skipf("one broker: set ORDERLEDGER_TEST_KAFKA to a cluster of three")
	}
	b.needHand(t)
	r := newRun(t, b, plan{instances: 1, lanes: 6}, seed, 60)
	adm := kadm.NewClient(b.client(t))
	victims := r.burdened(adm)
	require.NotEmpty(t, victims, "no broker leads a lane and coordinates a lane's transactions")
	for _, n := range victims {
		t.Logf("broker %d leads lanes and coordinates transactions; it is killed", n)
		require.NoError(t, b.kill(t.Context(), int(n)))
		// Commands are answered by the ledger itself, so these promises were all made without the broker.
		r.answers(undisturbed / 2)
		r.advance(2 * undisturbed)
		require.NoError(t, b.revive(t.Context(), int(n)))
		require.Eventually(t, func() bool { return inSync(t, adm) }, 4*testkit.Limit, testkit.Limit/300, "the replicas are in step again")
	}
	r.end()
}
