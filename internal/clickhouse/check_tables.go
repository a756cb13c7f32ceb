package clickhouse

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/orderledger/orderledger/internal/preflight"
)

// rights asks the server what this user may do. CHECK GRANT only looks the grants up.
func (i *inspector) rights(writes bool) func(context.Context, driver.Conn) []preflight.Finding {
	needed := []string{"SELECT"}
	if writes {
		// Migrations replace views, and their lock is a table that is dropped again.
		needed = []string{"SELECT", "INSERT", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DROP VIEW"}
	}
	return func(ctx context.Context, conn driver.Conn) []preflight.Finding {
		exists, err := i.hasDatabase(ctx, conn)
		if err != nil {
			return i.unknown(err)
		}
		needed := slices.Clone(needed)
		if writes && !exists {
			needed = append(needed, "CREATE DATABASE")
		}
		var findings []preflight.Finding
		on := quoteName(i.cfg.database()) + ".*"
		for _, right := range needed {
			var granted uint8
			if err := conn.QueryRow(ctx, "CHECK GRANT "+right+" ON "+on).Scan(&granted); err != nil {
				return i.unknown(err)
			}
			if granted == 0 {
				findings = append(findings, preflight.Failure("GRANT "+right+" ON "+on+" TO "+quoteName(i.cfg.user()),
					"user %s lacks %s on database %s", i.cfg.user(), right, i.cfg.database()))
			}
		}
		if len(findings) > 0 {
			return findings
		}
		return []preflight.Finding{preflight.Good("%s on database %s", strings.Join(needed, ", "), i.cfg.database())}
	}
}

func (i *inspector) hasDatabase(ctx context.Context, conn driver.Conn) (bool, error) {
	var n uint64
	row := conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = ?", i.cfg.database())
	if err := row.Scan(&n); err != nil {
		return false, fmt.Errorf("look for database %s: %w", i.cfg.database(), err)
	}
	return n > 0, nil
}

// migrations compares the files with the applied migrations.
func (i *inspector) migrations(reads, writes fs.FS) func(context.Context, driver.Conn) []preflight.Finding {
	return func(ctx context.Context, conn driver.Conn) []preflight.Finding {
		files, applies := writes, "they are applied at start"
		if writes == nil {
			files, applies = reads, "reads fail until a projector has applied them"
		}
		all, err := readMigrations(files)
		if err != nil {
			return i.unknown(err)
		}
		pending, err := i.pending(ctx, conn, all)
		switch {
		case err != nil:
			return []preflight.Finding{preflight.Failure(
				"run the version of the programs that created these tables, or a newer one", "%v", err)}
		case len(pending) == 0:
			return []preflight.Finding{preflight.Good("all %d are applied", len(all))}
		case writes == nil:
			return []preflight.Finding{preflight.Warning("start a projector of this version", "%d of %d are not applied yet: %s",
				len(pending), len(all), applies)}
		}
		return []preflight.Finding{preflight.Good("%d of %d are not applied yet: %s", len(pending), len(all), applies)}
	}
}

func (i *inspector) pending(ctx context.Context, conn driver.Conn, all []migration) ([]migration, error) {
	var n uint64
	err := conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = ? AND name = 'schema_migrations'",
		i.cfg.database()).Scan(&n)
	if err != nil {
		return nil, fmt.Errorf("look for schema_migrations: %w", err)
	}
	if n == 0 {
		return all, nil
	}
	inside, err := Open(i.cfg)
	if err != nil {
		return nil, err
	}
	defer inside.Close() //nolint:errcheck // Nothing is left to lose.
	return pendingOf(ctx, inside, all)
}

// settings checks the user's profile for settings that would let a repeated insert double rows, or forbid inserts. It
// does not check async_insert: each insert switches that off.
func (i *inspector) settings(ctx context.Context, conn driver.Conn) []preflight.Finding {
	rows, err := conn.Query(ctx,
		"SELECT name, value FROM system.settings WHERE name IN ('insert_deduplicate', 'deduplicate_insert', 'readonly')")
	if err != nil {
		return i.unknown(err)
	}
	defer rows.Close() //nolint:errcheck // Err below has the reason.
	is := map[string]string{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return i.unknown(err)
		}
		is[name] = value
	}
	if err := rows.Err(); err != nil {
		return i.unknown(err)
	}
	var findings []preflight.Finding
	if is["insert_deduplicate"] == "0" || is["deduplicate_insert"] == "disable" {
		findings = append(findings,
			preflight.Failure("remove insert_deduplicate and deduplicate_insert from the profile of user "+i.cfg.user(),
				"the server does not deduplicate the inserts of user %s: a batch that is sent twice would double rows",
				i.cfg.user()))
	}
	if is["readonly"] != "0" {
		findings = append(findings, preflight.Failure("give user "+i.cfg.user()+" a profile with readonly = 0",
			"readonly is %s for user %s, who can't insert then", is["readonly"], i.cfg.user()))
	}
	if len(findings) > 0 {
		return findings
	}
	return []preflight.Finding{preflight.Good("the server deduplicates inserts by their token")}
}
