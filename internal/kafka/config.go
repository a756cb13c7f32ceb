package kafka

import (
	"errors"
	"net/url"
	"regexp"
	"time"

	"github.com/orderledger/orderledger/internal/setting"
)

// DefaultLanes is the number of lanes of a new ledger when Config.Lanes is zero. It can't be changed later, so it
// leaves room to grow: up to twelve owners, at a commit rate that one broker can carry.
const DefaultLanes = 12

// MaxLanes is the largest number of lanes: a message id has twelve bits for the lane.
const MaxLanes = 4096

// Config says how to reach Kafka and how the topics of the ledger are set up.
type Config struct {
	// Brokers are the seed brokers, host:port. At least one.
	Brokers []string
	// ClientID names this program in the logs and quotas of the brokers. Empty means "orderledger".
	ClientID string
	// Cluster names the ledger. Every transactional id starts with it, so two ledgers on one Kafka need two names.
	// Letters, digits, dots, dashes and underscores.
	Cluster string
	// Lanes is the number of partitions of the ledger's topics. Zero takes that of the existing ledger, or DefaultLanes
	// for a new one.
	Lanes int
	// Replication is the replication factor of new topics. Zero means the broker's default.
	Replication int16
	// MinISR is min.insync.replicas of the topics. Zero means the broker's default, which is then not checked.
	MinISR int
	// BootURL is where the process with an embedded broker serves its boot nonce (GET, text). Empty means a real cluster,
	// whose transactional ids are stable.
	BootURL string
	// TLS encrypts connections to the brokers. Off means plain TCP.
	TLS setting.TLS
	// SASL is how the program authenticates: SASLPlain, SASLScram256 or SASLScram512. Empty means no authentication.
	SASL string
	// User and Password are the credentials for SASL. Without TLS they are sent in plain text, or can be guessed from the
	// exchange.
	User     string
	Password setting.Secret
	// Timeout bounds each administrative step: listing, creating and checking topics, and reading the boot nonce. Zero
	// means 30 seconds.
	Timeout time.Duration
}

// DefaultConfig returns the configuration for a broker on this machine.
func DefaultConfig() Config {
	return Config{
		Brokers:  []string{"127.0.0.1:9092"},
		ClientID: "orderledger",
		Cluster:  "orderledger",
		Timeout:  30 * time.Second,
	}
}

var clusterName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var problems []error
	bad := func(name, format string, args ...any) {
		problems = append(problems, setting.Invalid(name, format, args...))
	}

	if len(c.Brokers) == 0 {
		bad(EnvBrokers, "at least one host:port is needed")
	}
	for _, b := range c.Brokers {
		if err := setting.CheckServer(b); err != nil {
			bad(EnvBrokers, "%w", err)
		}
	}
	if !clusterName.MatchString(c.Cluster) {
		bad(EnvCluster, "%q: want 1 to 64 letters, digits, dots, dashes or underscores", c.Cluster)
	}
	if c.Lanes < 0 || c.Lanes > MaxLanes {
		bad(EnvLanes, "%d: want 0 (those of the ledger) to %d", c.Lanes, MaxLanes)
	}
	if c.Replication < 0 {
		bad(EnvReplication, "%d: want 0 (the broker's default) or more", c.Replication)
	}
	if c.MinISR < 0 {
		bad(EnvMinISR, "%d: want 0 (the broker's default) or more", c.MinISR)
	}
	if c.Replication > 0 && c.MinISR > int(c.Replication) {
		bad(EnvMinISR, "%d: above the replication factor %d (%s), so every write would fail", c.MinISR, c.Replication,
			EnvReplication)
	}
	if c.BootURL != "" {
		if u, err := url.Parse(c.BootURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			bad(EnvBootURL, "%q: want http://host:port/path", c.BootURL)
		}
	}
	if c.Timeout < 0 {
		bad("kafka timeout", "%s: want 0 (30s) or more", c.Timeout)
	}
	return errors.Join(append(problems, c.validateSecurity()...)...)
}

func (c Config) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return 30 * time.Second
}
