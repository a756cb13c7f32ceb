package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/testkit"
)

// leaders returns the node ids of the brokers that lead lanes and coordinate their transactions.
func (d *deployment) leaders(adm *kadm.Client) []int32 {
	d.t.Helper()
	var ids []string
	for lane := range d.plan.lanes {
		aa, bb := kafka.LaneTransactionalIDs(d.cluster, int32(lane))
		ids = append(ids, aa, bb)
	}
	coordinates := map[int32]bool{}
	for _, c := range adm.FindTxnCoordinators(d.t.Context(), ids...) {
		require.NoError(d.t, c.Err)
		coordinates[c.NodeID] = true
	}
	topics, err := adm.ListTopics(d.t.Context(), events.TopicEvents)
	require.NoError(d.t, err)
	var nodes []int32
	for _, p := range topics[events.TopicEvents].Partitions.Sorted() {
		if coordinates[p.Leader] {
			nodes = append(nodes, p.Leader)
			delete(coordinates, p.Leader)
		}
	}
	return nodes
}

// inSync reports whether every replica of every partition of the ledger is in sync.
func inSync(t testing.TB, adm *kadm.Client) bool {
	t.Helper()
	topics, err := adm.ListTopics(t.Context(),
		events.TopicEvents, events.TopicDecisions, events.TopicInbox, events.TopicSuborders,
		"__transaction_state", "__consumer_offsets")
	if err != nil {
		return false
	}
	whole := true
	topics.EachPartition(func(p kadm.PartitionDetail) { whole = whole && len(p.ISR) == len(p.Replicas) })
	return whole
}

// TestOneOfThreeBrokersKilled kills brokers in turn while they lead lanes and coordinate their transactions. Calls are
// answered meanwhile.
func TestOneOfThreeBrokersKilled(t *testing.T) {
	seed := chooseSeed(t)
	b := newBrokers(t)
	if b.n < 3 {
		t.Skip("only one broker: set ORDERLEDGER_TEST_KAFKA to a cluster of three")
	}
	b.requireControl(t)
	s := newScenario(t, b, plan{instances: 1, lanes: 6}, seed, 60)
	adm := kadm.NewClient(b.client(t))
	victims := s.leaders(adm)
	require.NotEmpty(t, victims, "no broker leads a lane and coordinates a lane's transactions")
	for _, n := range victims {
		t.Logf("broker %d leads lanes and coordinates transactions; it is killed", n)
		require.NoError(t, b.kill(t.Context(), int(n)))
		// Only a commit answers a command, so the ledger made these promises without the broker.
		s.awaitAnswers(steady / 2)
		s.awaitPromises(2 * steady)
		require.NoError(t, b.revive(t.Context(), int(n)))
		require.Eventually(t, func() bool { return inSync(t, adm) }, 4*testkit.Limit, testkit.Limit/300, "all replicas are in sync")
	}
	s.end()
}
