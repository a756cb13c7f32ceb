package clickhouse

import (
	"strings"

	"github.com/orderledger/orderledger/internal/setting"
)

// The variables that every program reads for ClickHouse. Read has their meanings.
const (
	EnvAddr        = "ORDERLEDGER_CLICKHOUSE_ADDR"
	EnvDatabase    = "ORDERLEDGER_CLICKHOUSE_DATABASE"
	EnvUser        = "ORDERLEDGER_CLICKHOUSE_USER"
	EnvPassword    = "ORDERLEDGER_CLICKHOUSE_PASSWORD" //nolint:gosec // The name of a variable.
	EnvCompression = "ORDERLEDGER_CLICKHOUSE_COMPRESSION"
	EnvSettings    = "ORDERLEDGER_CLICKHOUSE_INSERT_SETTINGS"

	// envPrefix is the prefix of the variables of TLS; see setting.TLS.
	envPrefix = "ORDERLEDGER_CLICKHOUSE"
)

// Read reads the variables. A variable that is not set leaves its field unchanged.
func (c *Config) Read(e *setting.Reader) {
	e.List(EnvAddr, &c.Addrs, "servers, a list of host:port of the native protocol, tried in order")
	e.Text(EnvDatabase, &c.Database, "database of the tables")
	e.Text(EnvUser, &c.User, "user")
	e.Secret(EnvPassword, &c.Password, "password of the user")
	c.TLS.Read(e, envPrefix)
	e.Text(EnvCompression, &c.Compression, "compression of the projector's inserts: `lz4`, `none`, or `auto`, which is "+
		"`none` if every address is on loopback and `lz4` otherwise")
	var pairs []string
	e.List(EnvSettings, &pairs,
		"settings that the projector sends with every insert, a list of name=value, such as `insert_quorum=2`")
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			e.Bad(EnvSettings, "%q is not name=value", pair)
			continue
		}
		if c.Settings == nil {
			c.Settings = map[string]string{}
		}
		c.Settings[name] = value
	}
}
