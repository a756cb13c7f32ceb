package main

import (
	"errors"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

// The environment variables, in addition to those of kafka.Config, clickhouse.Config and service.Settings.
const (
	// envMaxRows, envBufferBytes and envInserters: see projector.Config.
	envMaxRows     = "ORDERLEDGER_PROJECTOR_MAX_ROWS"
	envBufferBytes = "ORDERLEDGER_PROJECTOR_BUFFER_BYTES"
	envInserters   = "ORDERLEDGER_PROJECTOR_INSERTERS"
	// envInstance: makes this process a static member of its group; must differ between running processes. Default none.
	envInstance = "ORDERLEDGER_PROJECTOR_INSTANCE_ID"
	// envSession: how long an instance may be silent before others get its partitions, such as 6s. Default 15s; the broker
	// has a lower bound, group.min.session.timeout.ms, usually 6s.
	envSession = "ORDERLEDGER_PROJECTOR_SESSION_TIMEOUT"
	// envAdmin: host:port of metrics and health. Default 127.0.0.1:9102; "off" serves none.
	envAdmin = "ORDERLEDGER_PROJECTOR_ADMIN_ADDR"
)

const defaultAdmin = "127.0.0.1:9102"

type config struct {
	Kafka      kafka.Config
	ClickHouse clickhouse.Config
	Projector  projector.Config
	service.Settings
}

// readConfig reads the environment and reports every problem at once.
func readConfig(getenv func(string) string) (config, error) { return read(setting.NewReader(getenv)) }

func read(e *setting.Reader) (config, error) {
	cfg := config{
		Kafka: kafka.DefaultConfig(), ClickHouse: clickhouse.DefaultConfig(), Projector: projector.DefaultConfig(),
	}
	cfg.Kafka.ClientID = "orderledger-projector"
	cfg.Kafka.Read(e)
	cfg.ClickHouse.Read(e)
	e.Number(envMaxRows, &cfg.Projector.MaxRows)
	e.Number(envBufferBytes, &cfg.Projector.BufferBytes)
	e.Number(envInserters, &cfg.Projector.Inserters)
	e.Text(envInstance, &cfg.Projector.InstanceID)
	e.Duration(envSession, &cfg.Projector.SessionTimeout)
	cfg.Settings.Read(e, envAdmin, defaultAdmin)
	return cfg, errors.Join(append(e.Problems(),
		cfg.Kafka.Validate(), cfg.ClickHouse.Validate(), cfg.Projector.Validate())...)
}
