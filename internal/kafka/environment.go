package kafka

import "github.com/orderledger/orderledger/internal/setting"

// The variables that every program reads for Kafka. Read has their meanings.
const (
	EnvBrokers     = "ORDERLEDGER_KAFKA_BROKERS"
	EnvCluster     = "ORDERLEDGER_CLUSTER"
	EnvLanes       = "ORDERLEDGER_LANES"
	EnvReplication = "ORDERLEDGER_KAFKA_REPLICATION"
	EnvMinISR      = "ORDERLEDGER_KAFKA_MIN_ISR"
	EnvBootURL     = "ORDERLEDGER_KAFKA_BOOT_URL"
	EnvSASL        = "ORDERLEDGER_KAFKA_SASL"
	EnvUser        = "ORDERLEDGER_KAFKA_USER"
	EnvPassword    = "ORDERLEDGER_KAFKA_PASSWORD" //nolint:gosec // The name of a variable.

	// envPrefix is the prefix of the variables of TLS; see setting.TLS.
	envPrefix = "ORDERLEDGER_KAFKA"
)

// Read reads the variables. A variable that is not set leaves its field unchanged.
func (c *Config) Read(e *setting.Reader) {
	e.List(EnvBrokers, &c.Brokers, "brokers, a list of host:port")
	e.Text(EnvCluster, &c.Cluster,
		"name of the ledger, fixed once it exists; transactional ids and group names begin with it")
	e.Number(EnvLanes, &c.Lanes,
		"lanes of a new ledger, fixed once it exists; the program refuses another number. 0: those of the ledger, or 12")
	replication := int(c.Replication)
	e.Number(EnvReplication, &replication, "replication factor of new topics. 0: the broker's")
	c.Replication = int16(min(max(replication, -1), 1<<14))
	e.Number(EnvMinISR, &c.MinISR, "`min.insync.replicas` of new topics. 0: the broker's, unchecked")
	e.Text(EnvBootURL, &c.BootURL, "only with the embedded Kafka of another process: the URL of its `/boot`")
	c.TLS.Read(e, envPrefix)
	e.Text(EnvSASL, &c.SASL, "SASL mechanism: `plain`, `scram-sha-256` or `scram-sha-512`")
	e.Text(EnvUser, &c.User, "user for SASL")
	e.Secret(EnvPassword, &c.Password, "password for SASL")
}

// Backend returns the kind of broker. A boot URL means an embedded one, whose topics have other settings.
func (c Config) Backend() Backend {
	if c.BootURL != "" {
		return Embedded
	}
	return Cluster
}
