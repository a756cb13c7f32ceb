// Package clickhouse is a ClickHouse server inside the process: the real engine (package engine) behind a front that
// speaks ClickHouse's native TCP protocol and its HTTP interface, so that clickhouse-go, ch-go, curl and the like
// connect to it as to any server.
//
//	client ── native ──┐                    ┌── session ── engine connection
//	client ── native ──┼─ parse, settings ──┼── session ── engine connection
//	curl ───── HTTP ───┘                    └── session ── engine connection
//
// Promises:
//   - Each native connection and each HTTP request is a session of its own: settings, parameters, the current database
//     and temporary tables never leak into another.
//   - An INSERT reaches the engine as one statement however many blocks carried it, and not at all when the client goes
//     away half way. Settings such as insert_deduplication_token are honoured.
//   - Results are streamed: memory is bounded by a block, not by the result.
//   - Errors carry ClickHouse's own codes.
//   - A data folder is served by one process at a time, and only by the engine version line that wrote it. After an
//     unclean stop every table is checked at start, and damage is refused in words, not served.
//   - It listens on the addresses it is given and on nothing else; the defaults are loopback.
//
// Stop order: close the listeners and idle connections, let running statements finish, kill them after StopTimeout,
// close the engine, free the folder.
//
// It does not have replication, Keeper, users and grants beyond one name and password, TLS, external tables sent with a
// query, or query ids: a running statement carries a number in a comment instead.
//
// It fails at start with what is wrong (ErrFolderInUse, ErrOtherVersion, ErrDamaged, engine.ErrNotFetched). A client
// that breaks the protocol is dropped, with a line in the log. A crash of the engine ends the process; acknowledged
// inserts are on disk as far as the engine's own settings go (fsync_after_insert).
package clickhouse
