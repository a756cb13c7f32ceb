package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

// uses is a program that does a little of everything.
var uses = kafka.Uses{
	Reads: []string{events.TopicEvents}, Writes: []string{events.TopicEvents}, Trims: []string{events.TopicInbox},
	Groups: []string{"ledger.lanes"}, TransactionalIDs: []string{"ledger-lane-0-Aa"},
}

// found runs the checks and returns the worst finding of each.
func found(t *testing.T, cfg kafka.Config) map[string]preflight.Finding {
	t.Helper()
	worst := map[string]preflight.Finding{}
	for _, l := range preflight.Run(t.Context(), kafka.Checks(cfg, uses)) {
		t.Logf("%s %s: %s -> %s", l.Level, l.Check.Name, l.Seen, l.Do)
		require.NotEmpty(t, l.Seen, l.Check.Name)
		if had, ok := worst[l.Check.Name]; !ok || l.Level > had.Level {
			worst[l.Check.Name] = l.Finding
		}
	}
	return worst
}

func requireFailure(t *testing.T, f preflight.Finding, seen, do string) {
	t.Helper()
	require.Equal(t, preflight.Fail, f.Level, f.Seen)
	require.Contains(t, f.Seen, seen)
	require.Contains(t, f.Do, do)
}

func TestChecksPassAndChangeNothing(t *testing.T) {
	t.Parallel()
	cluster, client, cfg := faulty(t, 3)
	for name, f := range found(t, cfg) {
		if name != "kafka retention" { // A week is the broker's default, and too short.
			require.Equal(t, preflight.OK, f.Level, "%s: %s", name, f.Seen)
		}
	}
	topics, err := kadm.NewClient(client).ListTopicsWithInternal(t.Context())
	require.NoError(t, err)
	require.Empty(t, topics, "the checks create nothing")

	_, err = kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	require.Contains(t, found(t, cfg)["kafka topics"].Seen, "10 topics are correct, 3 lanes")
	require.NotNil(t, cluster.TopicInfo(events.TopicEvents))
}

func TestChecksNameUnreachableBrokers(t *testing.T) {
	t.Parallel()
	_, _, cfg := faulty(t, 1)
	good := cfg.Brokers[0]
	cfg.Brokers = []string{"127.0.0.1:1", good}
	f := found(t, cfg)["kafka brokers"]
	require.Equal(t, preflight.Warn, f.Level, "one that answers is enough to start")
	require.Contains(t, f.Seen, "127.0.0.1:1: ")
	require.Contains(t, f.Do, "nothing listens there")

	cfg.Brokers = cfg.Brokers[:1]
	all := found(t, cfg)
	requireFailure(t, all["kafka brokers"], "127.0.0.1:1: ", "nothing listens there")
	require.Equal(t, preflight.Skip, all["kafka topics"].Level)
	require.Equal(t, preflight.Skip, all["kafka clock"].Level)
}

func TestChecksNameUnreachableListeners(t *testing.T) {
	t.Parallel()
	cluster, _, cfg := faulty(t, 1)
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		for id, port := range map[int32]int32{0: 1, 1: 2} {
			b := kmsg.NewMetadataResponseBroker()
			b.NodeID, b.Host, b.Port = id, "127.0.0.1", port
			resp.Brokers = append(resp.Brokers, b)
		}
		return resp, nil, true
	})
	requireFailure(t, found(t, cfg)["kafka listeners"], "advertises 127.0.0.1:", "advertised.listeners")
}

func TestChecksRefuseOldTransactions(t *testing.T) {
	t.Parallel()
	_, client, cfg := faulty(t, 1)
	req := kmsg.NewPtrUpdateFeaturesRequest()
	update := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	update.Feature, update.MaxVersionLevel, update.UpgradeType = "transaction.version", 1, 2
	req.FeatureUpdates = append(req.FeatureUpdates, update)
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(resp.ErrorCode))

	requireFailure(t, found(t, cfg)["kafka transactions"], "transaction.version is 1", "transaction.version=2")
	err = preflight.Run(t.Context(), kafka.Checks(cfg, uses)).Start(t.Context(), testkit.Logger(t))
	require.ErrorContains(t, err, "kafka transactions: transaction.version is 1")

	cfg.BootURL = "http://127.0.0.1:1/boot"
	require.Contains(t, found(t, cfg)["kafka transactions"].Seen, "embedded broker", "the rule does not apply there, and the finding says so")
}

