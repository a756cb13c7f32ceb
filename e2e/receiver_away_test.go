package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

// TestReceiverAway makes the receiver unreachable, then lets it refuse everything. When it is back, it gets everything
// in order.
func TestReceiverAway(t *testing.T) {
	seed := chooseSeed(t)
	s := newScenario(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	s.receiver.proxy.Disable()
	s.runFor(outageTime() / 2)
	require.NoError(t, s.receiver.proxy.Enable())
	s.receiver.Fail("", testkit.Failure{Status: 503, Times: -1})
	s.runFor(outageTime() / 2)
	s.receiver.ClearFailures("")
	s.end()
}
