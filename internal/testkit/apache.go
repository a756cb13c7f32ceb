package testkit

import (
	"context"
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

// Open returns the addresses of a Kafka of the test's own: one broker inside the process, with the options, and its
// cluster for faults inside it; or a namespace of Apache Kafka that nobody else sees, which ignores the options and has
// no cluster.
func (k KafkaBackend) Open(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, []string) {
	t.Helper()
	if k == Kfake {
		return KafkaCluster(t, opts...)
	}
	addrs := newNamespace(t, ApacheKafka(t))
	for _, addr := range addrs {
		apache.namespaces.Store(addr, true)
	}
	return nil, addrs
}

// Session returns a session timeout for members of groups: d, or the least that an Apache Kafka with default settings
// accepts.
func (k KafkaBackend) Session(d time.Duration) time.Duration {
	if k == Apache {
		return max(d, 6*time.Second)
	}
	return d
}

// apache is what this test process knows of its Apache Kafka.
var apache struct {
	sync.Mutex
	version    string
	namespaces sync.Map // Their addresses.
}

// isApache reports whether these addresses lead to Apache Kafka.
func isApache(brokers []string) bool {
	_, namespace := apache.namespaces.Load(brokers[0])
	return namespace || slices.Contains(strings.Split(os.Getenv(EnvKafka), ","), brokers[0])
}

// apacheVersion asks once per process. The protocol names no version; the client guesses it from the requests that the
// brokers know.
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

// ApacheKafka returns the addresses of Apache Kafka itself, and skips the test when there are none. All tests share it;
// one that only needs a Kafka of its own uses [KafkaBackend.Open].
func ApacheKafka(t testing.TB) []string {
	t.Helper()
	Apache.skipUnlessAvailable(t)
	brokers := strings.Split(os.Getenv(EnvKafka), ",")
	t.Logf("testkit: backend %s %s", Apache, apacheVersion(t, brokers))
	return brokers
}
