package main

import (
	"flag"
	"testing"

	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

var update = flag.Bool("update", false, "write the table of variables in docs/operating.md")

var tested = testkit.Program{Run: run, Read: func(e *setting.Reader) (any, error) { return read(e) }}

func TestVariablesAreKnown(t *testing.T) {
	t.Parallel()
	tested.RequireKnown(t)
}

func TestVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	tested.RequireDocumented(t, "projector", *update)
}

func TestRunRefusesArguments(t *testing.T) {
	t.Parallel()
	tested.RequireRefusesArguments(t)
}

func TestHelpListsVariables(t *testing.T) {
	t.Parallel()
	tested.RequireHelp(t)
}

func TestPrintConfigIsFileOfVariables(t *testing.T) {
	t.Parallel()
	tested.RequirePrintsVariables(t, map[string]string{
		"ORDERLEDGER_KAFKA_BROKERS": "a:1,b:2", "ORDERLEDGER_PROJECTOR_MAX_ROWS": "500", "ORDERLEDGER_CLUSTER": "c-2",
		"ORDERLEDGER_PROJECTOR_SESSION_TIMEOUT": "20s", "ORDERLEDGER_CLICKHOUSE_INSERT_SETTINGS": "a=1,b=2",
		"ORDERLEDGER_CLICKHOUSE_PASSWORD": "hunter2",
	}, "ORDERLEDGER_CLICKHOUSE_PASSWORD")
}

func TestProblemsNameVariables(t *testing.T) {
	t.Parallel()
	tested.RequireNamesVariables(t, map[string]string{
		"ORDERLEDGER_KAFKA_BROKERS": "a:99999", "ORDERLEDGER_CLUSTER": "a b", "ORDERLEDGER_LANES": "5000",
		"ORDERLEDGER_KAFKA_BOOT_URL": "ftp://x", "ORDERLEDGER_KAFKA_TLS": "perhaps", "ORDERLEDGER_KAFKA_TLS_CA": "/not/there",
		"ORDERLEDGER_KAFKA_TLS_KEY": "/not/there", "ORDERLEDGER_KAFKA_SASL": "kerberos", "ORDERLEDGER_LOG_LEVEL": "loud",
		"ORDERLEDGER_KAFKA_PASSWORD_FILE": "/not/there",
		"ORDERLEDGER_CLICKHOUSE_ADDR":     "here", "ORDERLEDGER_CLICKHOUSE_DATABASE": "a-b", "ORDERLEDGER_CLICKHOUSE_TLS_CERT": "/x",
		"ORDERLEDGER_CLICKHOUSE_COMPRESSION": "zip", "ORDERLEDGER_CLICKHOUSE_INSERT_SETTINGS": "quorum",
		"ORDERLEDGER_PROJECTOR_ADMIN_ADDR": "127.0.0.1:99999", "ORDERLEDGER_PROJECTOR_MAX_ROWS": "1000000",
		"ORDERLEDGER_PROJECTOR_BUFFER_BYTES": "1", "ORDERLEDGER_PROJECTOR_SESSION_TIMEOUT": "1ms",
	})
}
