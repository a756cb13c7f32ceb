package main

import (
	"errors"
	"os"
	"time"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

// The environment variables, beside those of kafka.Config and clickhouse.Config.
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
	envPeerSecret = "ORDERLEDGER_INGEST_PEER_SECRET"
	// envStandby: "off" does not follow the lanes of other instances. Default on.
	envStandby = "ORDERLEDGER_INGEST_STANDBY"
	// envRate: calls a second that one seller may make. Default 0: no bound.
	envRate = "ORDERLEDGER_INGEST_RATE"
	// envInboxKeep: decided notifications that each lane leaves in its inbox partition; older ones are deleted. Default
	// 100000; 0 keeps all.
	envInboxKeep = "ORDERLEDGER_INBOX_KEEP"
	// envCache: MiB of memory for the stores of all lanes. Default 128. The process takes several times that under load.
	envCache = "ORDERLEDGER_INGEST_CACHE_MIB"
	// envWorkers: "off" leaves packing and resolving to other instances. Default on.
	envWorkers = "ORDERLEDGER_INGEST_WORKERS"
	// envSellers: a JSON file, an array of sellers; see sellers.Seller. Default none.
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
)

const defaultAdmin = "127.0.0.1:9101"

type config struct {
	Kafka      kafka.Config
	ClickHouse clickhouse.Config
	Journal    journal.Config
	Ingest     ingest.Config
	service.Settings
}

// defaultInboxKeep leaves room to look at what came lately. Decided notifications are in the decisions and events.
const defaultInboxKeep = 100_000

// readConfig reads the environment and reports every problem at once.
func readConfig(getenv func(string) string) (config, error) {
	e := setting.NewReader(getenv)
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
	e.Truth(envWorkers, &cfg.Ingest.Workers)
	e.Text(envCurrency, &cfg.Ingest.Marketplace.Currency)
	var perSecond int
	e.Number(envRate, &perSecond)
	cfg.Ingest.RatePerSecond = float64(perSecond)
	readSellers(e, &cfg.Ingest.Sellers)
	cfg.Settings.Read(e, envAdmin, defaultAdmin)

	cfg.Ingest.Cluster, cfg.Journal.Cluster, cfg.Journal.Prefix = cfg.Kafka.Cluster, cfg.Kafka.Cluster, ""
	cfg.Journal.Embedded = cfg.Kafka.Backend() == kafka.Embedded
	// The real number of lanes is known once Kafka has answered; until then any that is valid will do.
	cfg.Ingest.Lanes = max(cfg.Kafka.Lanes, 1)
	cfg.Journal.Lanes = cfg.Ingest.Lanes
	return cfg, errors.Join(append(e.Problems(),
		cfg.Kafka.Validate(), cfg.ClickHouse.Validate(), cfg.Journal.Validate(), cfg.Ingest.Validate())...)
}

func readPeers(e *setting.Reader, cfg *config) {
	e.Text(envPeerAddr, &cfg.Ingest.Peers.Addr)
	e.Text(envPeerURL, &cfg.Ingest.Peers.URL)
	var secrets []string
	e.List(envPeerSecret, &secrets)
	for _, s := range secrets {
		cfg.Ingest.Peers.Secrets = append(cfg.Ingest.Peers.Secrets, setting.NewSecret(s))
	}
	cfg.Journal.Advertise = cfg.Ingest.Peers.URL
	standby := true
	e.Truth(envStandby, &standby)
	cfg.Journal.NoStandby = !standby
}

func readSellers(e *setting.Reader, cfg *sellers.Config) {
	if path := e.Get(envSellers); path != "" {
		data, err := os.ReadFile(path)
		if err == nil {
			cfg.Sellers, err = sellers.Unmarshal(data)
		}
		if err != nil {
			e.Bad(envSellers, "%w", err)
		}
	}
	e.Truth(envStrict, &cfg.Strict)
	e.Truth(envDefaultOwn, &cfg.Default.Own)
	e.Text(envDefaultFulfilment, &cfg.Default.Fulfilment)
	packWithin := time.Duration(cfg.Default.PackWithinSeconds) * time.Second
	if e.Duration(envDefaultPackWithin, &packWithin); packWithin != 0 && packWithin < time.Second {
		e.Bad(envDefaultPackWithin, "%s: want a second or more", packWithin)
	}
	cfg.Default.PackWithinSeconds = int(packWithin / time.Second)
}
