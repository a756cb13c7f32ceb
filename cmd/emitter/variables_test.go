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
	tested.RequireDocumented(t, "emitter", *update)
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
		"ORDERLEDGER_KAFKA_BROKERS": "a:1", "ORDERLEDGER_EMITTER_SESSION_TIMEOUT": "60s", "ORDERLEDGER_EMITTER_ADMIN_ADDR": "off",
		"ORDERLEDGER_EMITTER_ENDPOINTS": "wms=https://bob:hunter2@wms.example/", "ORDERLEDGER_EMITTER_START": "offsets 0=120, 1=98",
	}, "ORDERLEDGER_EMITTER_ENDPOINTS")
}

func TestProblemsNameVariables(t *testing.T) {
	t.Parallel()
	tested.RequireNamesVariables(t, map[string]string{
		"ORDERLEDGER_KAFKA_BROKERS": "a:99999", "ORDERLEDGER_CLUSTER": "a b", "ORDERLEDGER_LANES": "5000",
		"ORDERLEDGER_KAFKA_BOOT_URL": "ftp://x", "ORDERLEDGER_KAFKA_TLS": "perhaps", "ORDERLEDGER_KAFKA_TLS_CA": "/not/there",
		"ORDERLEDGER_KAFKA_TLS_KEY": "/not/there", "ORDERLEDGER_KAFKA_SASL": "kerberos", "ORDERLEDGER_LOG_LEVEL": "loud",
		"ORDERLEDGER_KAFKA_PASSWORD_FILE": "/not/there",
		"ORDERLEDGER_EMITTER_ADMIN_ADDR":  "127.0.0.1:99999", "ORDERLEDGER_EMITTER_ENDPOINTS": "wms=ftp://x",
		"ORDERLEDGER_EMITTER_SECRETS": "short", "ORDERLEDGER_EMITTER_SELLERS": "*,s1", "ORDERLEDGER_EMITTER_START": "yesterday",
		"ORDERLEDGER_EMITTER_FORGOTTEN": "cry", "ORDERLEDGER_EMITTER_HISTORY": "perhaps",
		"ORDERLEDGER_EMITTER_ENDPOINTS_FILE": "/not/there",
	})
}
