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
	tested.RequireDocumented(t, "ingest", *update)
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
		"ORDERLEDGER_KAFKA_BROKERS": "a:1,b:2", "ORDERLEDGER_LANES": "6", "ORDERLEDGER_INGEST_REPEAT_WITHIN": "-1s",
		"ORDERLEDGER_INGEST_STANDBY": "off", "ORDERLEDGER_INGEST_CACHE_MIB": "200", "ORDERLEDGER_INGEST_OPEN": "yes",
		"ORDERLEDGER_DATA": "/srv/it's mine", "ORDERLEDGER_INGEST_ADMIN_ADDR": "off", "ORDERLEDGER_LOG_LEVEL": "WARN",
		"ORDERLEDGER_INGEST_OPERATOR_TOKEN": "the-token-of-the-operator",
	}, "ORDERLEDGER_INGEST_OPERATOR_TOKEN")
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
		"ORDERLEDGER_INGEST_ADDR": "127.0.0.1:99999", "ORDERLEDGER_INGEST_ADMIN_ADDR": "nowhere",
		"ORDERLEDGER_INGEST_PUBLIC_URL": "orders.example", "ORDERLEDGER_INGEST_STANDBY": "17",
		"ORDERLEDGER_INGEST_PEER_ADDR": ":x", "ORDERLEDGER_INGEST_PEER_URL": "http://x:1", "ORDERLEDGER_INGEST_WORKERS": "perhaps",
		"ORDERLEDGER_SELLERS_FILE": "/not/there", "ORDERLEDGER_INGEST_OPEN": "perhaps",
		"ORDERLEDGER_INGEST_OPERATOR_TOKEN": "short", "ORDERLEDGER_DEFAULT_SELLER_OWN": "perhaps",
		"ORDERLEDGER_DEFAULT_SELLER_FULFILMENT": "pigeon", "ORDERLEDGER_DEFAULT_SELLER_PACK_WITHIN": "0s",
		"ORDERLEDGER_CURRENCY": "INX", "ORDERLEDGER_SELLERS_STRICT": "true",
	}, "ORDERLEDGER_INGEST_REPEAT_WITHIN")
}
