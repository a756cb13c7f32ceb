package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/kafka"
)

// CheckTables compares the tables with what the group of projectors has committed, and changes nothing. The errors
// wrap clickhouse.ErrTablesLost and clickhouse.ErrOtherLedger. An empty ledgerID is any.
func CheckTables(ctx context.Context, client *kgo.Client, cluster string, conn driver.Conn, ledgerID string) error {
	ends, err := committedEnds(ctx, kadm.NewClient(client), cluster)
	if err != nil {
		return err
	}
	return clickhouse.CheckTables(ctx, conn, ledgerID, ends)
}

// committedEnds returns the highest offset of each lane whose row was written, by history table.
func committedEnds(ctx context.Context, adm *kadm.Client, cluster string) (map[string]map[int32]int64, error) {
	ends := map[string]map[int32]int64{}
	for _, topic := range Topics() {
		of, err := kafka.TableEnds(ctx, adm, cluster, topic)
		if err != nil {
			return nil, err
		}
		ends[historyOf(topic)] = of
	}
	return ends, nil
}

// ErrMembers says that projectors are running.
var ErrMembers = errors.New("projectors are running")

// Refill makes projectors fill the tables again: it deletes the positions of their group, so that they read the ledger
// from its start. Rows that are there stay, and are not written twice. It refuses while projectors run, since they
// would commit their positions again.
func Refill(ctx context.Context, client *kgo.Client, cluster string) error {
	group := kafka.GroupProjector(cluster)
	adm := kadm.NewClient(client)
	_, err := adm.DeleteGroup(ctx, group)
	switch {
	case errors.Is(err, kerr.NonEmptyGroup):
		return fmt.Errorf("delete the positions of %s: %w: stop them first", group, ErrMembers)
	case errors.Is(err, kerr.GroupIDNotFound):
		return nil // No projector has ever run.
	case err != nil:
		return fmt.Errorf("delete the positions of %s: %w", group, err)
	}
	return nil
}

// claim checks the tables before the first batch and records the ledger as their owner. It waits while a server is
// away.
func (p *Projector) claim(ctx context.Context, conn driver.Conn) (owner clickhouse.Owner, err error) {
	for wait := retryFirst; ; wait = min(2*wait, retryMax) {
		err = CheckTables(ctx, p.client, p.kafka.Cluster, conn, p.cfg.LedgerID)
		switch {
		case errors.Is(err, clickhouse.ErrTablesLost):
			return owner, fmt.Errorf("%w; %s", err, clickhouse.AdviceTablesLost)
		case errors.Is(err, clickhouse.ErrOtherLedger):
			return owner, fmt.Errorf("%w; %s", err, clickhouse.AdviceOtherLedger)
		case err == nil:
			if owner, err = clickhouse.EnsureOwner(ctx, conn, p.cfg.LedgerID); err == nil {
				return owner, nil
			}
		}
		p.log.WarnContext(ctx, "tables not checked", slog.Duration("retry_in", wait), slog.Any("err", err))
		select {
		case <-ctx.Done():
			return owner, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// guard ends the projector when the tables are replaced while it runs: it would go on from its positions and leave
// everything before them out.
func (p *Projector) guard(ctx context.Context, conn driver.Conn, owner clickhouse.Owner) error {
	tick := time.NewTicker(p.cfg.OwnerCheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := clickhouse.ReadOwner(ctx, conn)
		if err == nil && now != owner {
			return fmt.Errorf("%w: they were replaced while the projector ran; %s", clickhouse.ErrTablesLost,
				clickhouse.AdviceTablesLost)
		}
	}
}
