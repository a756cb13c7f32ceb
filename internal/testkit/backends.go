package testkit

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Variables that say which servers there are. `make test` sets them for the servers it starts in containers.
const (
	// EnvKafka are the addresses of an Apache Kafka, host:port, comma-separated.
	EnvKafka = "ORDERLEDGER_TEST_KAFKA"
	// EnvClickHouse are the addresses of a ClickHouse server's native port, host:port, comma-separated.
	EnvClickHouse = "ORDERLEDGER_TEST_CLICKHOUSE"
	// EnvClickHouseUser names the user there. Empty means "default".
	EnvClickHouseUser = "ORDERLEDGER_TEST_CLICKHOUSE_USER"
	// EnvClickHousePassword is the user's password.
	EnvClickHousePassword = "ORDERLEDGER_TEST_CLICKHOUSE_PASSWORD"
	// EnvRealOnly leaves out what runs inside the test's process, when it is not empty.
	EnvRealOnly = "ORDERLEDGER_TEST_REAL_ONLY"
	// EnvAbsent is put behind the name of an address variable and says why there is no address.
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

// OnEachKafka runs a test once on each kind of Kafka, as parallel subtests. One that is not there is skipped with the
// reason.
func OnEachKafka(t *testing.T, test func(t *testing.T, on KafkaBackend)) {
	t.Helper()
	for _, on := range []KafkaBackend{Kfake, Apache} {
		t.Run(string(on), func(t *testing.T) {
			t.Parallel()
			on.demand(t)
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
			on.demand(t)
			test(t, on)
		})
	}
}

// Backends is a Kafka and a ClickHouse for tests that need both.
type Backends struct {
	Kafka      KafkaBackend
	ClickHouse ClickHouseBackend
}

// OnEachPair runs a test on what is inside the process, and on the servers. Where one of the two servers is not there,
// what is inside the process takes its place, so that each backend there is gets its run without trying every pair.
func OnEachPair(t *testing.T, test func(t *testing.T, on Backends)) {
	t.Helper()
	inside, servers := Backends{Kfake, Embedded}, Backends{Apache, Server}
	switch noKafka, noClickHouse := absent(EnvKafka), absent(EnvClickHouse); {
	case noKafka != "" && noClickHouse != "": // Both are skipped, with their reasons.
	case noKafka != "":
		servers.Kafka = Kfake
	case noClickHouse != "":
		servers.ClickHouse = Embedded
	}
	for _, on := range []Backends{inside, servers} {
		t.Run(fmt.Sprintf("%s and %s", on.Kafka, on.ClickHouse), func(t *testing.T) {
			t.Parallel()
			on.Kafka.demand(t)
			on.ClickHouse.demand(t)
			test(t, on)
		})
	}
}

// demand skips a test whose backend is not there, or not wanted.
func (k KafkaBackend) demand(t testing.TB) {
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
	return notWanted(test)
}

// demand skips a test whose backend is not there, or not wanted.
func (c ClickHouseBackend) demand(t testing.TB) {
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
	return notWanted(test)
}

// notWanted is for what is inside the process. It may take the place of one server when the test runs on the other: the
// name of the test tells, which OnEachPair has made.
func notWanted(test string) string {
	name := strings.ReplaceAll(test, "_", " ")
	if os.Getenv(EnvRealOnly) == "" || strings.Contains(name, string(Apache)) || strings.Contains(name, string(Server)) {
		return ""
	}
	return "only servers are asked for"
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

// Open returns the addresses of a Kafka of the test's own: one broker inside the process, with the options; or a part
// of Apache Kafka that nobody else sees, where the options mean nothing. With the first comes a hand on the broker, for
// faults inside it.
func (k KafkaBackend) Open(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, []string) {
	t.Helper()
	if k == Kfake {
		return KafkaCluster(t, opts...)
	}
	part := newNamespace(t, ApacheKafka(t))
	for _, addr := range part {
		apache.parts.Store(addr, true)
	}
	return nil, part
}

// Session returns a session timeout for members of groups: the one that is wanted, or the least that an Apache Kafka
// takes whose settings nobody has touched.
func (k KafkaBackend) Session(want time.Duration) time.Duration {
	if k == Apache {
		return max(want, 6*time.Second)
	}
	return want
}

// apache is what is known of the Apache Kafka of this test process.
var apache struct {
	sync.Mutex
	version string
	parts   sync.Map // The addresses of its namespaces.
}

// isApache reports whether these addresses lead to Apache Kafka.
func isApache(brokers []string) bool {
	_, part := apache.parts.Load(brokers[0])
	return part || slices.Contains(strings.Split(os.Getenv(EnvKafka), ","), brokers[0])
}

// apacheVersion asks the first time and remembers. The protocol does not tell a version, only what requests there are.
func apacheVersion(t testing.TB, brokers []string) string {
	t.Helper()
	apache.Lock()
	defer apache.Unlock()
	if apache.version == "" {
		client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
		require.NoError(t, err)
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Limit)
		defer cancel()
		versions, err := kadm.NewClient(client).ApiVersions(ctx)
		require.NoError(t, err, "ask Apache Kafka at %s", strings.Join(brokers, ","))
		for _, v := range versions {
			require.NoError(t, v.Err)
			apache.version = strings.TrimPrefix(v.VersionGuess(), "v")
		}
	}
	return apache.version
}
