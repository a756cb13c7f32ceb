// Package clickhouse is how programs reach ClickHouse: the configuration, the migrations at start, a connection for
// inserts and a pool for queries.
//
// It promises:
//
//   - [Migrate] applies numbered SQL files once each, in order, under a lock that several programs starting together
//     respect. It needs no Keeper: the lock is a table that can be created only once. A file that changed after it was
//     applied is an error.
//   - [Inserter.Insert] sends one block, which becomes one part, and returns nil only when the server says that the
//     part is there. The token makes a repeated insert of the same block a no-op within the table's window.
//   - [Open] gives a pool for everything else: DDL, queries, whatever is not hot.
//
// Columns of inserts are typed, belong to the caller and are reused ([Text], [Dict], [NullTime] beside those of ch-go),
// so that filling them costs no allocation a row: the row API of the pool costs seven times as much.
//
// It deliberately does not retry an insert: an error leaves open whether the rows landed, and only the caller knows
// what may be repeated. It does not batch, and it sends no asynchronous inserts, whatever the server's default.
//
// It fails with errors that name the operation and its subject. After any error an Inserter's connection is closed and
// the next insert dials again, trying the configured addresses in order.
package clickhouse
