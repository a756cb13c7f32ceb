package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/service"
)

// The environment variables.
const (
	// envBrokers: host:port of Kafka's brokers, separated by commas. Default 127.0.0.1:9092.
	envBrokers = "ORDERLEDGER_KAFKA_BROKERS"
	// envCluster: the name of the ledger. Default orderledger.
	envCluster = "ORDERLEDGER_CLUSTER"
	// envLanes: the number of lanes, to refuse a ledger with another. Default 0: take what is there, or 12.
	envLanes = "ORDERLEDGER_LANES"
	// envReplication and envMinISR: of topics that are created. Default 0: the broker's.
	envReplication = "ORDERLEDGER_KAFKA_REPLICATION"
	envMinISR      = "ORDERLEDGER_KAFKA_MIN_ISR"
	// envBootURL: set where Kafka is the embedded broker of another process. Default none.
	envBootURL = "ORDERLEDGER_KAFKA_BOOT_URL"
	// envAddr: host:port of ClickHouse's native protocol, tried in order, separated by commas. Default 127.0.0.1:9000.
	envAddr = "ORDERLEDGER_CLICKHOUSE_ADDR"
	// envDatabase: the database of the tables. Default orderledger.
	envDatabase = "ORDERLEDGER_CLICKHOUSE_DATABASE"
	// envUser and envPassword authenticate. Default: user default without a password.
	envUser     = "ORDERLEDGER_CLICKHOUSE_USER"
	envPassword = "ORDERLEDGER_CLICKHOUSE_PASSWORD" //nolint:gosec // A name, not a password.
	// envTLS: true encrypts the connections to ClickHouse. Default false.
	envTLS = "ORDERLEDGER_CLICKHOUSE_TLS"
	// envCompression of inserts: auto, lz4 or none. Default auto: none on loopback, else lz4.
	envCompression = "ORDERLEDGER_CLICKHOUSE_COMPRESSION"
	// envSettings: settings sent with every insert, name=value, separated by commas. Default none.
	envSettings = "ORDERLEDGER_CLICKHOUSE_INSERT_SETTINGS"
	// envMaxRows, envBufferBytes and envInserters: see projector.Config.
	envMaxRows     = "ORDERLEDGER_PROJECTOR_MAX_ROWS"
	envBufferBytes = "ORDERLEDGER_PROJECTOR_BUFFER_BYTES"
	envInserters   = "ORDERLEDGER_PROJECTOR_INSERTERS"
	// envInstance: makes this process a static member of its group; unique among the living. Default none.
	envInstance = "ORDERLEDGER_PROJECTOR_INSTANCE_ID"
	// envSession: after how much silence the partitions of an instance go to others, such as 6s. Default 15s; the broker
	// has a lower bound, group.min.session.timeout.ms, usually 6s.
	envSession = "ORDERLEDGER_PROJECTOR_SESSION_TIMEOUT"
	// envAdmin: host:port of metrics and health. Default 127.0.0.1:9102; "off" serves none.
	envAdmin = "ORDERLEDGER_PROJECTOR_ADMIN_ADDR"
	// envLogLevel: DEBUG, INFO, WARN or ERROR. Default INFO.
	envLogLevel = "ORDERLEDGER_LOG_LEVEL"
)

const defaultAdmin = "127.0.0.1:9102"

type config struct {
	Kafka      kafka.Config
	ClickHouse clickhouse.Config
	Projector  projector.Config
	Admin      service.AdminConfig
	LogLevel   slog.Level
}

// readConfig reads the environment and reports every problem at once.
func readConfig(getenv func(string) string) (config, error) {
	cfg := config{
		Kafka: kafka.DefaultConfig(), ClickHouse: clickhouse.DefaultConfig(), Projector: projector.DefaultConfig(),
		Admin: service.AdminConfig{Addr: defaultAdmin},
	}
	cfg.Kafka.ClientID = "orderledger-projector"
	var problems []error
	text := func(name string, to *string) {
		if v := getenv(name); v != "" {
			*to = v
		}
	}
	list := func(name string, to *[]string) {
		if v := split(getenv(name)); len(v) > 0 {
			*to = v
		}
	}
	number := func(name string, to *int) {
		if v := getenv(name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s: %q is not a number", name, v))
				return
			}
			*to = n
		}
	}
	list(envBrokers, &cfg.Kafka.Brokers)
	text(envCluster, &cfg.Kafka.Cluster)
	text(envBootURL, &cfg.Kafka.BootURL)
	number(envLanes, &cfg.Kafka.Lanes)
	number(envMinISR, &cfg.Kafka.MinISR)
	var replication int
	number(envReplication, &replication)
	cfg.Kafka.Replication = int16(min(max(replication, -1), 1<<14))
	list(envAddr, &cfg.ClickHouse.Addrs)
	text(envDatabase, &cfg.ClickHouse.Database)
	text(envUser, &cfg.ClickHouse.User)
	text(envPassword, &cfg.ClickHouse.Password)
	text(envCompression, &cfg.ClickHouse.Compression)
	number(envMaxRows, &cfg.Projector.MaxRows)
	number(envBufferBytes, &cfg.Projector.BufferBytes)
	number(envInserters, &cfg.Projector.Inserters)
	text(envInstance, &cfg.Projector.InstanceID)
	if v := getenv(envSession); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %q: want a time, such as 15s", envSession, v))
		}
		cfg.Projector.SessionTimeout = d
	}
	text(envAdmin, &cfg.Admin.Addr)
	if cfg.Admin.Addr == "off" {
		cfg.Admin.Addr = ""
	}
	if v := getenv(envTLS); v != "" {
		on, err := strconv.ParseBool(v)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is not true or false", envTLS, v))
		}
		cfg.ClickHouse.TLS = on
	}
	for _, pair := range split(getenv(envSettings)) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			problems = append(problems, fmt.Errorf("%s: %q is not name=value", envSettings, pair))
			continue
		}
		if cfg.ClickHouse.Settings == nil {
			cfg.ClickHouse.Settings = map[string]string{}
		}
		cfg.ClickHouse.Settings[name] = value
	}
	if v := getenv(envLogLevel); v != "" {
		if err := cfg.LogLevel.UnmarshalText([]byte(v)); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", envLogLevel, err))
		}
	}
	return cfg, errors.Join(append(problems, cfg.Kafka.Validate(), cfg.ClickHouse.Validate(), cfg.Projector.Validate())...)
}

// backend tells an embedded broker, whose topics have other settings, by its boot address.
func (c *config) backend() kafka.Backend {
	if c.Kafka.BootURL != "" {
		return kafka.Embedded
	}
	return kafka.Cluster
}

// masked returns a copy that is safe to print.
func (c *config) masked() config {
	out := *c
	if out.ClickHouse.Password != "" {
		out.ClickHouse.Password = "***"
	}
	return out
}

func split(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
