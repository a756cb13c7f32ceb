package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

// The environment variables, in addition to those of kafka.Config, clickhouse.Config and service.Settings.
const (
	// envAddr: host:port of the API. Default 127.0.0.1:8080.
	envAddr = "ORDERLEDGER_INGEST_ADDR"
	// envAdmin: host:port of metrics and health. Default 127.0.0.1:9101; "off" serves none.
	envAdmin = "ORDERLEDGER_INGEST_ADMIN_ADDR"
	// envPublicURL: the URL of the API as the marketplace sees it; signatures of notifications cover it. Default: that of
	// the request.
	envPublicURL = "ORDERLEDGER_INGEST_PUBLIC_URL"
	// envData: folder of the lane stores, the pending store of returns, and the documents. Default data.
	envData = "ORDERLEDGER_DATA"
	// envDocuments: folder of the documents; instances may share it. Default documents below envData.
	envDocuments = "ORDERLEDGER_DOCUMENTS"
	// envInstance: id that makes this process a static member of its groups; unique among the running instances. Default
	// none.
	envInstance = "ORDERLEDGER_INGEST_INSTANCE_ID"
	// envSession: how long an instance may be silent before its lanes go to others, such as 6s. Default 8s; the broker
	// enforces a lower bound, group.min.session.timeout.ms, usually 6s.
	envSession = "ORDERLEDGER_INGEST_SESSION_TIMEOUT"
	// envPeerAddr: host:port of the listener for other ingest instances. Default none: the instance is alone.
	envPeerAddr = "ORDERLEDGER_INGEST_PEER_ADDR"
	// envPeerURL: URL at which other instances reach that listener, such as http://10.0.0.7:8081. Required with
	// envPeerAddr.
	envPeerURL = "ORDERLEDGER_INGEST_PEER_URL"
	// envPeerSecret: signs requests between instances; a list, newest first. Required with envPeerAddr.
	envPeerSecret = "ORDERLEDGER_INGEST_PEER_SECRET"
	// envStandby: number of instances that keep a warm copy of a lane beside its owner; "on" reads as 1, "off" as 0.
	// Default 1.
	envStandby = "ORDERLEDGER_INGEST_STANDBY"
	// envRepeatWithin: how long a call without an Idempotency-Key repeats the same call before it, such as 60s; negative
	// for never. Default 1m.
	envRepeatWithin = "ORDERLEDGER_INGEST_REPEAT_WITHIN"
	// envReadTimeout: the most time for the queries of one read, such as 30s. Default 10s.
	envReadTimeout = "ORDERLEDGER_INGEST_READ_TIMEOUT"
	// envConnections: open connections of the API, and of the peer listener; more are answered with 503. Default 8192.
	envConnections = "ORDERLEDGER_INGEST_CONNECTIONS"
	// envBodies: MiB of memory for all bodies being handled, beside the first 16 KiB of each. Default 64.
	envBodies = "ORDERLEDGER_INGEST_BODY_MIB"
	// envRate: items a second that one seller may send in its calls to this instance. Default 1000; 0 means no bound.
	envRate = "ORDERLEDGER_INGEST_RATE"
	// envInboxKeep: number of decided notifications to keep in each inbox partition; older ones are deleted. Default
	// 100000; 0 keeps all.
	envInboxKeep = "ORDERLEDGER_INBOX_KEEP"
	// envCache: MiB of memory for the stores of all lanes. Default 128. Under load the process needs several times that.
	envCache = "ORDERLEDGER_INGEST_CACHE_MIB"
	// envWaitingFacts: how many facts of one sender may wait for one shipment that is not known. Default 1000.
	envWaitingFacts = "ORDERLEDGER_INGEST_WAITING_FACTS"
	// envWaitingBytes: MiB of facts of one sender that may wait for one shipment that is not known. Default 4.
	envWaitingBytes = "ORDERLEDGER_INGEST_WAITING_MIB"
	// envWorkers: "off" leaves packing and resolving to other instances. Default on.
	envWorkers = "ORDERLEDGER_INGEST_WORKERS"
	// envSellers: path of a JSON file with an array of sellers; see sellers.Seller. Default none.
	envSellers = "ORDERLEDGER_SELLERS_FILE"
	// envOpen: "true" accepts notifications without a signature or a notification token, except for listed sellers that
	// have one. Default false: then every notification proves itself, and only listed sellers have any.
	envOpen = "ORDERLEDGER_INGEST_OPEN"
	// envStrict is the name that envOpen replaces.
	envStrict = "ORDERLEDGER_SELLERS_STRICT"
	// envOperator: bearer token of /progress and /decisions/summary on the API; at least 16 bytes. Default none: then only
	// the admin address serves them, unless intake is open. Read from the file that ORDERLEDGER_INGEST_OPERATOR_TOKEN_FILE
	// names, if that is set.
	envOperator = "ORDERLEDGER_INGEST_OPERATOR_TOKEN"
	// envDefaultOwn: "true" makes this system the marketplace of sellers that are not listed. Default false.
	envDefaultOwn = "ORDERLEDGER_DEFAULT_SELLER_OWN"
	// envDefaultFulfilment: standard or self_ship, for sellers that are not listed. Default standard.
	envDefaultFulfilment = "ORDERLEDGER_DEFAULT_SELLER_FULFILMENT"
	// envDefaultPackWithin: how long after a request for labels they are due, for sellers that are not listed. Default
	// 30m.
	envDefaultPackWithin = "ORDERLEDGER_DEFAULT_SELLER_PACK_WITHIN"
	// envCurrency: currency of the amounts in notifications. Default INR.
	envCurrency = "ORDERLEDGER_CURRENCY"
)

