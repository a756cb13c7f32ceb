package main

import (
	"errors"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/internal/setting"
)

// The environment variables, in addition to those of kafka.Config, clickhouse.Config and service.Settings. Their
// meanings are in read.
const (
	envAdmin       = "ORDERLEDGER_PROJECTOR_ADMIN_ADDR"
	envInstance    = "ORDERLEDGER_PROJECTOR_INSTANCE_ID"
	envSession     = projector.EnvSessionTimeout
	envMaxRows     = projector.EnvMaxRows
	envBufferBytes = projector.EnvBufferBytes
	envInserters   = projector.EnvInserters
)

const defaultAdmin = "127.0.0.1:9102"

type config struct {
	Kafka      kafka.Config
	ClickHouse clickhouse.Config
	Projector  projector.Config
	service.Settings
}

// read reads the environment and reports every problem at once.
func read(e *setting.Reader) (config, error) {
	cfg := config{
		Kafka: kafka.DefaultConfig(), ClickHouse: clickhouse.DefaultConfig(), Projector: projector.DefaultConfig(),
	}
	cfg.Kafka.ClientID = "orderledger-projector"
	cfg.Kafka.Read(e)
	cfg.ClickHouse.Read(e)
	cfg.Settings.Read(e, envAdmin, defaultAdmin)
	e.Text(envInstance, &cfg.Projector.InstanceID, "makes the instance a static member of its group, which keeps its "+
		"partitions over a restart within the session timeout; unique among running instances")
	e.Duration(envSession, &cfg.Projector.SessionTimeout, "without a heartbeat for this long, the group assigns the "+
		"instance's partitions to others; at least the broker's `group.min.session.timeout.ms`, usually 6s")
	e.Number(envMaxRows, &cfg.Projector.MaxRows, "most records in a batch")
	e.Number(envBufferBytes, &cfg.Projector.BufferBytes, "most bytes read but not yet written, over all partitions")
	e.Number(envInserters, &cfg.Projector.Inserters, "batches written in parallel, each over a connection of its own")
	return cfg, errors.Join(append(e.Problems(),
		cfg.Kafka.Validate(), cfg.ClickHouse.Validate(), cfg.Projector.Validate())...)
}
