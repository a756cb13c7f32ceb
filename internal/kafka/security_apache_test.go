package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

// The addresses of an Apache Kafka with TLS and SASL, and the file of its certificate authority. It has the users below
// for PLAIN and SCRAM, and an authorizer.
const (
	envSecureKafka   = "ORDERLEDGER_TEST_KAFKA_SASL"
	envSecureKafkaCA = "ORDERLEDGER_TEST_KAFKA_SASL_CA"

	admin, adminPassword   = "admin", "admin-secret"
	ledger, ledgerPassword = "ledger", "ledger-secret"
)

// secureKafka returns the configuration for the administrator of such a Kafka.
func secureKafka(t *testing.T) kafka.Config {
	t.Helper()
	cfg := testkit.KafkaConfig(strings.Split(os.Getenv(envSecureKafka), ","), 2)
	cfg.Cluster = fmt.Sprintf("secure-%d", time.Now().UnixNano())
	cfg.TLS = setting.TLS{On: true, CAFile: os.Getenv(envSecureKafkaCA)}
	cfg.SASL, cfg.User, cfg.Password = kafka.SASLScram512, admin, setting.NewSecret(adminPassword)
	if os.Getenv(envSecureKafka) == "" {
		ca := testkit.NewAuthority(t)
		cfg.Brokers, cfg.TLS.CAFile = []string{startSecureKafka(t, ca)}, ca.File
	}
	t.Logf("testkit: backend Apache Kafka with TLS and SASL (%s)", strings.Join(cfg.Brokers, ","))
	starting := cfg
	starting.Timeout = 2 * time.Minute
	require.NoError(t, starting.Await(t.Context(), testkit.Logger(t)))
	return cfg
}

// startSecureKafka runs a broker in Docker, or skips the test with the reason.
func startSecureKafka(t *testing.T, ca *testkit.Authority) string {
	t.Helper()
	provider, err := testcontainers.NewDockerProvider()
	if err == nil {
		err = provider.Health(t.Context())
	}
	if err != nil {
		t.Skipf("no Apache Kafka with TLS and SASL: %s is not set, and Docker does not answer: %v", envSecureKafka, err)
	}
	certificate, err := os.ReadFile(ca.Issue("localhost", "127.0.0.1"))
	require.NoError(t, err)
	// The classes are called by name, because scripts move between images. The port that clients see is known only once
	// the container runs, so its entry point waits for the configuration.
	container, err := testcontainers.Run(t.Context(), image(), testcontainers.WithExposedPorts("9094/tcp"),
		testcontainers.WithEntrypoint("/bin/sh", "-c", "while [ ! -f /tmp/start.sh ]; do sleep 0.1; done; exec /bin/sh /tmp/start.sh"))
	testcontainers.CleanupContainer(t, container)
	if err != nil {
		t.Skipf("no Apache Kafka with TLS and SASL: %s is not set, and the image does not run here: %v", envSecureKafka, err)
	}
	host, err := container.Host(t.Context())
	require.NoError(t, err)
	port, err := container.MappedPort(t.Context(), "9094/tcp")
	require.NoError(t, err)
	// On a machine that only looks like a container, the library names a gateway that does not listen.
	if conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port.Port()); err == nil {
		require.NoError(t, conn.Close())
		host = "127.0.0.1"
	}
	addr := fmt.Sprintf("%s:%s", host, port.Port())
	copyTo := func(name string, content []byte) {
		require.NoError(t, container.CopyToContainer(t.Context(), content, name, 0o644))
	}
	copyTo("/tmp/server.pem", certificate)
	copyTo("/tmp/server.properties", []byte(secureProperties(addr, "/tmp/server.pem")))
	copyTo("/tmp/start.sh", []byte(fmt.Sprintf(`
java="java -Xmx512m -cp /opt/kafka/libs/*"
set -f
$java kafka.tools.StorageTool format --standalone -t "$($java kafka.tools.StorageTool random-uuid 2>/dev/null)" -c /tmp/server.properties %s &&
exec $java kafka.Kafka /tmp/server.properties
`, strings.Join(scramUsers(), " "))))
	return addr
}

// image returns the image of the other tests, which take it from .env.images; a test that runs alone takes this one.
func image() string {
	if name := os.Getenv("KAFKA_IMAGE"); name != "" {
		return name
	}
	return "apache/kafka:4.3.0"
}

func scramUsers() []string {
	var users []string
	for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		for user, password := range map[string]string{admin: adminPassword, ledger: ledgerPassword} {
			users = append(users, fmt.Sprintf("--add-scram '%s=[name=%s,password=%s]'", mechanism, user, password))
		}
	}
	return users
}

// secureProperties configures one broker with TLS, SASL and ACLs.
func secureProperties(advertised, certificate string) string {
	const listener = "listener.name.sasl_ssl."
	return strings.Join([]string{
		"process.roles=broker,controller", "node.id=1", "controller.quorum.bootstrap.servers=localhost:9093",
		"listeners=SASL_SSL://:9094,INTERNAL://localhost:9092,CONTROLLER://localhost:9093",
		"advertised.listeners=SASL_SSL://" + advertised + ",INTERNAL://localhost:9092",
		"listener.security.protocol.map=SASL_SSL:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name=INTERNAL", "controller.listener.names=CONTROLLER", "log.dirs=/tmp/kafka-data",
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + certificate,
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		fmt.Sprintf(listener+"plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=\"%s\" user_%s=\"%s\";",
			admin, adminPassword, ledger, ledgerPassword),
		listener + "scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		listener + "scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS;User:" + admin,
		"auto.create.topics.enable=false", "group.initial.rebalance.delay.ms=0",
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=1", "",
	}, "\n")
}

