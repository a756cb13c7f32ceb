package clickhouse

import (
	"context"
	"errors"
	"net"
	"regexp"
	"slices"
	"time"

	"github.com/orderledger/orderledger/internal/setting"
)

// DefaultDatabase is the name of the ledger's database.
const DefaultDatabase = "orderledger"

// Config says how to reach ClickHouse.
type Config struct {
	// Addrs are the servers, host:port of the native protocol, tried in order. At least one.
	Addrs []string
	// Database holds the tables. Empty means DefaultDatabase. Migrate creates it when it does not exist.
	Database string
	// User and Password authenticate. An empty user means "default". Without TLS the password is sent in plain text.
	User     string
	Password setting.Secret
	// TLS encrypts the connections. Off means plain TCP.
	TLS setting.TLS
	// Compression of inserts: "auto", "lz4" or "none". Auto compresses unless every address is on this machine, where it
	// costs more than it saves. Empty means auto.
	Compression string
	// DialTimeout bounds connecting and the handshake. Zero means 10 seconds.
	DialTimeout time.Duration
	// InsertTimeout bounds one insert, on the client and on the server. It must stay far below the deduplication window of
	// the tables, which is days. Zero means 30 seconds.
	InsertTimeout time.Duration
	// Settings are sent with every insert, for example insert_quorum on a replicated cluster.
	Settings map[string]string
	// Dial opens connections in place of the net package, for tunnels and tests. Nil means the net package. With TLS on,
	// TLS runs over these connections.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error) `json:"-"`
}

// DefaultConfig returns the configuration for a server on this machine.
func DefaultConfig() Config {
	return Config{
		Addrs: []string{"127.0.0.1:9000"}, Database: DefaultDatabase, User: "default",
		Compression: "auto", DialTimeout: 10 * time.Second, InsertTimeout: 30 * time.Second,
	}
}

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// Validate returns all problems of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if len(c.Addrs) == 0 {
		errs = append(errs, setting.Invalid(EnvAddr, "at least one host:port is needed"))
	}
	for _, a := range c.Addrs {
		if err := setting.CheckServer(a); err != nil {
			errs = append(errs, setting.Invalid(EnvAddr, "%w", err))
		}
	}
	if !databaseName.MatchString(c.database()) {
		errs = append(errs,
			setting.Invalid(EnvDatabase, "%q: want a letter, then letters, digits or underscores", c.Database))
	}
	if !slices.Contains([]string{"", "auto", "lz4", "none"}, c.Compression) {
		errs = append(errs, setting.Invalid(EnvCompression, "%q: want auto, lz4 or none", c.Compression))
	}
	if c.DialTimeout < 0 || c.InsertTimeout < 0 {
		errs = append(errs, errors.New("clickhouse timeouts: want 0 (the default) or more"))
	}
	return errors.Join(append(errs, c.TLS.Validate(envPrefix))...)
}

func (c Config) database() string {
	if c.Database == "" {
		return DefaultDatabase
	}
	return c.Database
}

func (c Config) user() string {
	if c.User == "" {
		return "default"
	}
	return c.User
}

func (c Config) dialTimeout() time.Duration {
	if c.DialTimeout == 0 {
		return 10 * time.Second
	}
	return c.DialTimeout
}

// InsertLimit returns InsertTimeout, or its default.
func (c Config) InsertLimit() time.Duration {
	if c.InsertTimeout == 0 {
		return 30 * time.Second
	}
	return c.InsertTimeout
}

// dial opens a connection for both client libraries.
func (c Config) dial(ctx context.Context, addr string) (net.Conn, error) {
	open := setting.Dialer(c.Dial)
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, c.dialTimeout())
	defer cancel()
	return c.TLS.Dialer(open, envPrefix)(ctx, "tcp", addr)
}

// compress reports whether inserts are compressed.
func (c Config) compress() bool {
	switch c.Compression {
	case "lz4":
		return true
	case "none":
		return false
	}
	return !c.local()
}

// local reports whether every address is on this machine.
func (c Config) local() bool {
	for _, a := range c.Addrs {
		host, _, _ := net.SplitHostPort(a)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
