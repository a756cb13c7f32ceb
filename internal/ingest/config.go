package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/journal"
	"github.com/orderledger/orderledger/internal/marketplace"
	"github.com/orderledger/orderledger/internal/peer"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/setting"
)

// The variables that set fields of Config; cmd/ingest reads them.
const (
	EnvAddr          = "ORDERLEDGER_INGEST_ADDR"
	EnvOperatorToken = "ORDERLEDGER_INGEST_OPERATOR_TOKEN"
	EnvReadTimeout   = "ORDERLEDGER_INGEST_READ_TIMEOUT"
	EnvPublicURL     = "ORDERLEDGER_INGEST_PUBLIC_URL"
	EnvConnections   = "ORDERLEDGER_INGEST_CONNECTIONS"
	EnvBodies        = "ORDERLEDGER_INGEST_BODY_MIB"
	EnvRate          = "ORDERLEDGER_INGEST_RATE"
)

// Config says where an instance listens, which sellers it serves and within which bounds. It has many fields because
// operators configure an instance in one place; New divides them among the parts.
type Config struct {
	// Addr is host:port to listen on. Port 0 takes a free one. Empty listens nowhere: the caller serves Handler itself.
	Addr string
	// Cluster names the ledger: consumer groups carry it.
	Cluster string
	// LedgerID is the id of the ledger's layout. Tables of another ledger answer no reads. Empty checks nothing.
	LedgerID string
	// Lanes is the number of lanes, and of the partitions of each topic.
	Lanes int
	// Sellers lists the sellers that may call, and their policies.
	Sellers sellers.Config
	// OperatorToken is the bearer token of GET /progress and GET /decisions/summary. Without one they answer anybody if
	// intake is open, and nobody otherwise; HandleOperations mounts them on an address that only operators reach.
	OperatorToken setting.Secret
	// Marketplace says how bodies are read.
	Marketplace marketplace.Settings
	// MaxBodyBytes is the size of the largest body that is read. Zero means 1 MiB.
	MaxBodyBytes int64
	// NotificationTimeout bounds storing a notification in Kafka. Zero means 20 seconds.
	NotificationTimeout time.Duration
	// CommandTimeout bounds deciding a call. Zero means 30 seconds: clients of the order API wait 60.
	CommandTimeout time.Duration
	// PositionTimeout is how long a read waits for the position that it asks for. Zero means 10 seconds.
	PositionTimeout time.Duration
	// ReadTimeout bounds the queries of one read, and those with which a call finds its shipments. Beyond it the answer is
	// 503 and ClickHouse stops working on the query. Zero means 10 seconds.
	ReadTimeout time.Duration
	// LookupTimeout is how long a call waits for the tables to reach the end of the ledger if they lack a return or
	// service that it names. Zero means 2 seconds.
	LookupTimeout time.Duration
	// SignatureWindow is how far the date of a signed notification may be from now, either way. Zero means 15 minutes.
	SignatureWindow time.Duration
	// PublicURL is the URL of this service as the marketplace sees it, such as https://orders.example.com. Signatures of
	// notifications cover it. Empty means the URL of the request.
	PublicURL string
	// BlobDir is the folder of the documents. Empty means "documents".
	BlobDir string
	// ResolverDir is the folder of the resolver's pending store, which is a cache. Empty means "resolver".
	ResolverDir string
	// UnresolvedLimit is how long a notification of an unknown return waits for its shipment. After that the ledger
	// records it as waiting under the return's id, and quarantines it in the end. Zero means seven days.
	UnresolvedLimit time.Duration
	// MaxConnections bounds the open connections of the API, and those of the peer listener; the others are answered with
	// 503. Zero means 8192.
	MaxConnections int
	// BodyBytes bounds the memory of all bodies being handled, beside the first 16 KiB of each. Zero means 64 MiB.
	BodyBytes int64
	// RatePerSecond and Burst bound the items of the calls of one seller at this instance; a call without items, such as a
	// read, counts as one. A rate of zero means no bound; a burst of zero means the items of one second.
	RatePerSecond float64
	Burst         int
	// Peers says how this instance and the other ones reach one another.
	Peers peer.Config
	// Workers says whether this instance packs and resolves. Any number of instances may.
	Workers bool
	// InstanceID makes the workers static members of their groups, so that a restart within SessionTimeout moves nothing.
	// It must be unique and stable. Empty means dynamic members.
	InstanceID string
	// SessionTimeout is how long a worker may be silent before its group gives its partitions to others. Zero means 8
	// seconds.
	SessionTimeout time.Duration
}

