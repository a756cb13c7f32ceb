package clickhouse

import (
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Open returns a pool of connections to the ledger's database for DDL and queries. It connects on first use; the caller
// closes it.
func Open(cfg Config) (driver.Conn, error) { return open(cfg, cfg.database()) }

func open(cfg Config, database string) (driver.Conn, error) {
	compression := clickhouse.CompressionNone
	if cfg.compress() {
		compression = clickhouse.CompressionLZ4
	}
	opts := &clickhouse.Options{
		Addr:        cfg.Addrs,
		Auth:        clickhouse.Auth{Database: database, Username: cfg.user(), Password: cfg.Password.Reveal()},
		DialContext: cfg.dial,
		DialTimeout: cfg.dialTimeout(),
		Compression: &clickhouse.Compression{Method: compression},
		// The first address is preferred; the others are used when it is down.
		ConnOpenStrategy: clickhouse.ConnOpenInOrder,
		MaxOpenConns:     8,
		MaxIdleConns:     4,
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("open clickhouse %v: %w", cfg.Addrs, err)
	}
	return conn, nil
}
