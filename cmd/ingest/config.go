package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/service"
)

// The environment variables.
const (
	// envAddr: host:port of the API. Default 127.0.0.1:8080.
	envAddr = "ORDERLEDGER_INGEST_ADDR"
	// envAdmin: host:port of metrics and health. Default 127.0.0.1:9101; "off" serves none.
	envAdmin = "ORDERLEDGER_INGEST_ADMIN_ADDR"
	// envPublicURL: how the marketplace sees the API; it is part of what notifications sign. Default: from the request.
	envPublicURL = "ORDERLEDGER_INGEST_PUBLIC_URL"
	// envData: folder of lane stores, the resolver's store and documents. Default data.
	envData = "ORDERLEDGER_DATA"
	// envDocuments: folder of documents, which instances may share. Default documents below envData.
	envDocuments = "ORDERLEDGER_DOCUMENTS"
	// envInstance: makes this process a static owner of its lanes; unique among the living. Default none.
	envInstance = "ORDERLEDGER_INGEST_INSTANCE_ID"
	// envSession: after how much silence what an instance has goes to others, such as 6s. Default 8s; the broker has a
	// lower bound, group.min.session.timeout.ms, usually 6s.
	envSession = "ORDERLEDGER_INGEST_SESSION_TIMEOUT"
	// envPeerAddr: host:port of the listener for other ingest instances. Default none: the instance is alone.
	envPeerAddr = "ORDERLEDGER_INGEST_PEER_ADDR"
	// envPeerURL: where other instances reach that listener, such as http://10.0.0.7:8081. Needed with it.
	envPeerURL = "ORDERLEDGER_INGEST_PEER_URL"
	// envPeerSecret: signs what instances ask of each other; several, newest first. Needed with the listener.
	envPeerSecret = "ORDERLEDGER_INGEST_PEER_SECRET" //nolint:gosec // The name of a variable.
	// envStandby: "off" does not follow the lanes of other instances. Default on.
	envStandby = "ORDERLEDGER_INGEST_STANDBY"
	// envRate: calls a second that one seller may make. Default 0: no bound.
	envRate = "ORDERLEDGER_INGEST_RATE"
	// envInboxKeep: decided notifications that each lane leaves in its inbox partition; older ones are deleted.
	// Default 100000; 0 keeps all.
	envInboxKeep = "ORDERLEDGER_INBOX_KEEP"
	// envWorkers: "off" leaves packing and resolving to other instances. Default on.
	envWorkers = "ORDERLEDGER_INGEST_WORKERS"
	// envSellers: a JSON file, an array of sellers; see ingest.Seller. Default none.
	envSellers = "ORDERLEDGER_SELLERS_FILE"
	// envStrict: "true" refuses notifications for sellers that the file does not list. Default false.
	envStrict = "ORDERLEDGER_SELLERS_STRICT"
	// envDefaultOwn: "true" makes this system the marketplace of sellers that are not listed. Default false.
	envDefaultOwn = "ORDERLEDGER_DEFAULT_SELLER_OWN"
	// envDefaultFulfilment: standard or self_ship, for sellers that are not listed. Default standard.
	envDefaultFulfilment = "ORDERLEDGER_DEFAULT_SELLER_FULFILMENT"
	// envDefaultPackWithin: when labels are due, for sellers that are not listed, such as 30m. Default 30m.
	envDefaultPackWithin = "ORDERLEDGER_DEFAULT_SELLER_PACK_WITHIN"
	// envCurrency: of the amounts in notifications. Default INR.
	envCurrency = "ORDERLEDGER_CURRENCY"

	// envBrokers: host:port of Kafka's brokers, separated by commas. Default 127.0.0.1:9092.
	envBrokers = "ORDERLEDGER_KAFKA_BROKERS"
	// envBootURL: set where Kafka is the embedded broker of another process. Default none.
	envBootURL = "ORDERLEDGER_KAFKA_BOOT_URL"
	// envReplication and envMinISR: of topics that are created. Default 0: the broker's.
	envReplication = "ORDERLEDGER_KAFKA_REPLICATION"
	envMinISR      = "ORDERLEDGER_KAFKA_MIN_ISR"
	// envCluster: the name of the ledger. Default orderledger.
	envCluster = "ORDERLEDGER_CLUSTER"
	// envLanes: the number of lanes of a new ledger, or to refuse a ledger with another. Default 0: take what is there.
	envLanes = "ORDERLEDGER_LANES"

	// envClickHouse: host:port of ClickHouse's native protocol, separated by commas. Default 127.0.0.1:9000.
	envClickHouse = "ORDERLEDGER_CLICKHOUSE_ADDR"
	// envClickHouseDatabase, envClickHouseUser, envClickHousePassword: default orderledger, default and none.
	envClickHouseDatabase = "ORDERLEDGER_CLICKHOUSE_DATABASE"
	envClickHouseUser     = "ORDERLEDGER_CLICKHOUSE_USER"
	envClickHousePassword = "ORDERLEDGER_CLICKHOUSE_PASSWORD" //nolint:gosec // The name of a variable.
	// envClickHouseTLS: "true" encrypts. Default false.
	envClickHouseTLS = "ORDERLEDGER_CLICKHOUSE_TLS"

	// envLogLevel: DEBUG, INFO, WARN or ERROR. Default INFO.
	envLogLevel = "ORDERLEDGER_LOG_LEVEL"
)

