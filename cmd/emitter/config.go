package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/emitter"
	"github.com/orderledger/orderledger/internal/kafka"
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
	// envReplication: the replication factor of topics that are created. Default 0: the broker's.
	envReplication = "ORDERLEDGER_KAFKA_REPLICATION"
	// envMinISR: min.insync.replicas of the topics. Default 0: the broker's, unchecked.
	envMinISR = "ORDERLEDGER_KAFKA_MIN_ISR"
	// envBootURL: set where Kafka is the embedded broker of another process. Default none.
	envBootURL = "ORDERLEDGER_KAFKA_BOOT_URL"
	// envEndpoints: URLs of endpoints with default settings, separated by commas; each may have a name in front, as in
	// wms=https://wms.example/hook. Without one the name is made from the URL. Default none.
	envEndpoints = "ORDERLEDGER_EMITTER_ENDPOINTS"
	// envSecrets: "whsec_" secrets of those endpoints, newest first, separated by commas. Default none: unsigned.
	envSecrets = "ORDERLEDGER_EMITTER_SECRETS"
	// envSettings: a JSON file with endpoints and channels, all settings of each. Default none.
	envSettings = "ORDERLEDGER_EMITTER_ENDPOINTS_FILE"
	// envInstance: makes this process a static member of its groups; unique among the living. Default none.
	envInstance = "ORDERLEDGER_EMITTER_INSTANCE_ID"
	// envSession: after how much silence the partitions of an instance go to others, such as 10s, in both of its groups. It
	// must exceed each endpoint's timeout by two seconds. Default 10s to translate, an endpoint's timeout and 15s
	// to deliver; the broker has a lower bound, group.min.session.timeout.ms, usually 6s.
	envSession = "ORDERLEDGER_EMITTER_SESSION_TIMEOUT"
	// envAdmin: host:port of metrics and health. Default 127.0.0.1:9103; "off" serves none.
	envAdmin = "ORDERLEDGER_EMITTER_ADMIN_ADDR"
	// envLogLevel: DEBUG, INFO, WARN or ERROR. Default INFO.
	envLogLevel = "ORDERLEDGER_LOG_LEVEL"
)

const defaultAdmin = "127.0.0.1:9103"

type config struct {
	Kafka    kafka.Config
	Emitter  emitter.Config
	Admin    service.AdminConfig
	LogLevel slog.Level
}

// readConfig reads the environment and reports every problem at once.
func readConfig(getenv func(string) string) (config, error) {
	var problems []error
	cfg := config{Kafka: kafka.DefaultConfig(), Emitter: emitter.DefaultConfig(), Admin: service.AdminConfig{Addr: defaultAdmin}}
	cfg.Kafka.ClientID = "orderledger-emitter"
	if brokers := list(getenv(envBrokers)); len(brokers) > 0 {
		cfg.Kafka.Brokers = brokers
	}
	if cluster := getenv(envCluster); cluster != "" {
		cfg.Kafka.Cluster = cluster
	}
	cfg.Kafka.BootURL = getenv(envBootURL)
	number := func(name string) int {
		text := getenv(name)
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 16)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %q is not a number", name, text))
		}
		return int(n)
	}
	cfg.Kafka.Lanes, cfg.Kafka.MinISR = number(envLanes), number(envMinISR)
	cfg.Kafka.Replication = int16(number(envReplication))
	switch addr := getenv(envAdmin); addr {
	case "":
	case "off":
		cfg.Admin.Addr = ""
	default:
		cfg.Admin.Addr = addr
	}
	if level := getenv(envLogLevel); level != "" {
		if err := cfg.LogLevel.UnmarshalText([]byte(level)); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", envLogLevel, err))
		}
	}
	if path := getenv(envSettings); path != "" {
		settings, err := readSettings(path)
		problems = append(problems, err)
		cfg.Emitter.Deliver.Endpoints, cfg.Emitter.Translate.Channels = settings.Endpoints, settings.Channels
	}
	for _, text := range list(getenv(envEndpoints)) {
		endpoint, err := emitter.ParseEndpoint(text)
		problems = append(problems, err)
		endpoint.Secrets = list(getenv(envSecrets))
		cfg.Emitter.Deliver.Endpoints = append(cfg.Emitter.Deliver.Endpoints, endpoint)
	}
	cfg.Emitter.Translate.InstanceID = getenv(envInstance)
	cfg.Emitter.Deliver.InstanceID = getenv(envInstance)
	if text := getenv(envSession); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %q: want a time, such as 10s", envSession, text))
		}
		cfg.Emitter.Translate.SessionTimeout, cfg.Emitter.Deliver.SessionTimeout = d, d
	}
	return cfg, errors.Join(append(problems, cfg.Kafka.Validate(), cfg.Emitter.Validate())...)
}

func readSettings(path string) (emitter.Settings, error) {
	file, err := os.Open(path)
	if err != nil {
		return emitter.Settings{}, fmt.Errorf("%s: %w", envSettings, err)
	}
	defer file.Close()
	settings, err := emitter.ReadSettings(file)
	if err != nil {
		return emitter.Settings{}, fmt.Errorf("%s: %s: %w", envSettings, path, err)
	}
	return settings, nil
}

// backend tells an embedded broker, whose topics have other settings, by its boot address.
func (c *config) backend() kafka.Backend {
	if c.Kafka.BootURL != "" {
		return kafka.Embedded
	}
	return kafka.Cluster
}

// masked returns a copy that is safe to print: a secret, a header or a URL may each hold a credential.
func (c *config) masked() config {
	const mask = "***"
	out := *c
	out.Emitter.Deliver.Endpoints = slices.Clone(out.Emitter.Deliver.Endpoints)
	for i := range out.Emitter.Deliver.Endpoints {
		e := &out.Emitter.Deliver.Endpoints[i]
		e.Secrets = slices.Clone(e.Secrets)
		for j := range e.Secrets {
			e.Secrets[j] = mask
		}
		e.Headers = maps.Clone(e.Headers)
		for name := range e.Headers {
			e.Headers[name] = mask
		}
		if u, err := url.Parse(e.URL); err == nil {
			if u.RawQuery != "" {
				u.RawQuery = mask
			}
			e.URL = u.Redacted()
		}
	}
	return out
}

func list(text string) []string {
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
