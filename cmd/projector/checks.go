package main

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
	"github.com/orderledger/orderledger/internal/preflight"
	"github.com/orderledger/orderledger/internal/projector"
	"github.com/orderledger/orderledger/projections"
)

// checks are the start-up checks of this program.
func checks(cfg config) []preflight.Check {
	list := append(kafka.Checks(cfg.Kafka, kafka.Uses{
		Reads: append(projector.Topics(), events.TopicLayout), Writes: []string{events.TopicDeadLetters},
		Groups: []string{kafka.GroupProjector(cfg.Kafka.Cluster)},
	}), clickhouse.Checks(cfg.ClickHouse, nil, projections.Migrations())...)
	return append(list, preflight.Check{
		Name: "tables", Needs: clickhouse.CheckVersion, Refuses: true,
		Run: func(ctx context.Context) []preflight.Finding { return []preflight.Finding{checkTables(ctx, cfg)} },
	})
}

// checkTables compares the tables with the positions of the group. A projector that goes on above tables that lost
// their rows would leave them out for ever.
func checkTables(ctx context.Context, cfg config) preflight.Finding {
	unknown := func(err error) preflight.Finding {
		return preflight.Warning("", "the tables were not compared with the ledger: %v", err)
	}
	client, err := kgo.NewClient(kafka.Options(cfg.Kafka)...)
	if err != nil {
		return unknown(err)
	}
	defer client.Close()
	conn, err := clickhouse.Open(cfg.ClickHouse)
	if err != nil {
		return unknown(err)
	}
	defer conn.Close() //nolint:errcheck // Nothing is left to lose.
	layout, err := kafka.ReadLayout(ctx, client, cfg.Kafka)
	if errors.Is(err, kafka.ErrNoLedger) {
		return preflight.Good("there is no ledger yet")
	}
	if err != nil {
		return unknown(err)
	}
	err = projector.CheckTables(ctx, client, cfg.Kafka.Cluster, conn, layout.LedgerID)
	switch {
	case errors.Is(err, clickhouse.ErrTablesLost):
		return preflight.Failure(clickhouse.AdviceTablesLost, "%v", err)
	case errors.Is(err, clickhouse.ErrOtherLedger):
		return preflight.Failure(clickhouse.AdviceOtherLedger, "%v", err)
	case err != nil:
		return unknown(err)
	}
	return preflight.Good("they hold what was written")
}