const defaultAdmin = "127.0.0.1:9101"

type config struct {
	Kafka      kafka.Config
	ClickHouse clickhouse.Config
	Journal    journal.Config
	Ingest     ingest.Config
	Admin      service.AdminConfig
	LogLevel   slog.Level
}

// environment reads variables and collects what is wrong with them.
type environment struct {
	getenv   func(string) string
	problems []error
}

func (e *environment) text(name string, to *string) {
	if v := e.getenv(name); v != "" {
		*to = v
	}
}

func (e *environment) list(name string, to *[]string) {
	var out []string
	for part := range strings.SplitSeq(e.getenv(name), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	if len(out) > 0 {
		*to = out
	}
}

func (e *environment) number(name string, to *int) {
	if v := e.getenv(name); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			e.problems = append(e.problems, fmt.Errorf("%s: %q is not a number", name, v))
			return
		}
		*to = n
	}
}

func (e *environment) truth(name string, to *bool) {
	switch v := strings.ToLower(e.getenv(name)); v {
	case "":
	case "true", "on", "1", "yes":
		*to = true
	case "false", "off", "0", "no":
		*to = false
	default:
		e.problems = append(e.problems, fmt.Errorf("%s: %q: want true or false", name, v))
	}
}

func (e *environment) duration(name string, to *time.Duration) {
	if v := e.getenv(name); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil {
			e.problems = append(e.problems, fmt.Errorf("%s: %q: want a time, such as 8s", name, v))
			return
		}
		*to = d
	}
}

// defaultInboxKeep leaves room to look at what came lately. Decided notifications are in the decisions and events.
const defaultInboxKeep = 100_000

// readConfig reads the environment and reports every problem at once.
func readConfig(getenv func(string) string) (config, error) {
	e := &environment{getenv: getenv}
	cfg := config{
		Kafka: kafka.DefaultConfig(), ClickHouse: clickhouse.DefaultConfig(), Journal: journal.DefaultConfig(),
		Ingest: ingest.DefaultConfig(), Admin: service.AdminConfig{Addr: defaultAdmin},
	}
	cfg.Kafka.ClientID = "orderledger-ingest"
	e.kafka(&cfg)
	e.clickHouse(&cfg)

	e.text(envAddr, &cfg.Ingest.Addr)
	e.text(envPublicURL, &cfg.Ingest.PublicURL)
	if e.text(envAdmin, &cfg.Admin.Addr); cfg.Admin.Addr == "off" {
		cfg.Admin.Addr = ""
	}
	data := "data"
	e.text(envData, &data)
	cfg.Journal.StoreDir, cfg.Ingest.ResolverDir, cfg.Ingest.BlobDir = data+"/lanes", data+"/resolver", data+"/documents"
	e.text(envDocuments, &cfg.Ingest.BlobDir)
	e.peers(&cfg)
	e.text(envInstance, &cfg.Journal.InstanceID)
	e.duration(envSession, &cfg.Journal.SessionTimeout)
	cfg.Ingest.InstanceID, cfg.Ingest.SessionTimeout = cfg.Journal.InstanceID, cfg.Journal.SessionTimeout
	inboxKeep := defaultInboxKeep
	e.number(envInboxKeep, &inboxKeep)
	cfg.Journal.InboxKeep = int64(inboxKeep)
	e.truth(envWorkers, &cfg.Ingest.Workers)
	e.text(envCurrency, &cfg.Ingest.Marketplace.Currency)
	var perSecond int
	e.number(envRate, &perSecond)
	cfg.Ingest.RatePerSecond = float64(perSecond)
	e.sellers(&cfg.Ingest.Sellers)
	if level := getenv(envLogLevel); level != "" {
		if err := cfg.LogLevel.UnmarshalText([]byte(level)); err != nil {
			e.problems = append(e.problems, fmt.Errorf("%s: %w", envLogLevel, err))
		}
	}

	cfg.Ingest.Cluster, cfg.Journal.Cluster, cfg.Journal.Prefix = cfg.Kafka.Cluster, cfg.Kafka.Cluster, ""
	cfg.Journal.Embedded = cfg.backend() == kafka.Embedded
	// The real number of lanes is known once Kafka has answered; until then any that is valid will do.
	cfg.Ingest.Lanes = max(cfg.Kafka.Lanes, 1)
	cfg.Journal.Lanes = cfg.Ingest.Lanes
	return cfg, errors.Join(append(e.problems,
		cfg.Kafka.Validate(), cfg.ClickHouse.Validate(), cfg.Journal.Validate(), cfg.Ingest.Validate())...)
}

