package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClickHouseAway stops ClickHouse. The services accept orders meanwhile, and afterwards the tables have no gaps and
// no duplicates.
func TestClickHouseAway(t *testing.T) {
	seed := chooseSeed(t)
	s := newScenario(t, newBrokers(t), plan{instances: 1, lanes: 4}, seed, 60)
	if s.clickhouse.process != nil {
		s.clickhouse.process.kill()
	}
	s.clickhouse.proxy.Disable()
	// The ledger accepts orders: it needs no read model.
	s.runFor(outageTime())
	if s.clickhouse.process != nil {
		s.clickhouse.process.start()
	}
	require.NoError(t, s.clickhouse.proxy.Enable())
	s.end()
}