const defaultAdmin = "127.0.0.1:9101"

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

type config struct {
	Kafka      kafka.Config
	ClickHouse clickhouse.Config
	Journal    journal.Config
	Ingest     ingest.Config
	// SellersFile is the file that Ingest.Sellers were read from; it is reloaded. Empty means none.
	SellersFile string
	service.Settings
}

// defaultInboxKeep keeps recent notifications for debugging. The ledger does not need them once they are decided.
const defaultInboxKeep = 100_000

// readConfig reads the environment and reports every problem at once.
func readConfig(getenv func(string) string) (config, error) { return read(setting.NewReader(getenv)) }

func read(e *setting.Reader) (config, error) {
	cfg := config{
		Kafka: kafka.DefaultConfig(), ClickHouse: clickhouse.DefaultConfig(), Journal: journal.DefaultConfig(),
		Ingest: ingest.DefaultConfig(),
	}
	cfg.Kafka.ClientID = "orderledger-ingest"
	cfg.Kafka.Read(e)
	cfg.ClickHouse.Read(e)

	e.Text(envAddr, &cfg.Ingest.Addr)
	e.Text(envPublicURL, &cfg.Ingest.PublicURL)
	data := "data"
	e.Text(envData, &data)
	cfg.Journal.StoreDir, cfg.Ingest.ResolverDir, cfg.Ingest.BlobDir = data+"/lanes", data+"/resolver", data+"/documents"
	e.Text(envDocuments, &cfg.Ingest.BlobDir)
	readPeers(e, &cfg)
	e.Text(envInstance, &cfg.Journal.InstanceID)
	e.Duration(envSession, &cfg.Journal.SessionTimeout)
	cfg.Ingest.InstanceID, cfg.Ingest.SessionTimeout = cfg.Journal.InstanceID, cfg.Journal.SessionTimeout
	inboxKeep := defaultInboxKeep
	e.Number(envInboxKeep, &inboxKeep)
	cfg.Journal.InboxKeep = int64(inboxKeep)
	cacheMiB := int(cfg.Journal.CacheBytes >> 20)
	e.Number(envCache, &cacheMiB)
	cfg.Journal.CacheBytes = int64(cacheMiB) << 20
	e.Number(envWaitingFacts, &cfg.Journal.WaitingCount)
	waitingMiB := cfg.Journal.WaitingBytes >> 20
	e.Number(envWaitingBytes, &waitingMiB)
	cfg.Journal.WaitingBytes = waitingMiB << 20
	e.Truth(envWorkers, &cfg.Ingest.Workers)
	e.Text(envCurrency, &cfg.Ingest.Marketplace.Currency)
	if c := cfg.Ingest.Marketplace.Currency; c != "" && !currencyCode.MatchString(c) {
		e.Bad(envCurrency, "%q: want the three capital letters of ISO 4217, such as INR", c)
	}
	e.Duration(envReadTimeout, &cfg.Ingest.ReadTimeout)
	e.Number(envConnections, &cfg.Ingest.MaxConnections)
	bodiesMiB := int(cfg.Ingest.BodyBytes >> 20)
	e.Number(envBodies, &bodiesMiB)
	cfg.Ingest.BodyBytes = int64(bodiesMiB) << 20
	perSecond := int(cfg.Ingest.RatePerSecond)
	e.Number(envRate, &perSecond)
	cfg.Ingest.RatePerSecond, cfg.Ingest.Burst = float64(perSecond), perSecond
	cfg.SellersFile = e.Get(envSellers)
	readSellers(e, &cfg.Ingest.Sellers)
	e.Secret(envOperator, &cfg.Ingest.OperatorToken)
	cfg.Settings.Read(e, envAdmin, defaultAdmin)

	cfg.Ingest.Cluster, cfg.Journal.Cluster, cfg.Journal.Prefix = cfg.Kafka.Cluster, cfg.Kafka.Cluster, ""
	cfg.Journal.Embedded = cfg.Kafka.Backend() == kafka.Embedded
	// Kafka knows the real number of lanes, and is asked later. Validate only needs a valid one.
	cfg.Ingest.Lanes = max(cfg.Kafka.Lanes, 1)
	cfg.Journal.Lanes = cfg.Ingest.Lanes
	return cfg, errors.Join(append(e.Problems(),
		cfg.Kafka.Validate(), cfg.ClickHouse.Validate(), cfg.Journal.Validate(), cfg.Ingest.Validate())...)
}

