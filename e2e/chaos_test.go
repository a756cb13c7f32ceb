package e2e

import (
	"testing"
	"time"
)

func TestChaosOfAllFaultsLosesDoublesAndReordersNothing(t *testing.T) {
	seed := seedOf(t)
	n := faultsOf(t, 20)
	r := newRun(t, newBrokers(t), plan{instances: 2, lanes: 6, proxied: true}, seed, 60)
	storm{faults: []fault{
		faultKillService(), faultStopService(), faultFreeze(), faultSleep(), faultLose(), faultCut(), faultBroker(2),
		faultClickHouse(6, time.Second, 8*time.Second), faultReceiver(6, time.Second, 8*time.Second), faultVisitor(5),
	}, n: n, atOnce: 4, most: 1500 * time.Millisecond}.rage(r, seed)
	r.end()
}
