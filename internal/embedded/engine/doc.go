// Package engine finds, fetches and loads the ClickHouse engine as a shared library, and calls it.
//
// It is for the embedded ClickHouse server, which puts the native protocol in front of it, and for whoever prepares a
// machine ([Fetch]). The library is loaded without cgo, so the programs stay plain Go binaries.
//
// Promises:
//   - Only a library whose archive matches the checksum pinned here is ever put in the cache, and it appears there
//     whole or not at all, however many processes fetch at once.
//   - The engine never installs signal handlers: signals belong to the Go runtime.
//   - One data folder per process. The engine itself has one storage per process and would quietly answer from the
//     first; [Library.Connect] refuses a second folder instead.
//   - Parameters of a query are bound for that query only.
//
// It does not speak any protocol, pool connections or cancel a running statement (kill it from another connection).
// Fetch knows the package for Linux on x86-64; elsewhere the library must be named by ORDERLEDGER_LIBCHDB.
//
// It fails with [ErrNotFetched] when there is no library, whose text says what to run next, and with [*Error] when the
// engine refuses a statement, which carries ClickHouse's own error code. A crash inside the library takes the process
// with it.
package engine
