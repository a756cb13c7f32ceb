package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClickHouseBeingAwayIsMadeUpForWithoutGapsAndDoubles(t *testing.T) {
	seed := seedOf(t)
	r := newRun(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	if r.clickhouse != nil {
		r.clickhouse.kill()
	}
	r.clickhouseProxy.Disable()
	// Taking in goes on: the ledger needs no read model.
	r.goOnFor(awayFor())
	if r.clickhouse != nil {
		r.clickhouse.start()
	}
	require.NoError(t, r.clickhouseProxy.Enable())
	r.end()
}
