package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// migrationsTable records the applied migrations. The statement does no harm when it runs twice.
const migrationsTable = `CREATE TABLE IF NOT EXISTS schema_migrations
(
    number     UInt32 COMMENT 'Number of the migration',
    name       String COMMENT 'Name of its file',
    checksum   String COMMENT 'SHA-256 of the file, in hexadecimal',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY number
COMMENT 'Migrations that were applied to this database'`

// migration is one SQL file.
type migration struct {
	number         uint32
	name, checksum string
	statements     []string
}

// Migrate brings the configured database to the latest of the migrations, which are *.sql files whose names begin with
// a number. It creates the database if needed. Several programs may call it at once: one applies, the others wait.
//
// Each statement must be harmless when it runs again (IF NOT EXISTS, OR REPLACE): after a crash between a statement and
// its record, the file runs again.
func Migrate(ctx context.Context, cfg Config, log *slog.Logger, files fs.FS) error {
	all, err := readMigrations(files)
	if err != nil {
		return err
	}
	if err := createDatabase(ctx, cfg); err != nil {
		return err
	}
	conn, err := Open(cfg)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Nothing is left to lose.
	if err := conn.Exec(ctx, migrationsTable); err != nil {
		return fmt.Errorf("create schema_migrations: %w", err)
	}
	pending, err := pendingOf(ctx, conn, all)
	if err != nil || len(pending) == 0 {
		return err
	}
	unlock, err := lock(ctx, conn, log)
	if err != nil {
		return err
	}
	defer unlock()
	// The previous holder of the lock may have applied them.
	if pending, err = pendingOf(ctx, conn, all); err != nil {
		return err
	}
	for _, m := range pending {
		if err := apply(ctx, conn, m); err != nil {
			return err
		}
		log.InfoContext(ctx, "migration applied", slog.String("migration", m.name), slog.String("database", cfg.database()))
	}
	return nil
}

// createDatabase connects to the database "default", since that of the ledger may not exist yet.
func createDatabase(ctx context.Context, cfg Config) error {
	conn, err := open(cfg, "default")
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // Nothing is left to lose.
	if err := conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quoteName(cfg.database())); err != nil {
		return fmt.Errorf("create database %s: %w", cfg.database(), err)
	}
	return nil
}

func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	slices.Sort(names)
	var all []migration
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration %s: %w", name, err)
		}
		digits, _, _ := strings.Cut(path.Base(name), "_")
		number, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("migration %s: the name must begin with a number and an underscore", name)
		}
		if len(all) > 0 && all[len(all)-1].number >= uint32(number) {
			return nil, fmt.Errorf("migration %s: number %d is taken", name, number)
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{
			number: uint32(number), name: name, checksum: hex.EncodeToString(sum[:]), statements: split(string(text)),
		})
	}
	return all, nil
}

// pendingOf returns the migrations that were not applied yet. It returns an error when an applied file has changed
// since.
func pendingOf(ctx context.Context, conn driver.Conn, all []migration) ([]migration, error) {
	rows, err := conn.Query(ctx, "SELECT number, argMax(checksum, applied_at) FROM schema_migrations GROUP BY number")
	if err != nil {
		return nil, fmt.Errorf("read schema_migrations: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below has the reason.
	applied := map[uint32]string{}
	for rows.Next() {
		var number uint32
		var checksum string
		if err := rows.Scan(&number, &checksum); err != nil {
			return nil, fmt.Errorf("read schema_migrations: %w", err)
		}
		applied[number] = checksum
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read schema_migrations: %w", err)
	}
	var pending []migration
	for _, m := range all {
		switch sum, ok := applied[m.number]; {
		case !ok:
			pending = append(pending, m)
		case sum != m.checksum:
			return nil, fmt.Errorf("migration %s was changed after it was applied: put the change into a new file", m.name)
		}
	}
	return pending, nil
}

func apply(ctx context.Context, conn driver.Conn, m migration) error {
	for i, statement := range m.statements {
		if err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("migration %s, statement %d: %w", m.name, i+1, err)
		}
	}
	err := conn.Exec(ctx, "INSERT INTO schema_migrations (number, name, checksum, applied_at) SELECT ?, ?, ?, now64(3)",
		m.number, m.name, m.checksum)
	if err != nil {
		return fmt.Errorf("record migration %s: %w", m.name, err)
	}
	return nil
}

const (
	lockTable = "schema_migrations_lock"
	// lockLife is the age from which a lock is broken. Migrations take milliseconds, so the holder of an older one died.
	lockLife = time.Minute
	lockPoll = 100 * time.Millisecond
)

// lock takes the migration lock of this database: a table, because only one CREATE TABLE succeeds. It needs no Keeper
// and works on a single server. On a cluster all programs must have the same server as their first address; a repeated
// statement is harmless in any case.
func lock(ctx context.Context, conn driver.Conn, log *slog.Logger) (unlock func(), err error) {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := conn.Exec(ctx, "CREATE TABLE "+lockTable+" (held UInt8) ENGINE = Memory COMMENT 'Held while migrations run'")
		if err == nil {
			return func() {
				// The lock must be removed even when ctx has ended.
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
				defer cancel()
				if err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+lockTable+" SYNC"); err != nil {
					log.WarnContext(ctx, "migration lock not released", slog.Any("err", err))
				}
			}, nil
		}
		if !hasCode(err, codeTableExists) {
			return nil, fmt.Errorf("take the migration lock: %w", err)
		}
		if err := breakLock(ctx, conn, log); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the migration lock: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// breakLock removes a lock whose holder must have died. The server's clock decides its age.
func breakLock(ctx context.Context, conn driver.Conn, log *slog.Logger) error {
	var stale uint64
	err := conn.QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = ? "+
		"AND metadata_modification_time < now() - ?", lockTable, int64(lockLife.Seconds())).Scan(&stale)
	if err != nil {
		return fmt.Errorf("read the age of the migration lock: %w", err)
	}
	if stale == 0 {
		return nil
	}
	log.WarnContext(ctx, "migration lock broken", slog.Duration("older_than", lockLife))
	if err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+lockTable+" SYNC"); err != nil {
		return fmt.Errorf("break the migration lock: %w", err)
	}
	return nil
}
