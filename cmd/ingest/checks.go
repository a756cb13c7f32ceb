package main

import (
	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/projections"
)

// checks returns the start-up checks of this program.
func checks(cfg config) []preflight.Check {
	// The ids of one lane are enough, because operators grant transactional ids by prefix.
	first, second := kafka.LaneTransactionalIDs(kafka.TransactionalPrefix(cfg.Kafka.Cluster, ""), 0)
	cluster := cfg.Kafka.Cluster
	written := []string{
		events.TopicEvents, events.TopicDecisions, events.TopicInbox, events.TopicUnresolved, events.TopicAliases,
	}
	return append(kafka.Checks(cfg.Kafka, kafka.Uses{
		Reads: written, Writes: written, Trims: []string{events.TopicInbox},
		Groups: []string{
			kafka.GroupLanes(cluster), kafka.GroupInbox(cluster), kafka.GroupPacking(cluster), kafka.GroupAliases(cluster),
			kafka.GroupResolver(cluster), kafka.GroupOwners(cluster),
		},
		TransactionalIDs: []string{first, second},
	}), clickhouse.Checks(cfg.ClickHouse, projections.Migrations(), nil)...)
}
