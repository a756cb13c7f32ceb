package e2e

import (
	"testing"
	"time"
)

// TestServicesKilled kills, freezes and restarts services at random moments. Nothing is lost or duplicated.
func TestServicesKilled(t *testing.T) {
	seed := chooseSeed(t)
	s := newScenario(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	faults := []fault{faultKillService(), faultFreeze(), faultStopService()}
	chaos{faults: faults, n: 10, atOnce: 2, most: 800 * time.Millisecond}.run(s, seed)
	s.end()
}
