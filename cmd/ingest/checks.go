package main

import (
	"context"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/sellers"
	"github.com/orderledger/orderledger/internal/service"
	"github.com/orderledger/orderledger/projections"
)

// checks returns the start-up checks of this program.
func checks(cfg config) []preflight.Check {
	// The ids of one lane are enough, because operators grant transactional ids by prefix.
	first, second := kafka.LaneTransactionalIDs(kafka.TransactionalPrefix(cfg.Kafka.Cluster, ""), 0)
	cluster := cfg.Kafka.Cluster
	written := []string{
		events.TopicLayout, events.TopicEvents, events.TopicDecisions, events.TopicInbox, events.TopicUnresolved,
		events.TopicAliases,
	}
	checks := append(kafka.Checks(cfg.Kafka, kafka.Uses{
		Reads: written, Writes: written, Trims: []string{events.TopicInbox},
		Groups: []string{
			kafka.GroupLanes(cluster), kafka.GroupInbox(cluster), kafka.GroupPacking(cluster), kafka.GroupAliases(cluster),
			kafka.GroupResolver(cluster), kafka.GroupOwners(cluster),
		},
		TransactionalIDs: []string{first, second}, Creates: true,
	}), clickhouse.Checks(cfg.ClickHouse, projections.Migrations(), nil)...)
	return append(checks, preflight.Check{Name: "intake", Run: func(context.Context) []preflight.Finding {
		return []preflight.Finding{intake(sellers.New(cfg.Ingest.Sellers))}
	}})
}

// intake says whose notifications are accepted.
func intake(directory *sellers.Directory) preflight.Finding {
	switch {
	case directory.Open():
		return preflight.Warning("remove "+envOpen+" where others reach the API",
			"open: notifications need no credential, except for sellers that have one")
	case !directory.Protects():
		return preflight.Warning("give sellers an appId with notificationSecret, or a notificationToken, in "+envSellers+
			"; or set "+envOpen+"=true", "no seller has a credential: every notification is refused")
	}
	return preflight.Good("strict: every notification needs a signature or a notification token")
}

// local is what the program needs of its machine.
func local(cfg config) service.Local {
	return service.Local{
		Addrs: []service.Addr{
			{Variable: envAddr, Addr: cfg.Ingest.Addr},
			{Variable: envPeerAddr, Addr: cfg.Ingest.Peers.Addr},
		},
		Folders: []service.Folder{
			{Variable: envData, Dir: cfg.Journal.StoreDir},
			{Variable: envData, Dir: cfg.Ingest.ResolverDir},
			{Variable: envDocuments, Dir: cfg.Ingest.BlobDir},
		},
		Checks: []preflight.Check{folderInUse(cfg)},
	}
}
