package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/bojanz/currency"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/ingest"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/journal/membership"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

// The environment variables, in addition to those of kafka.Config, clickhouse.Config and service.Settings. Their
// meanings are where they are read.
const (
	envAddr              = ingest.EnvAddr
	envPublicURL         = ingest.EnvPublicURL
	envPeerAddr          = peer.EnvAddr
	envPeerURL           = peer.EnvURL
	envPeerSecret        = peer.EnvSecret
	envSession           = journal.EnvSessionTimeout
	envStandby           = journal.EnvStandbys
	envRepeatWithin      = journal.EnvRepeatWithin
	envReadTimeout       = ingest.EnvReadTimeout
	envConnections       = ingest.EnvConnections
	envBodies            = ingest.EnvBodies
	envRate              = ingest.EnvRate
	envInboxKeep         = journal.EnvInboxKeep
	envCache             = journal.EnvCache
	envWaitingFacts      = journal.EnvWaitingCount
	envWaitingBytes      = journal.EnvWaitingBytes
	envOperator          = ingest.EnvOperatorToken
	envAdmin             = "ORDERLEDGER_INGEST_ADMIN_ADDR"
	envInstance          = membership.EnvInstanceID
	envWorkers           = "ORDERLEDGER_INGEST_WORKERS"
	envData              = "ORDERLEDGER_DATA"
	envDocuments         = "ORDERLEDGER_DOCUMENTS"
	envSellers           = "ORDERLEDGER_SELLERS_FILE"
	envOpen              = "ORDERLEDGER_INGEST_OPEN"
	envDefaultOwn        = "ORDERLEDGER_DEFAULT_SELLER_OWN"
	envDefaultFulfilment = "ORDERLEDGER_DEFAULT_SELLER_FULFILMENT"
	envDefaultPackWithin = "ORDERLEDGER_DEFAULT_SELLER_PACK_WITHIN"
	envCurrency          = "ORDERLEDGER_CURRENCY"
	// envStrict is the name that envOpen replaces.
	envStrict = "ORDERLEDGER_SELLERS_STRICT"
)

const defaultAdmin = "127.0.0.1:9101"

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

// read reads the environment and reports every problem at once.
func read(e *setting.Reader) (config, error) {
	cfg := config{
		Kafka: kafka.DefaultConfig(), ClickHouse: clickhouse.DefaultConfig(), Journal: journal.DefaultConfig(),
		Ingest: ingest.DefaultConfig(),
	}
	cfg.Kafka.ClientID = "orderledger-ingest"
	cfg.Kafka.Read(e)
	cfg.ClickHouse.Read(e)
	e.Text(envAddr, &cfg.Ingest.Addr, "listen address of the API, host:port")
	cfg.Settings.Read(e, envAdmin, defaultAdmin)
	e.Text(envPublicURL, &cfg.Ingest.PublicURL, "URL under which the marketplace calls the API; signatures of "+
		"notifications cover it. None: that of the request")
	readInstance(e, &cfg)
	readBounds(e, &cfg)
	readFolders(e, &cfg)
	readSellers(e, &cfg)
	e.Text(envCurrency, &cfg.Ingest.Marketplace.Currency, "currency of the amounts in notifications, as in ISO 4217")
	if c := cfg.Ingest.Marketplace.Currency; !currency.IsValid(c) {
		e.Bad(envCurrency, "%q is no currency: want the three capital letters of ISO 4217, such as INR", c)
	}

	cfg.Ingest.Cluster, cfg.Journal.Cluster, cfg.Journal.Prefix = cfg.Kafka.Cluster, cfg.Kafka.Cluster, ""
	cfg.Journal.Embedded = cfg.Kafka.Backend() == kafka.Embedded
	// Kafka knows the real number of lanes, and is asked later. Validate only needs a valid one.
	cfg.Ingest.Lanes = min(max(cfg.Kafka.Lanes, 1), kafka.MaxLanes)
	cfg.Journal.Lanes = cfg.Ingest.Lanes
	return cfg, errors.Join(append(e.Problems(),
		cfg.Kafka.Validate(), cfg.ClickHouse.Validate(), cfg.Journal.Validate(), cfg.Ingest.Validate())...)
}

// readInstance reads how the instance shares the work with others.
func readInstance(e *setting.Reader, cfg *config) {
	e.Text(envInstance, &cfg.Journal.InstanceID, "makes the instance a static member of its groups, which keeps its "+
		"lanes over a short restart; unique among running instances")
	e.Text(envPeerAddr, &cfg.Ingest.Peers.Addr,
		"listen address for other ingest instances, host:port. None: the instance works alone")
	e.Text(envPeerURL, &cfg.Ingest.Peers.URL,
		"URL at which other instances reach that listener, such as http://10.0.0.7:8081")
	var secrets []string
	e.SecretList(envPeerSecret, &secrets,
		"secrets that sign requests between instances, a list, newest first; at least 16 bytes each")
	for _, s := range secrets {
		cfg.Ingest.Peers.Secrets = append(cfg.Ingest.Peers.Secrets, setting.NewSecret(s))
	}
	cfg.Journal.Advertise = cfg.Ingest.Peers.URL
	e.Duration(envSession, &cfg.Journal.SessionTimeout, "without a heartbeat for this long, the group "+
		"assigns the instance's lanes to others; at least the broker's `group.min.session.timeout.ms`, usually 6s")
	cfg.Ingest.InstanceID, cfg.Ingest.SessionTimeout = cfg.Journal.InstanceID, cfg.Journal.SessionTimeout
	e.Word(envStandby, (*standbys)(&cfg.Journal.Standbys), "standbys of each lane: instances that read it and "+
		"can take it over at once; the highest number among the instances counts. `on` is 1, `off` is 0")
	e.Truth(envWorkers, &cfg.Ingest.Workers, "`false` leaves packing and resolving to other instances")
}