// DefaultConfig returns the configuration of a service on this machine.
func DefaultConfig() Config {
	return Config{
		Addr: "127.0.0.1:8080", Cluster: "orderledger", Marketplace: marketplace.DefaultSettings(), Workers: true,
		RatePerSecond: defaultRate,
	}.withDefaults()
}

// defaultRate is far above what a seller's own programs need, and far below what an instance decides.
const defaultRate = 1000

func (c Config) withDefaults() Config {
	orElse(&c.Cluster, "orderledger")
	orElse(&c.MaxBodyBytes, 1<<20)
	orElse(&c.NotificationTimeout, 20*time.Second)
	orElse(&c.CommandTimeout, 30*time.Second)
	orElse(&c.PositionTimeout, 10*time.Second)
	orElse(&c.ReadTimeout, 10*time.Second)
	orElse(&c.LookupTimeout, 2*time.Second)
	orElse(&c.MaxConnections, 8192)
	orElse(&c.BodyBytes, httpx.DefaultBodyBytes)
	orElse(&c.SignatureWindow, 15*time.Minute)
	orElse(&c.BlobDir, "documents")
	orElse(&c.ResolverDir, "resolver")
	orElse(&c.UnresolvedLimit, 7*24*time.Hour)
	orElse(&c.SessionTimeout, 8*time.Second)
	c.Peers = c.Peers.WithDefaults()
	if c.RatePerSecond > 0 {
		orElse(&c.Burst, max(1, int(c.RatePerSecond)))
	}
	return c
}

// orElse replaces a zero value.
func orElse[T comparable](v *T, otherwise T) { *v = cmp.Or(*v, otherwise) }

// minOperatorToken is the size of a token that nobody can guess.
const minOperatorToken = 16

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.Addr != "" {
		if err := setting.CheckListener(c.Addr); err != nil {
			bad("%s: %w", EnvAddr, err)
		}
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			bad("%s: %q: want http:// or https:// with a host", EnvPublicURL, c.PublicURL)
		}
	}
	if c.Lanes < 1 {
		bad("ingest lanes %d: want 1 or more", c.Lanes)
	}
	if c.MaxBodyBytes < 0 || c.MaxBodyBytes > 2<<20 {
		bad("ingest body of %d bytes: want 0 (1 MiB) to 2 MiB, the most that an inbox record and a decision can hold",
			c.MaxBodyBytes)
	}
	for name, d := range map[string]time.Duration{
		"ingest notification timeout": c.NotificationTimeout, "ingest command timeout": c.CommandTimeout,
		"ingest position timeout": c.PositionTimeout, EnvReadTimeout: c.ReadTimeout,
		"ingest lookup timeout": c.LookupTimeout, "ingest signature window": c.SignatureWindow,
		"ingest unresolved limit": c.UnresolvedLimit, journal.EnvSessionTimeout: c.SessionTimeout,
	} {
		if d < 0 {
			bad("%s: %s: want 0 (the default) or more", name, d)
		}
	}
	if c.MaxConnections < 0 {
		bad("%s: %d: want 0 (8192) or more", EnvConnections, c.MaxConnections)
	}
	if c.BodyBytes < 0 {
		bad("%s: %d: want 0 (64) or more", EnvBodies, c.BodyBytes>>20)
	}
	if c.RatePerSecond < 0 || c.Burst < 0 {
		bad("%s: %g: want 0 (no bound) or more", EnvRate, c.RatePerSecond)
	}
	if token := c.OperatorToken.Reveal(); token != "" {
		if len(token) < minOperatorToken {
			bad("%s: a token of %d bytes: want %d or more, such as those of `openssl rand -hex 32`",
				EnvOperatorToken, len(token), minOperatorToken)
		}
		if d := sellers.New(c.Sellers); d.Authenticate(token) != nil || d.NotificationToken(token) != nil {
			bad("%s: it is a token of a seller too: want different ones", EnvOperatorToken)
		}
	}
	return errors.Join(append(problems, c.Sellers.Validate(), c.Peers.Validate())...)
}
