package setting

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnknown(t *testing.T) {
	t.Parallel()
	require.Equal(t, map[string]string{
		"ORDERLEDGER_KAFKA_BROKER": "ORDERLEDGER_KAFKA_BROKERS", "ORDERLEDGER_INGEST_ADR": "ORDERLEDGER_INGEST_ADDR",
		"ORDERLEDGER_QQQQQQQQQQQQ": "",
	}, Unknown([]string{
		"ORDERLEDGER_KAFKA_BROKER=a:1", "ORDERLEDGER_INGEST_ADR=:80", "ORDERLEDGER_QQQQQQQQQQQQ=1",
		"ORDERLEDGER_PROJECTOR_MAX_ROWS=5", "ORDERLEDGER_TEST_KAFKA=a:1", "ORDERLEDGER_CHAOS_SEED=1",
		"ORDERLEDGER_KAFKA_PASSWORD_FILE=/run/secret", "ORDERLEDGER_EMPTY_AND_UNKNOWN=", "PATH=/bin",
	}))
}
