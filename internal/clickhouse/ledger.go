package clickhouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

var (
	// ErrTablesLost says that the tables hold less than was written: they were emptied, replaced, or restored from an
	// older backup.
	ErrTablesLost = errors.New("the tables do not hold what was written to them")
	// ErrOtherLedger says that the tables were filled from another ledger.
	ErrOtherLedger = errors.New("the tables are of another ledger")
)

// Remedies of the two errors, for operators.
const (
	AdviceTablesLost = "stop all projectors, run \"orderledger refill\", and start them again: they fill the " +
		"tables from the ledger"
	AdviceOtherLedger = "use another database for this ledger (" + EnvDatabase +
		"), or drop this one if its ledger is gone"
)

// Owner says which ledger fills the tables.
type Owner struct {
	LedgerID string
	// TablesID is a random id of the tables. It changes when they are replaced.
	TablesID string
}

// ReadOwner returns the owner of the tables; the zero value if there are none, or nothing has filled them yet.
func ReadOwner(ctx context.Context, conn driver.Conn) (Owner, error) {
	var o Owner
	row := conn.QueryRow(ctx, "SELECT ledger_id, tables_id FROM ledger ORDER BY filled_at, tables_id LIMIT 1")
	err := row.Scan(&o.LedgerID, &o.TablesID)
	switch {
	case errors.Is(err, sql.ErrNoRows), isMissing(err):
		return Owner{}, nil
	case err != nil:
		return Owner{}, fmt.Errorf("read the owner of the tables: %w", err)
	}
	return o, nil
}

// EnsureOwner records the ledger as the owner of tables that have none, and returns the owner. Of several programs that
// do so at once, one wins.
func EnsureOwner(ctx context.Context, conn driver.Conn, ledgerID string) (Owner, error) {
	o, err := ReadOwner(ctx, conn)
	if err != nil || o != (Owner{}) {
		return o, err
	}
	err = conn.Exec(ctx, "INSERT INTO ledger (ledger_id, tables_id) SELECT ?, toString(generateUUIDv4())", ledgerID)
	if err != nil {
		return Owner{}, fmt.Errorf("record the owner of the tables: %w", err)
	}
	return ReadOwner(ctx, conn)
}

// CheckTables returns ErrOtherLedger if another ledger fills the tables, and ErrTablesLost if they do not hold what was
// written. ends has, for each history table and lane, the highest offset that was written; without any, nothing can be
// lost. An empty ledgerID is any.
func CheckTables(ctx context.Context, conn driver.Conn, ledgerID string, ends map[string]map[int32]int64) error {
	owner, err := ReadOwner(ctx, conn)
	if err != nil {
		return err
	}
	if ledgerID != "" && owner.LedgerID != "" && owner.LedgerID != ledgerID {
		return fmt.Errorf("%w: they were filled from ledger %s, and this Kafka holds ledger %s", ErrOtherLedger,
			owner.LedgerID, ledgerID)
	}
	for table, lanes := range ends {
		if len(lanes) == 0 {
			continue
		}
		held, err := historyEnds(ctx, conn, table)
		if err != nil {
			return err
		}
		for lane, end := range lanes {
			if have, ok := held[lane]; !ok || have < end {
				if !ok {
					have = -1
				}
				return fmt.Errorf("%w: %s of lane %d ends at offset %d, and rows up to %d were written", ErrTablesLost, table,
					lane, have, end)
			}
		}
	}
	return nil
}

// historyEnds returns the highest offset of each lane in a history table; none if there is no such table.
func historyEnds(ctx context.Context, conn driver.Conn, table string) (map[int32]int64, error) {
	rows, err := conn.Query(ctx, "SELECT toInt32(lane), toInt64(max(offset)) FROM "+quoteName(table)+" GROUP BY lane")
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the ends of %s: %w", table, err)
	}
	defer rows.Close() //nolint:errcheck // Err below has the reason.
	ends := map[int32]int64{}
	for rows.Next() {
		var lane int32
		var end int64
		if err := rows.Scan(&lane, &end); err != nil {
			return nil, fmt.Errorf("read the ends of %s: %w", table, err)
		}
		ends[lane] = end
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the ends of %s: %w", table, err)
	}
	return ends, nil
}

// isMissing reports whether the server has no such table or database.
func isMissing(err error) bool {
	return hasCode(err, codeUnknownTable) || hasCode(err, codeUnknownDatabase)
}
