package e2e

import (
	"testing"
	"time"
)

// TestChaosAllFaults makes faults of every kind, several at once. Nothing is lost, duplicated or reordered.
func TestChaosAllFaults(t *testing.T) {
	seed := chooseSeed(t)
	n := faultCount(t, 20)
	s := newScenario(t, newBrokers(t), plan{instances: 2, lanes: 6, proxied: true}, seed, 60)
	chaos{faults: []fault{
		faultKillService(), faultStopService(), faultFreeze(), faultSleep(), faultLose(), faultCut(), faultBroker(2),
		faultClickHouse(6, time.Second, 8*time.Second), faultReceiver(6, time.Second, 8*time.Second), faultExtraInstance(5),
	}, n: n, atOnce: 4, most: 1500 * time.Millisecond}.run(s, seed)
	s.end()
}
