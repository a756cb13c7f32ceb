package testkit

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Variables that name the servers to test on. `make test` sets them for the servers that it starts in containers.
const (
	// EnvKafka holds the addresses of an Apache Kafka, host:port, comma-separated.
	EnvKafka = "ORDERLEDGER_TEST_KAFKA"
	// EnvClickHouse holds the addresses of a ClickHouse server's native port, host:port, comma-separated.
	EnvClickHouse = "ORDERLEDGER_TEST_CLICKHOUSE"
	// EnvClickHouseUser names the user of that server. Empty means "default".
	EnvClickHouseUser = "ORDERLEDGER_TEST_CLICKHOUSE_USER"
	// EnvClickHousePassword is the user's password.
	EnvClickHousePassword = "ORDERLEDGER_TEST_CLICKHOUSE_PASSWORD"
	// EnvRealOnly, when not empty, skips the tests on kfake and on the embedded ClickHouse.
	EnvRealOnly = "ORDERLEDGER_TEST_REAL_ONLY"
	// EnvAbsent is appended to the name of an address variable. The value says why there is no address.
	EnvAbsent = "_ABSENT"
)

// KafkaBackend is a kind of Kafka that tests run on.
type KafkaBackend string

// ClickHouseBackend is a kind of ClickHouse that tests run on.
type ClickHouseBackend string

// The backends, as reports name them.
const (
	Kfake    KafkaBackend      = "kfake"
	Apache   KafkaBackend      = "Apache Kafka"
	Embedded ClickHouseBackend = "embedded ClickHouse"
	Server   ClickHouseBackend = "ClickHouse server"
)

// OnEachKafka runs a test once on each kind of Kafka, as parallel subtests. A kind that is not available is skipped
// with the reason.
func OnEachKafka(t *testing.T, test func(t *testing.T, on KafkaBackend)) {
	t.Helper()
	for _, on := range []KafkaBackend{Kfake, Apache} {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			on.skipUnlessAvailable(t)
			test(t, on)
		})
	}
}

// OnEachClickHouse is OnEachKafka for ClickHouse.
func OnEachClickHouse(t *testing.T, test func(t *testing.T, on ClickHouseBackend)) {
	t.Helper()
	for _, on := range []ClickHouseBackend{Embedded, Server} {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			on.skipUnlessAvailable(t)
			test(t, on)
		})
	}
}

// Backends is a Kafka and a ClickHouse for tests that need both.
type Backends struct {
	Kafka      KafkaBackend
	ClickHouse ClickHouseBackend
}

// OnEachPair runs a test on kfake with the embedded ClickHouse, and on the two servers. If one of the servers is not
// available, its embedded counterpart replaces it. So the test runs on each available backend without trying every
// pair.
func OnEachPair(t *testing.T, test func(t *testing.T, on Backends)) {
	t.Helper()
	embedded, servers := Backends{Kfake, Embedded}, Backends{Apache, Server}
	switch noKafka, noClickHouse := absent(EnvKafka), absent(EnvClickHouse); {
	case noKafka != "" && noClickHouse != "": // The second run is skipped with its reason.
	case noKafka != "":
		servers.Kafka = Kfake
	case noClickHouse != "":
		servers.ClickHouse = Embedded
	}
	for _, on := range []Backends{embedded, servers} {
		t.Run(fmt.Sprintf("%s and %s", on.Kafka, on.ClickHouse), func(t *testing.T) {
			t.Parallel()
			on.Kafka.skipUnlessAvailable(t)
			on.ClickHouse.skipUnlessAvailable(t)
			test(t, on)
		})
	}
}

// skipUnlessAvailable skips a test whose backend is not available, or left out by EnvRealOnly.
func (k KafkaBackend) skipUnlessAvailable(t testing.TB) {
	t.Helper()
	if why := absent(EnvKafka); why != "" {
		t.Logf("testkit: absent %s: %s", Apache, why)
	}
	if why := k.absent(t.Name()); why != "" {
		t.Skipf("no %s: %s", k, why)
	}
}

func (k KafkaBackend) absent(test string) string {
	if k == Apache {
		return absent(EnvKafka)
	}
	return leftOut(test)
}

// skipUnlessAvailable skips a test whose backend is not available, or left out by EnvRealOnly.
func (c ClickHouseBackend) skipUnlessAvailable(t testing.TB) {
	t.Helper()
	if why := absent(EnvClickHouse); why != "" {
		t.Logf("testkit: absent %s: %s", Server, why)
	}
	if why := c.absent(t.Name()); why != "" {
		t.Skipf("no %s: %s", c, why)
	}
}

func (c ClickHouseBackend) absent(test string) string {
	if c == Server {
		return absent(EnvClickHouse)
	}
	return leftOut(test)
}

// leftOut says why a backend inside the process is not used. It may still be used beside a server, in a test of
// OnEachPair, which has put the server's name into the test's.
func leftOut(test string) string {
	name := strings.ReplaceAll(test, "_", " ")
	if os.Getenv(EnvRealOnly) == "" || strings.Contains(name, string(Apache)) || strings.Contains(name, string(Server)) {
		return ""
	}
	return EnvRealOnly + " is set"
}

func absent(env string) string {
	if os.Getenv(env) != "" {
		return ""
	}
	if why := os.Getenv(env + EnvAbsent); why != "" {
		return why
	}
	return env + " is not set"
}
