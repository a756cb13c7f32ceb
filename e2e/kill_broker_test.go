package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABrokerThatIsKilledAndComesBackLosesAndDoublesNothing(t *testing.T) {
	seed := seedOf(t)
	b := newBrokers(t)
	b.needHand(t)
	r := newRun(t, b, plan{instances: 1, lanes: 4}, seed, 60)
	require.NoError(t, b.bounce(t.Context(), 1, 500*time.Millisecond))
	r.advance(undisturbed)
	r.end()
}