// A topic whose settings would lose records is named, and the checks create none of the others.
func TestChecksNameTopicsThatLoseRecords(t *testing.T) {
	t.Parallel()
	cluster, _, cfg := faulty(t, 4)
	require.NoError(t, cluster.CreateTopic(events.TopicEvents, 4, map[string]string{"retention.ms": "604800000", "max.message.bytes": "10000000"}))
	f := found(t, cfg)
	requireFailure(t, f["kafka topics"], `orders.events.v1: retention.ms is "604800000", want "-1"`, "kafka-configs.sh --alter")
	require.Nil(t, cluster.TopicInfo(events.TopicInbox))
	cfg.Lanes = 3
	requireFailure(t, found(t, cfg)["kafka topics"], "orders.events.v1: 4 partitions, want 3", "delete it")
}

// An embedded broker compacts nothing. Its settings are right also for a program that was not given its boot URL: the
// commands that make them those of a cluster would harm it.
func TestChecksKnowTopicsOfEmbeddedBroker(t *testing.T) {
	t.Parallel()
	_, brokers := testkit.KafkaCluster(t, kfake.ClusterID(kafka.EmbeddedClusterID))
	client, cfg := testkit.Client(t, brokers), testkit.KafkaConfig(brokers, 4)
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Embedded)
	require.NoError(t, err)
	require.Empty(t, cfg.BootURL)
	require.Equal(t, preflight.OK, found(t, cfg)["kafka topics"].Level)
	layout, err := kafka.NewLedgerWait(client, cfg, testkit.Logger(t)).Wait(t.Context())
	require.NoError(t, err, "the projector and the emitter start")
	require.EqualValues(t, 4, layout.Lanes)

	ended := "604800000"
	_, err = kadm.NewClient(client).AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &ended}}, events.TopicEvents)
	require.NoError(t, err)
	requireFailure(t, found(t, cfg)["kafka topics"], `orders.events.v1: retention.ms is "604800000", want "-1"`, "kafka-configs.sh --alter")
}

func TestChecksWarnAboutTooFewReplicas(t *testing.T) {
	t.Parallel()
	_, brokers := testkit.KafkaCluster(t, kfake.NumBrokers(3))
	cfg := testkit.KafkaConfig(brokers, 1)
	cfg.Replication, cfg.MinISR = 3, 1
	f := found(t, cfg)["kafka replication"]
	require.Equal(t, preflight.Warn, f.Level)
	require.Contains(t, f.Seen, "topics that would be created: replication 3, min.insync.replicas 1, with 3 brokers")
	require.Contains(t, f.Do, "ORDERLEDGER_KAFKA_MIN_ISR=2")
	cfg.MinISR = 2
	require.Equal(t, preflight.OK, found(t, cfg)["kafka replication"].Level)
}

func TestChecksRefuseUncleanElections(t *testing.T) {
	t.Parallel()
	cluster, client, cfg := faulty(t, 1)
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := kreq.(*kmsg.DescribeConfigsRequest)
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range req.Resources {
			r := kmsg.NewDescribeConfigsResponseResource()
			r.ResourceName, r.ResourceType = asked.ResourceName, asked.ResourceType
			c := kmsg.NewDescribeConfigsResponseResourceConfig()
			c.Name, c.Value = "unclean.leader.election.enable", kmsg.StringPtr("true")
			r.Configs = append(r.Configs, c)
			resp.Resources = append(resp.Resources, r)
		}
		return resp, nil, true
	})
	requireFailure(t, found(t, cfg)["kafka elections"], "orders.events.v1: unclean.leader.election.enable is true", "--add-config unclean.leader.election.enable=false")
}

func TestChecksWarnAboutShortOffsetRetention(t *testing.T) {
	t.Parallel()
	_, brokers := testkit.KafkaCluster(t, kfake.BrokerConfigs(map[string]string{
		"offsets.retention.minutes": "1440", "transactional.id.expiration.ms": "60000",
	}))
	report := preflight.Run(t.Context(), kafka.Checks(testkit.KafkaConfig(brokers, 1), uses))
	var seen []string
	for _, l := range report {
		if l.Check.Name == "kafka retention" {
			require.Equal(t, preflight.Warn, l.Level)
			seen = append(seen, l.Seen+" "+l.Do)
		}
	}
	require.Len(t, seen, 2)
	require.Contains(t, seen[0], "offsets.retention.minutes is 1440")
	require.Contains(t, seen[0], "set offsets.retention.minutes=43200")
	require.Contains(t, seen[1], "transactional.id.expiration.ms is 60000")
	require.NoError(t, report.Start(t.Context(), testkit.Logger(t)), "the program starts all the same")
}

