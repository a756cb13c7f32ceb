package e2e

import (
	"testing"
	"time"
)

func TestClickHouseBeingAwayIsMadeUpForWithoutGapsAndDoubles(t *testing.T) {
	seed := seedOf(t)
	r := newRun(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	// Taking in goes on: the ledger needs no read model.
	r.clickhouseDoor.shut()
	r.advance(3 * undisturbed)
	r.end()
	_ = time.Second
}
