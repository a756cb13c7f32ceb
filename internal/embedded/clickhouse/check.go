package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

// ErrDamaged says that an unclean stop damaged tables.
var ErrDamaged = errors.New("tables are damaged after an unclean stop")

// userTables lists the tables with stored data outside the engine's own databases.
const userTables = `SELECT database, name FROM system.tables
WHERE database NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')
	AND engine LIKE '%MergeTree' AND NOT is_temporary
ORDER BY database, name`

// detached lists the parts that the engine found broken at start and detached from their tables. It continues without
// them, and CHECK TABLE does not see them any more.
const detached = `SELECT database, table, name, path FROM system.detached_parts
WHERE reason IN ('broken', 'broken-on-start', 'noquorum', 'unexpected') ORDER BY ALL`

// check checks every table after an unclean stop and returns an error for damage: a read model with missing rows would
// give wrong answers that nobody notices.
func check(ctx context.Context, conn *engine.Conn, log *slog.Logger) error {
	tables, err := rowsOf(conn, userTables)
	if err != nil {
		return fmt.Errorf("list the tables to check: %w", err)
	}
	var damage []error
	for _, t := range tables {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := quoteName(t[0]) + "." + quoteName(t[1])
		parts, err := rowsOf(conn, "CHECK TABLE "+name+" SETTINGS check_query_single_value_result = 0")
		if err != nil {
			damage = append(damage, fmt.Errorf("table %s: %w", name, err))
			continue
		}
		for _, p := range parts {
			if len(p) > 2 && p[1] != "1" {
				damage = append(damage, fmt.Errorf("table %s: part %s: %s", name, p[0], p[2]))
			}
		}
	}
	lost, err := rowsOf(conn, detached)
	if err != nil {
		return fmt.Errorf("list the detached parts: %w", err)
	}
	for _, p := range lost {
		damage = append(damage, fmt.Errorf("table %s.%s: part %s could not be read and was detached to %s",
			quoteName(p[0]), quoteName(p[1]), p[2], p[3]))
	}
	if len(damage) > 0 {
		return fmt.Errorf("%w: move the folder away and start again, so that the tables are filled anew from the ledger, or "+
			"remove the named parts to continue without their rows: %w", ErrDamaged, errors.Join(damage...))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "tables checked after an unclean stop", slog.Int("tables", len(tables)))
	return nil
}

// rowsOf runs a query for the front itself and returns its rows as text.
func rowsOf(conn *engine.Conn, sql string, params ...engine.Param) ([][]string, error) {
	res, err := conn.Query(sql, "TSV", params...)
	if err != nil {
		return nil, err
	}
	defer res.Close()
	var rows [][]string
	for line := range strings.Lines(string(res.Bytes())) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		for i, f := range fields {
			fields[i] = unescape(f)
		}
		rows = append(rows, fields)
	}
	return rows, nil
}