func TestApacheKafkaOverTLS(t *testing.T) {
	t.Parallel()
	cfg := secureKafka(t)
	adm := connect(t, cfg)
	_, err := kafka.EnsureTopics(t.Context(), adm, cfg, kafka.Cluster)
	require.NoError(t, err)

	t.Run("each mechanism accepts the right password and refuses a wrong one", func(t *testing.T) {
		t.Parallel()
		for _, mechanism := range []string{kafka.SASLPlain, kafka.SASLScram256, kafka.SASLScram512} {
			one := cfg
			one.SASL = mechanism
			require.NoError(t, one.Await(t.Context(), testkit.Logger(t)), mechanism)
			produceInTransaction(t, one)
			one.Password = setting.NewSecret("wrong-secret")
			err := one.Await(t.Context(), testkit.Logger(t))
			require.ErrorIs(t, err, kerr.SaslAuthenticationFailed, mechanism)
			require.ErrorContains(t, err, `the broker refused user "admin": check ORDERLEDGER_KAFKA_USER and ORDERLEDGER_KAFKA_PASSWORD`)
			require.NotContains(t, err.Error(), "wrong-secret")
		}
	})
	t.Run("the check names each missing right, and the named rights are enough", func(t *testing.T) {
		t.Parallel()
		user := cfg
		user.Cluster = ledger
		user.User, user.Password = ledger, setting.NewSecret(ledgerPassword)
		missing := rights(t, user)
		for _, want := range []string{
			"topic orders.events.v1: user ledger lacks the right Read", "orders.events.v1: user ledger lacks the right Write",
			"group ledger.lanes: user ledger lacks the right Read", "transactional id ledger-lane-0-Aa: user ledger lacks the right Write",
			"cluster: user ledger lacks the right ClusterAction",
		} {
			require.Contains(t, missing, want)
		}
		allow(t, adm, "topic", kadm.OpRead, kadm.OpWrite, kadm.OpCreate, kadm.OpDelete, kadm.OpDescribeConfigs)
		allow(t, adm, "group", kadm.OpRead)
		allow(t, adm, "id", kadm.OpWrite)
		allow(t, adm, "cluster", kadm.OpDescribe, kadm.OpClusterAction)
		testkit.Eventually(t, func() bool { return !strings.Contains(rights(t, user), "lacks") }, "the new rights are in force")
		_, err := kafka.EnsureTopics(t.Context(), connect(t, user), user, kafka.Cluster)
		require.NoError(t, err)
		produceInTransaction(t, user)
		require.Zero(t, preflight.Run(t.Context(), kafka.Checks(user, uses)).Failed(), "the rights that the manual lists are enough")
	})
	t.Run("the checks pass", func(t *testing.T) {
		t.Parallel()
		report := preflight.Run(t.Context(), kafka.Checks(cfg, uses))
		var table bytes.Buffer
		require.NoError(t, report.Print(&table))
		t.Log("\n" + table.String())
		require.Zero(t, report.Failed(), table.String())
		require.Contains(t, table.String(), "TLS, scram-sha-512 as admin")
		require.Contains(t, table.String(), "the controller", "this broker reports its time")
		require.NotContains(t, table.String(), adminPassword)
	})
}

func rights(t *testing.T, cfg kafka.Config) string {
	t.Helper()
	var seen []string
	for _, l := range preflight.Run(t.Context(), kafka.Checks(cfg, uses)) {
		if l.Check.Name == "kafka rights" {
			seen = append(seen, l.Seen)
		}
	}
	return strings.Join(seen, "\n")
}

// allow grants the user of the ledger rights on all resources of a kind.
func allow(t *testing.T, client *kgo.Client, kind string, ops ...kadm.ACLOperation) {
	t.Helper()
	b := kadm.NewACLs().Allow("User:" + ledger).AllowHosts().Operations(ops...).ResourcePatternType(kadm.ACLPatternPrefixed)
	switch kind {
	case "topic":
		b.Topics("orders.", "suborders.")
	case "group":
		b.Groups("ledger.")
	case "id":
		b.TransactionalIDs("ledger-")
	case "cluster":
		b.Clusters().ResourcePatternType(kadm.ACLPatternLiteral)
	}
	created, err := kadm.NewClient(client).CreateACLs(t.Context(), b)
	require.NoError(t, err)
	for _, c := range created {
		require.NoError(t, c.Err)
	}
}

// produceInTransaction writes one record in a transaction, as a lane does.
func produceInTransaction(t *testing.T, cfg kafka.Config) {
	t.Helper()
	client, err := kgo.NewClient(append(kafka.Options(cfg), kafka.ManualPartitions(), kgo.TransactionalID(cfg.Cluster+"-"+cfg.SASL))...)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Limit)
	defer cancel()
	require.NoError(t, client.BeginTransaction())
	require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: events.TopicInbox, Value: []byte(cfg.SASL)}).FirstErr())
	require.NoError(t, client.EndTransaction(ctx, kgo.TryCommit))
}
