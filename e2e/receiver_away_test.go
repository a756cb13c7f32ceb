package e2e

import (
	"testing"
)

func TestAReceiverThatIsAwayGetsEverythingInOrderWhenItIsBack(t *testing.T) {
	seed := seedOf(t)
	r := newRun(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	r.receiverDoor.shut()
	r.advance(3 * undisturbed)
	r.end()
}
