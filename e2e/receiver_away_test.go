package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/internal/testkit"
)

func TestAReceiverThatIsAwayGetsEverythingInOrderWhenItIsBack(t *testing.T) {
	seed := seedOf(t)
	r := newRun(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	r.receiverProxy.Disable()
	r.goOnFor(awayFor() / 2)
	require.NoError(t, r.receiverProxy.Enable())
	r.receiver.Fail("", testkit.Failure{Status: 503, Times: -1})
	r.goOnFor(awayFor() / 2)
	r.receiver.ClearFailures("")
	r.end()
}