func (e *environment) kafka(cfg *config) {
	e.list(envBrokers, &cfg.Kafka.Brokers)
	e.text(envCluster, &cfg.Kafka.Cluster)
	e.text(envBootURL, &cfg.Kafka.BootURL)
	e.number(envLanes, &cfg.Kafka.Lanes)
	e.number(envMinISR, &cfg.Kafka.MinISR)
	replication := 0
	e.number(envReplication, &replication)
	cfg.Kafka.Replication = int16(min(max(replication, -1), 1<<14))
}

func (e *environment) peers(cfg *config) {
	e.text(envPeerAddr, &cfg.Ingest.Peers.Addr)
	e.text(envPeerURL, &cfg.Ingest.Peers.URL)
	e.list(envPeerSecret, &cfg.Ingest.Peers.Secrets)
	cfg.Journal.Advertise = cfg.Ingest.Peers.URL
	standby := true
	e.truth(envStandby, &standby)
	cfg.Journal.NoStandby = !standby
}

func (e *environment) clickHouse(cfg *config) {
	e.list(envClickHouse, &cfg.ClickHouse.Addrs)
	e.text(envClickHouseDatabase, &cfg.ClickHouse.Database)
	e.text(envClickHouseUser, &cfg.ClickHouse.User)
	e.text(envClickHousePassword, &cfg.ClickHouse.Password)
	e.truth(envClickHouseTLS, &cfg.ClickHouse.TLS)
}

func (e *environment) sellers(cfg *ingest.SellersConfig) {
	if path := e.getenv(envSellers); path != "" {
		data, err := os.ReadFile(path)
		if err == nil {
			cfg.Sellers, err = ingest.UnmarshalSellers(data)
		}
		if err != nil {
			e.problems = append(e.problems, fmt.Errorf("%s: %w", envSellers, err))
		}
	}
	e.truth(envStrict, &cfg.Strict)
	e.truth(envDefaultOwn, &cfg.Default.Own)
	e.text(envDefaultFulfilment, &cfg.Default.Fulfilment)
	if v := e.getenv(envDefaultPackWithin); v != "" {
		d, err := time.ParseDuration(v)
		if err != nil || d < time.Second {
			e.problems = append(e.problems, fmt.Errorf("%s: %q: want a time of a second or more, such as 30m", envDefaultPackWithin, v))
		}
		cfg.Default.PackWithinSeconds = int(d / time.Second)
	}
}

// backend tells an embedded broker, whose topics have other settings, by its boot address.
func (c *config) backend() kafka.Backend {
	if c.Kafka.BootURL != "" {
		return kafka.Embedded
	}
	return kafka.Cluster
}

// masked is the configuration as it may be shown.
func (c *config) masked() map[string]any {
	const mask = "***"
	shown := map[string]any{}
	copied := *c
	if copied.ClickHouse.Password != "" {
		copied.ClickHouse.Password = mask
	}
	copied.ClickHouse.Dial = nil
	sellers := make([]ingest.Seller, len(c.Ingest.Sellers.Sellers))
	for i, s := range c.Ingest.Sellers.Sellers {
		if s.Token != "" {
			s.Token = mask
		}
		if s.NotificationSecret != "" {
			s.NotificationSecret = mask
		}
		tokens := make([]string, len(s.Tokens))
		for j := range tokens {
			tokens[j] = mask
		}
		s.Tokens = tokens
		sellers[i] = s
	}
	copied.Ingest.Sellers.Sellers = sellers
	copied.Ingest.Peers.Secrets = make([]string, len(c.Ingest.Peers.Secrets))
	for i := range copied.Ingest.Peers.Secrets {
		copied.Ingest.Peers.Secrets[i] = mask
	}
	shown["kafka"], shown["journal"], shown["ingest"] = copied.Kafka, copied.Journal, copied.Ingest
	shown["admin"], shown["log_level"] = copied.Admin, copied.LogLevel
	// Its Dial is a function, which has no JSON.
	shown["clickhouse"] = json.RawMessage(fmt.Sprintf(`{"addrs":%s,"database":%q,"user":%q,"password":%q,"tls":%t}`,
		quoted(copied.ClickHouse.Addrs), copied.ClickHouse.Database, copied.ClickHouse.User, copied.ClickHouse.Password, copied.ClickHouse.TLS))
	return shown
}

func quoted(list []string) string {
	text, err := json.Marshal(list)
	if err != nil {
		return "[]" // Strings can be marshalled; this can't happen.
	}
	return string(text)
}
