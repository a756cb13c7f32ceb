// Package clickhouse is a ClickHouse server inside the process: the real engine (package engine) behind two protocol
// fronts, ClickHouse's native TCP protocol and its HTTP interface, so that clickhouse-go, ch-go, JDBC, curl and the
// like connect to it as to any server. docs/design/embedded-clickhouse.md says why it is ours.
//
//	client ── native ──┐                    ┌── session ── engine connection
//	client ── native ──┼─ parse, settings ──┼── session ── engine connection
//	curl ───── HTTP ───┘                    └── session ── engine connection
//
// Promises:
//   - Each native connection and each HTTP request is a session of its own: settings, parameters, the current database
//     and temporary tables never leak into another.
//   - An INSERT reaches the engine as one statement, however many blocks carried it, and not at all when the client
//     disconnects before the end. Settings such as insert_deduplication_token are honoured.
//   - Results are streamed: memory is bounded by a block, not by the result.
//   - Errors carry ClickHouse's own codes.
//   - One process at a time uses a data folder, and only with the release line of the engine that wrote it. After an
//     unclean stop the server checks every table at start, and refuses to serve damaged ones.
//   - It listens on the configured addresses and on nothing else; the defaults are loopback.
//
// Stop order: close the listeners and idle connections, wait for running statements, kill them after StopTimeout, close
// the engine, free the folder.
//
// It has no replication, no Keeper, no users and grants beyond one name and password, no TLS, no external tables with a
// query, and no query ids: a running statement carries a number in a comment instead.
//
// It fails at start with errors that say what is wrong (ErrFolderInUse, ErrOtherVersion, ErrDamaged,
// engine.ErrNotFetched). It disconnects a client that violates the protocol and logs that. A crash of the engine ends
// the process; acknowledged inserts are on disk as far as the engine's settings go (fsync_after_insert).
package clickhouse
