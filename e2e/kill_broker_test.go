package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBrokerKilled kills the broker, which comes back with its data. Nothing is lost or duplicated.
func TestBrokerKilled(t *testing.T) {
	seed := chooseSeed(t)
	b := newBrokers(t)
	b.requireControl(t)
	s := newScenario(t, b, plan{instances: 1, lanes: 4}, seed, 60)
	require.NoError(t, b.restart(t.Context(), 1, 500*time.Millisecond))
	s.awaitPromises(steady)
	s.end()
}