func TestChecksNameMissingRights(t *testing.T) {
	t.Parallel()
	acl := func(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{
			Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op,
			Allow: true,
		}
	}
	_, brokers := testkit.KafkaCluster(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "a"),
		kfake.User("PLAIN", "ledger", "right", acl(kmsg.ACLResourceTypeTopic, events.TopicEvents, kmsg.ACLOperationRead)))
	cfg := testkit.KafkaConfig(brokers, 1)
	cfg.SASL, cfg.User, cfg.Password = kafka.SASLPlain, "admin", setting.NewSecret("a")
	_, err := kafka.EnsureTopics(t.Context(), connect(t, cfg), cfg, kafka.Cluster)
	require.NoError(t, err)
	require.Equal(t, preflight.OK, found(t, cfg)["kafka rights"].Level, "a superuser may do everything")

	cfg.User, cfg.Password = "ledger", setting.NewSecret("right")
	var seen []string
	for _, l := range preflight.Run(t.Context(), kafka.Checks(cfg, uses)) {
		if l.Check.Name == "kafka rights" {
			seen = append(seen, l.Seen+" "+l.Do)
		}
	}
	all := strings.Join(seen, "\n")
	require.NotContains(t, all, "orders.events.v1: user ledger lacks the right Read", "the user has that one")
	require.Contains(t, all, "topic orders.events.v1: user ledger lacks the right Write")
	require.Contains(t, all, "kafka-acls.sh --add --allow-principal User:ledger --operation Write --topic orders.events.v1")
	require.Contains(t, all, "topic orders.inbox.v1: user ledger lacks the right Delete")
	require.Contains(t, all, "--operation Read --group ledger.lanes")
	require.Contains(t, all, "--operation Write --transactional-id orderledger- --resource-pattern-type prefixed")
	require.Contains(t, all, "cluster: user ledger lacks the right ClusterAction")
	require.Contains(t, all, "--operation ClusterAction --operation Describe --cluster")
}

func TestChecksRefuseAWrongClock(t *testing.T) {
	t.Parallel()
	cluster, client, cfg := faulty(t, 1)
	_, err := kafka.EnsureTopics(t.Context(), client, cfg, kafka.Cluster)
	require.NoError(t, err)
	require.Contains(t, found(t, cfg)["kafka clock"].Seen, "not measured", "this broker has no quorum, and the ledger is empty")

	future := time.Now().Add(time.Hour)
	record := &kgo.Record{Topic: events.TopicEvents, Timestamp: future, Value: []byte("x")}
	require.NoError(t,
		testkit.Client(t, cfg.Brokers, kafka.ManualPartitions()).ProduceSync(t.Context(), record).FirstErr())
	warning := found(t, cfg)["kafka clock"]
	require.Equal(t, preflight.Warn, warning.Level, "a clock that ran ahead once keeps no program from starting")
	require.Contains(t, warning.Seen, "the newest event of the ledger is 1h0m0s ahead")

	quorumAt(t, cluster, func() time.Time { return time.Now().Add(2 * time.Minute) })
	requireFailure(t, found(t, cfg)["kafka clock"], "behind the controller", "NTP")
}

// A request that the broker refuses gives a warning, and the program starts.
func TestChecksWarnAboutRefusedRequests(t *testing.T) {
	t.Parallel()
	cluster, _, cfg := faulty(t, 1)
	cluster.ControlKey(int16(kmsg.DescribeConfigs), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, errors.New("not today"), true
	})
	f := found(t, cfg)
	require.Equal(t, preflight.Warn, f["kafka retention"].Level)
	require.Contains(t, f["kafka retention"].Seen, "could not be checked")
	require.NoError(t, preflight.Run(t.Context(), kafka.Checks(cfg, uses)).Start(t.Context(), testkit.Logger(t)))
}
