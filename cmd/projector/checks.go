package main

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/projections"
)

// checks are the start-up checks of this program.
func checks(cfg config) []preflight.Check {
	return append(kafka.Checks(cfg.Kafka, kafka.Uses{
		Reads: append(projector.Topics(), events.TopicLayout), Writes: []string{events.TopicDeadLetters},
		Groups: []string{kafka.GroupProjector(cfg.Kafka.Cluster)},
	}), clickhouse.Checks(cfg.ClickHouse, nil, projections.Migrations())...)
}
