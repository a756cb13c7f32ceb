package e2e

import (
	"testing"
	"time"
)

func TestInstancesThatComeAndGoUnderLoadLoseAndDoubleNothing(t *testing.T) {
	seed := seedOf(t)
	r := newRun(t, newBrokers(t), plan{instances: 2, lanes: 6}, seed, 60)
	storm{faults: []fault{faultVisitor(3), faultStopService()}, n: 8, atOnce: 3, most: time.Second}.rage(r, seed)
	r.end()
}
