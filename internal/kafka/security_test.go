package kafka_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/setting"
	"github.com/orderledger/orderledger/internal/testkit"
)

// guarded starts a broker with TLS and SASL, and returns the configuration of a user that it accepts.
func guarded(t *testing.T, mechanism string) kafka.Config {
	t.Helper()
	ca := testkit.NewAuthority(t)
	names := map[string]string{kafka.SASLPlain: "PLAIN", kafka.SASLScram256: "SCRAM-SHA-256", kafka.SASLScram512: "SCRAM-SHA-512"}
	brokers := testkit.Kafka(t, kfake.TLS(ca.Server()), kfake.EnableSASL(), kfake.Superuser(names[mechanism], "ledger", "right"))
	cfg := testkit.KafkaConfig(brokers, 1)
	cfg.TLS = setting.TLS{On: true, CAFile: ca.File}
	cfg.SASL, cfg.User, cfg.Password = mechanism, "ledger", setting.NewSecret("right")
	require.NoError(t, cfg.Validate())
	return cfg
}

func connect(t *testing.T, cfg kafka.Config) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kafka.Options(cfg)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

func TestEnsureTopicsOverTLSWithAUser(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{kafka.SASLPlain, kafka.SASLScram256, kafka.SASLScram512} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			cfg := guarded(t, mechanism)
			require.NoError(t, cfg.Await(t.Context(), testkit.Logger(t)))
			layout, err := kafka.EnsureTopics(t.Context(), connect(t, cfg), cfg, kafka.Cluster)
			require.NoError(t, err)
			require.EqualValues(t, 1, layout.Lanes)
		})
	}
}

func TestConnectionErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	cfg := guarded(t, kafka.SASLScram512)
	for name, c := range map[string]struct {
		change func(*kafka.Config)
		want   string
	}{
		"wrong password":    {func(c *kafka.Config) { c.Password = setting.NewSecret("wrong") }, "ORDERLEDGER_KAFKA_PASSWORD"},
		"unknown user":      {func(c *kafka.Config) { c.User = "nobody" }, "ORDERLEDGER_KAFKA_USER"},
		"no user":           {func(c *kafka.Config) { c.SASL, c.User, c.Password = "", "", setting.Secret{} }, "ORDERLEDGER_KAFKA_SASL"},
		"plain text":        {func(c *kafka.Config) { c.TLS = setting.TLS{} }, "ORDERLEDGER_KAFKA_TLS"},
		"unknown authority": {func(c *kafka.Config) { c.TLS.CAFile = testkit.NewAuthority(t).File }, "ORDERLEDGER_KAFKA_TLS_CA"},
		"another name":      {func(c *kafka.Config) { c.TLS.ServerName = "broker.example" }, "ORDERLEDGER_KAFKA_TLS_SERVER_NAME"},
	} {
		wrong := cfg
		c.change(&wrong)
		wrong.Timeout = time.Second // kfake closes the connection after a wrong password, which may also mean that it stops.
		err := wrong.Await(t.Context(), testkit.Logger(t))
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "kafka broker 127.0.0.1", "%s: the error names the broker", name)
		for _, secret := range []string{"right", "wrong"} {
			require.NotContains(t, err.Error(), secret, name)
		}
	}
}

func TestConfigRefusesAUserWithoutSASL(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*kafka.Config){
		"ORDERLEDGER_KAFKA_SASL: ORDERLEDGER_KAFKA_USER or ORDERLEDGER_KAFKA_PASSWORD is set, but no SASL mechanism: want plain": func(c *kafka.Config) { c.User = "ledger" },
		"ORDERLEDGER_KAFKA_SASL: plain needs a user and a password":                                                              func(c *kafka.Config) { c.SASL = kafka.SASLPlain },
		`ORDERLEDGER_KAFKA_SASL: "kerberos": want plain`:                                                                         func(c *kafka.Config) { c.SASL, c.User, c.Password = "kerberos", "u", setting.NewSecret("p") },
		"ORDERLEDGER_KAFKA_TLS_CA: open /not/there":                                                                              func(c *kafka.Config) { c.TLS = setting.TLS{On: true, CAFile: "/not/there"} },
		"ORDERLEDGER_KAFKA_TLS_SERVER_NAME: it is set, but TLS is off":                                                           func(c *kafka.Config) { c.TLS.ServerName = "broker.example" },
	} {
		cfg := kafka.DefaultConfig()
		change(&cfg)
		require.ErrorContains(t, cfg.Validate(), want)
	}
}

func TestConfigReadsTheEnvironment(t *testing.T) {
	t.Parallel()
	vars := map[string]string{
		kafka.EnvBrokers: "a:1, b:2", kafka.EnvCluster: "shop", kafka.EnvLanes: "6", kafka.EnvReplication: "3", kafka.EnvMinISR: "2",
		kafka.EnvSASL: "SCRAM-SHA-512", kafka.EnvUser: "ledger", kafka.EnvPassword: "right",
		"ORDERLEDGER_KAFKA_TLS": "true", "ORDERLEDGER_KAFKA_TLS_CA": "ca.pem", "ORDERLEDGER_KAFKA_TLS_CERT": "c.pem",
		"ORDERLEDGER_KAFKA_TLS_KEY": "k.pem", "ORDERLEDGER_KAFKA_TLS_SERVER_NAME": "broker",
	}
	cfg := kafka.DefaultConfig()
	e := setting.NewReader(func(name string) string { return vars[name] })
	cfg.Read(e)
	require.Empty(t, e.Problems())
	want := kafka.DefaultConfig()
	want.Brokers, want.Cluster, want.Lanes, want.Replication, want.MinISR = []string{"a:1", "b:2"}, "shop", 6, 3, 2
	want.SASL, want.User, want.Password = "SCRAM-SHA-512", "ledger", setting.NewSecret("right")
	want.TLS = setting.TLS{On: true, CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "k.pem", ServerName: "broker"}
	require.Equal(t, want, cfg)
}
