package kafka

import "github.com/orderledger/orderledger/internal/setting"

// The variables that every program reads for Kafka.
const (
	// EnvBrokers: host:port of the brokers, separated by commas. Default 127.0.0.1:9092.
	EnvBrokers = "ORDERLEDGER_KAFKA_BROKERS"
	// EnvCluster: the name of the ledger. Default orderledger.
	EnvCluster = "ORDERLEDGER_CLUSTER"
	// EnvLanes: the number of lanes of a new ledger; a ledger with another number is refused. Default 0: that of the
	// ledger.
	EnvLanes = "ORDERLEDGER_LANES"
	// EnvReplication and EnvMinISR: of new topics. Default 0: the broker's defaults.
	EnvReplication = "ORDERLEDGER_KAFKA_REPLICATION"
	EnvMinISR      = "ORDERLEDGER_KAFKA_MIN_ISR"
	// EnvBootURL: where the process with an embedded broker serves its boot nonce. Default none: a real cluster.
	EnvBootURL = "ORDERLEDGER_KAFKA_BOOT_URL"
	// EnvSASL: plain, scram-sha-256 or scram-sha-512. Default none: no user.
	EnvSASL = "ORDERLEDGER_KAFKA_SASL"
	// EnvUser and EnvPassword: the credentials of this program. The password may come from the file in EnvPassword_FILE.
	EnvUser     = "ORDERLEDGER_KAFKA_USER"
	EnvPassword = "ORDERLEDGER_KAFKA_PASSWORD" //nolint:gosec // The name of a variable.

	// envPrefix is the prefix of the variables of TLS; see setting.TLS.
	envPrefix = "ORDERLEDGER_KAFKA"
)

// Read reads the variables. A variable that is not set leaves its field unchanged.
func (c *Config) Read(e *setting.Reader) {
	e.List(EnvBrokers, &c.Brokers)
	e.Text(EnvCluster, &c.Cluster)
	e.Number(EnvLanes, &c.Lanes)
	e.Number(EnvMinISR, &c.MinISR)
	replication := int(c.Replication)
	e.Number(EnvReplication, &replication)
	c.Replication = int16(min(max(replication, -1), 1<<14))
	e.Text(EnvBootURL, &c.BootURL)
	c.TLS.Read(e, envPrefix)
	e.Text(EnvSASL, &c.SASL)
	e.Text(EnvUser, &c.User)
	e.Secret(EnvPassword, &c.Password)
}

// Backend returns the kind of broker. A boot URL means an embedded one, whose topics have other settings.
func (c Config) Backend() Backend {
	if c.BootURL != "" {
		return Embedded
	}
	return Cluster
}
