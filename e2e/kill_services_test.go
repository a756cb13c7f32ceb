package e2e

import (
	"testing"
	"time"
)

func TestServicesThatAreKilledAtAnyMomentLoseAndDoubleNothing(t *testing.T) {
	seed := seedOf(t)
	r := newRun(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	storm{faults: []fault{faultKillService(), faultFreeze(), faultStopService()}, n: 10, atOnce: 2, most: 800 * time.Millisecond}.rage(r, seed)
	r.end()
}