// readBounds reads how much the instance takes and keeps.
func readBounds(e *setting.Reader, cfg *config) {
	e.Duration(envRepeatWithin, &cfg.Journal.RepeatWithin, "how long a call without `Idempotency-Key` gets the "+
		"first answer, if the seller sends the same for a shipment again. Negative: never")
	e.Duration(envReadTimeout, &cfg.Ingest.ReadTimeout,
		"most time for the queries of a read, and for finding the returns and services of a call")
	e.Number(envConnections, &cfg.Ingest.MaxConnections,
		"open connections of the API, and of the listener for other instances; those beyond get 503")
	mebibytes(e, envBodies, &cfg.Ingest.BodyBytes, "MiB of memory for the bodies of all requests in hand, beside "+
		"the first 16 KiB of each; larger bodies beyond it get 503")
	perSecond := int(cfg.Ingest.RatePerSecond)
	e.Number(envRate, &perSecond, "items per second that a seller may send in its calls to this instance; beyond "+
		"it they get 429. 0: no limit")
	cfg.Ingest.RatePerSecond, cfg.Ingest.Burst = float64(perSecond), perSecond
	inboxKeep := defaultInboxKeep
	e.Number(envInboxKeep, &inboxKeep,
		"decided notifications that a lane leaves in its inbox partition; it deletes older ones. 0: it deletes none")
	cfg.Journal.InboxKeep = int64(inboxKeep)
	mebibytes(e, envCache, &cfg.Journal.CacheBytes, "MiB of memory for the stores of all lanes")
	e.Number(envWaitingFacts, &cfg.Journal.WaitingCount,
		"facts of one sender that may wait for one shipment that is not created yet")
	waiting := int64(cfg.Journal.WaitingBytes)
	mebibytes(e, envWaitingBytes, &waiting, "the same for the bytes of these facts, in MiB")
	cfg.Journal.WaitingBytes = int(waiting)
}

// mebibytes reads a number of MiB.
func mebibytes(e *setting.Reader, name string, to *int64, meaning string) {
	n := int(*to >> 20)
	e.Number(name, &n, meaning)
	*to = int64(n) << 20
}

// readFolders reads where the instance keeps its files.
func readFolders(e *setting.Reader, cfg *config) {
	data := "data"
	e.Text(envData, &data, "folder of lane stores, the resolver's store and documents; each instance has its own")
	cfg.Journal.StoreDir, cfg.Ingest.ResolverDir = data+"/lanes", data+"/resolver"
	documents := ""
	e.Text(envDocuments, &documents,
		"folder of documents, which instances may share. None: `documents` in the folder above")
	cfg.Ingest.BlobDir = cmp.Or(documents, data+"/documents")
}

// readSellers reads whose notifications and calls are taken.
func readSellers(e *setting.Reader, cfg *config) {
	e.Text(envSellers, &cfg.SellersFile, "JSON file of sellers, their tokens and settings; reloaded when it changes")
	all := &cfg.Ingest.Sellers
	if cfg.SellersFile != "" {
		data, err := os.ReadFile(cfg.SellersFile)
		if err == nil {
			if all.Sellers, err = sellers.Unmarshal(data); err != nil {
				err = fmt.Errorf("%s: %w", cfg.SellersFile, err)
			}
		}
		if err != nil {
			e.Bad(envSellers, "%w", err)
		}
		all.File = envSellers + ": " + cfg.SellersFile
	}
	e.Truth(envOpen, &all.Open, "`true` accepts notifications without a signature or notification token, except of "+
		"listed sellers that have one")
	e.Gone(envStrict, "intake is strict unless "+envOpen+"=true; remove the old variable")
	e.Secret(envOperator, &cfg.Ingest.OperatorToken,
		"bearer token of /progress and /decisions/summary at the API, at least 16 bytes. None: they answer nobody there, "+
			"or everybody if intake is open")
	e.Truth(envDefaultOwn, &all.Default.Own, "`true` makes this system the marketplace of sellers that are not listed")
	all.Default.Fulfilment = "standard"
	e.Text(envDefaultFulfilment, &all.Default.Fulfilment,
		"`standard` or `self_ship`, for shipments of sellers that are not listed")
	if err := sellers.CheckFulfilment(all.Default.Fulfilment); err != nil {
		e.Bad(envDefaultFulfilment, "%w", err)
		all.Default.Fulfilment = ""
	}
	packWithin := sellers.DefaultPackWithin
	e.Duration(envDefaultPackWithin, &packWithin,
		"how long after the request for labels they are due, for sellers that are not listed")
	if packWithin < time.Second {
		e.Bad(envDefaultPackWithin, "%s: want a second or more", packWithin)
		packWithin = sellers.DefaultPackWithin
	}
	all.Default.PackWithinSeconds = int(packWithin / time.Second)
}

// standbys is a number, or "on" for one and "off" for none.
type standbys int

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *standbys) UnmarshalText(text []byte) error {
	switch v := strings.ToLower(string(text)); v {
	case "on":
		*s = 1
	case "off":
		*s = 0
	default:
		n, err := strconv.Atoi(v)
		if err != nil {
			return fmt.Errorf("%q: want a number, on or off", v)
		}
		*s = standbys(n)
	}
	return nil
}

// String implements fmt.Stringer.
func (s *standbys) String() string { return strconv.Itoa(int(*s)) }