func readPeers(e *setting.Reader, cfg *config) {
	e.Text(envPeerAddr, &cfg.Ingest.Peers.Addr)
	e.Text(envPeerURL, &cfg.Ingest.Peers.URL)
	var secrets []string
	e.SecretList(envPeerSecret, &secrets)
	for _, s := range secrets {
		cfg.Ingest.Peers.Secrets = append(cfg.Ingest.Peers.Secrets, setting.NewSecret(s))
	}
	cfg.Journal.Advertise = cfg.Ingest.Peers.URL
	e.Duration(envRepeatWithin, &cfg.Journal.RepeatWithin)
	switch v := strings.ToLower(e.Get(envStandby)); v {
	case "on":
		cfg.Journal.Standbys = 1
	case "off":
		cfg.Journal.Standbys = 0
	default:
		e.Number(envStandby, &cfg.Journal.Standbys)
	}
}

func readSellers(e *setting.Reader, cfg *sellers.Config) {
	if path := e.Get(envSellers); path != "" {
		data, err := os.ReadFile(path)
		if err == nil {
			if cfg.Sellers, err = sellers.Unmarshal(data); err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
		}
		if err != nil {
			e.Bad(envSellers, "%w", err)
		}
	}
	e.Truth(envOpen, &cfg.Open)
	if e.Get(envStrict) != "" {
		e.Bad(envStrict, "it is gone: intake is strict unless %s=true; remove the old variable", envOpen)
	}
	e.Truth(envDefaultOwn, &cfg.Default.Own)
	e.Text(envDefaultFulfilment, &cfg.Default.Fulfilment)
	packWithin := time.Duration(cfg.Default.PackWithinSeconds) * time.Second
	if e.Duration(envDefaultPackWithin, &packWithin); packWithin != 0 && packWithin < time.Second {
		e.Bad(envDefaultPackWithin, "%s: want a second or more", packWithin)
	}
	cfg.Default.PackWithinSeconds = int(packWithin / time.Second)
}
