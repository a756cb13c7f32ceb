package clickhouse

import (
	"errors"
	"fmt"
	"net"
	"time"
)

// Config says where the server keeps its data and where it listens. New replaces zero values by the documented
// defaults.
type Config struct {
	// DataDir is the folder of all data; it is created when it does not exist. One process uses it at a time.
	DataDir string
	// NativeAddr is the address of the native protocol. Port 0 takes a free one. An empty host is refused, because it
	// would mean every interface: an address that other machines reach must be written out.
	NativeAddr string
	// HTTPAddr is the address of the HTTP interface, like NativeAddr. Empty serves no HTTP.
	HTTPAddr string
	// Library is the path of the engine's library. Empty means that of engine.Locate.
	Library string
	// Database is created at start when it does not exist. Empty creates none. A client that names no database still gets
	// "default", as with any ClickHouse.
	Database string
	// User and Password are the credentials for both protocols. An empty user means "default".
	User, Password string
	// MaxSessions bounds native connections and running HTTP requests together; further ones are refused with ClickHouse's
	// "too many simultaneous queries". Zero means 256.
	MaxSessions int
	// TempDir holds inserts that are too large for memory. Empty means a folder inside DataDir.
	TempDir string
	// MaxMemoryInsertBytes is how much of one insert is held in memory before it moves to TempDir. Zero means 64 MiB.
	MaxMemoryInsertBytes int64
	// MaxMemoryBytes bounds the memory of all queries and caches of the engine together. Zero means 512 MiB.
	MaxMemoryBytes int64
	// StopTimeout is how long Close waits for running queries before it kills them. Zero means 10 seconds.
	StopTimeout time.Duration
}

// DefaultConfig returns the configuration for both protocols on ClickHouse's usual ports of the loopback interface,
// with the user "default" and no password.
func DefaultConfig() Config {
	return Config{
		DataDir:              "data/clickhouse",
		NativeAddr:           "127.0.0.1:9000",
		HTTPAddr:             "127.0.0.1:8123",
		User:                 "default",
		MaxSessions:          256,
		MaxMemoryInsertBytes: 64 << 20,
		MaxMemoryBytes:       512 << 20,
		StopTimeout:          10 * time.Second,
	}
}

// Validate returns every problem of the configuration, joined.
func (c Config) Validate() error {
	var errs []error
	if c.DataDir == "" {
		errs = append(errs, errors.New("clickhouse data folder is empty"))
	}
	if err := validateAddr(c.NativeAddr); err != nil {
		errs = append(errs, fmt.Errorf("clickhouse native address %q: %w", c.NativeAddr, err))
	}
	if c.HTTPAddr != "" {
		if err := validateAddr(c.HTTPAddr); err != nil {
			errs = append(errs, fmt.Errorf("clickhouse http address %q: %w", c.HTTPAddr, err))
		}
	}
	for name, v := range map[string]int64{
		"max sessions": int64(c.MaxSessions), "max memory insert bytes": c.MaxMemoryInsertBytes,
		"max memory bytes": c.MaxMemoryBytes, "stop timeout": int64(c.StopTimeout),
	} {
		if v < 0 {
			errs = append(errs, fmt.Errorf("clickhouse %s is negative", name))
		}
	}
	return errors.Join(errs...)
}

func validateAddr(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if host == "" {
		return errors.New("no host: use 127.0.0.1, or 0.0.0.0 to serve other machines")
	}
	return nil
}

// withDefaults replaces zero values by their defaults.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if c.User == "" {
		c.User = d.User
	}
	if c.MaxSessions == 0 {
		c.MaxSessions = d.MaxSessions
	}
	if c.MaxMemoryInsertBytes == 0 {
		c.MaxMemoryInsertBytes = d.MaxMemoryInsertBytes
	}
	if c.MaxMemoryBytes == 0 {
		c.MaxMemoryBytes = d.MaxMemoryBytes
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = d.StopTimeout
	}
	return c
}
