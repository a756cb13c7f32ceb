package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/orderledger/orderledger/events"
	"github.com/orderledger/orderledger/internal/clickhouse"
	"github.com/orderledger/orderledger/internal/httpx"
	"github.com/orderledger/orderledger/internal/kafka"
)

// tablesGuard keeps reads from answering out of tables that lost their rows, or that another ledger fills: an empty
// answer would look like the truth.
type tablesGuard struct {
	admin             *kadm.Client
	conn              driver.Conn // Nil without a read model.
	cluster, ledgerID string

	mu   sync.Mutex
	at   time.Time // When it looked last; guarded by mu, as lost.
	lost error
}

// guardEvery is how long a result counts. Tables are replaced by hand, and an operator waits for the effect.
const guardEvery = 2 * time.Second

// historyTables are the history tables of the topics that are projected.
func historyTables() map[string]string {
	return map[string]string{events.TopicEvents: "events", events.TopicDecisions: "decisions_history"}
}

// check returns a problem if reads must not be answered. If a server does not answer, it returns nil: the read itself
// then fails.
func (g *tablesGuard) check(ctx context.Context) error {
	if err := g.state(ctx); err != nil {
		return httpx.Unavailable.New("the tables in ClickHouse can't be trusted: " + err.Error()).After(retrySoon)
	}
	return nil
}

// state returns why the tables can't be trusted.
func (g *tablesGuard) state(ctx context.Context) error {
	if g.conn == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.at) < guardEvery {
		return g.lost
	}
	ctx, cancel := context.WithTimeout(ctx, guardEvery)
	defer cancel()
	err := g.look(ctx)
	if err == nil || errors.Is(err, clickhouse.ErrTablesLost) || errors.Is(err, clickhouse.ErrOtherLedger) {
		g.lost = err
	}
	g.at = time.Now() // Also after an error: others wait for the lock, and a server that hangs would hold up each in turn.
	return g.lost
}

func (g *tablesGuard) look(ctx context.Context) error {
	ends := map[string]map[int32]int64{}
	for topic, table := range historyTables() {
		of, err := kafka.TableEnds(ctx, g.admin, g.cluster, topic)
		if err != nil {
			return err
		}
		ends[table] = of
	}
	return clickhouse.CheckTables(ctx, g.conn, g.ledgerID, ends)
}
