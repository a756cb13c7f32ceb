// Package clickhouse connects the programs to ClickHouse: the configuration, the migrations at start, a connection for
// inserts, a pool for queries, and the start-up checks.
//
// It promises:
//
//   - [Migrate] applies each numbered SQL file once, in order, under a lock that programs which start together respect.
//     It needs no Keeper: the lock is a table that can be created only once. A file that changed after it was applied
//     is an error.
//   - [Inserter.Insert] sends one block, which becomes one part, and returns nil only when the server says that the
//     part is stored. The token makes a repeated insert of the same block a no-op within the deduplication window of
//     the table.
//   - [Open] returns a pool for everything else: DDL and queries.
//
// The columns of inserts are typed, belong to the caller and are reused ([Text], [Dict], [NullTime] beside those of
// ch-go), so that filling them allocates nothing per row. The row API of the pool costs seven times as much.
//
// It deliberately does not retry an insert: after an error the rows may be stored or not, and only the caller knows
// what may be repeated. It does not batch, and it sends no asynchronous inserts, whatever the server's default.
//
// It fails with errors that name the operation and its subject. After any error an Inserter closes its connection; the
// next insert dials again and tries the configured addresses in order.
package clickhouse
