package e2e

import (
	"testing"
	"time"
)

// TestInstancesJoinAndLeave lets instances join and leave under load. Nothing is lost or duplicated.
func TestInstancesJoinAndLeave(t *testing.T) {
	seed := chooseSeed(t)
	s := newScenario(t, newBrokers(t), plan{instances: 2, lanes: 6}, seed, 60)
	chaos{faults: []fault{faultExtraInstance(3), faultStopService()}, n: 8, atOnce: 3, most: time.Second}.run(s, seed)
	s.end()
}
