package clickhouse

import (
	"strings"

	"github.com/orderledger/orderledger/internal/setting"
)

// The variables that every program reads for ClickHouse.
const (
	// EnvAddr: host:port of the native protocol, tried in order, separated by commas. Default 127.0.0.1:9000.
	EnvAddr = "ORDERLEDGER_CLICKHOUSE_ADDR"
	// EnvDatabase: the database of the tables. Default orderledger.
	EnvDatabase = "ORDERLEDGER_CLICKHOUSE_DATABASE"
	// EnvUser and EnvPassword: default user default, without a password. The password may come from the file in
	// EnvPassword_FILE.
	EnvUser     = "ORDERLEDGER_CLICKHOUSE_USER"
	EnvPassword = "ORDERLEDGER_CLICKHOUSE_PASSWORD" //nolint:gosec // The name of a variable.
	// EnvCompression of inserts: auto, lz4 or none. Default auto: none on loopback, else lz4.
	EnvCompression = "ORDERLEDGER_CLICKHOUSE_COMPRESSION"
	// EnvSettings: settings sent with every insert, name=value, separated by commas. Default none.
	EnvSettings = "ORDERLEDGER_CLICKHOUSE_INSERT_SETTINGS"

	// envPrefix is the prefix of the variables of TLS; see setting.TLS.
	envPrefix = "ORDERLEDGER_CLICKHOUSE"
)

// Read reads the variables. A variable that is not set leaves its field unchanged.
func (c *Config) Read(e *setting.Reader) {
	e.List(EnvAddr, &c.Addrs)
	e.Text(EnvDatabase, &c.Database)
	e.Text(EnvUser, &c.User)
	e.Secret(EnvPassword, &c.Password)
	c.TLS.Read(e, envPrefix)
	e.Text(EnvCompression, &c.Compression)
	var pairs []string
	e.List(EnvSettings, &pairs)
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
