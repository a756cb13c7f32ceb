// Package engine finds, fetches and loads the ClickHouse engine as a shared library, and calls it.
//
// The embedded ClickHouse server puts its protocols in front of it; the operator's tool prepares a machine with
// [Fetch]. The library is loaded without cgo, so the programs stay plain Go binaries.
//
// Promises:
//   - The cache only ever gets a library whose archive matches the pinned checksum, as a whole or not at all, however
//     many processes fetch at the same time.
//   - The engine never installs signal handlers: signals belong to the Go runtime.
//   - One data folder per process. The engine has one storage per process and would silently answer from the first;
//     [Library.Connect] refuses a second folder instead.
//   - Parameters of a query are bound for that query only.
//
// It speaks no protocol, pools no connections and can't cancel a running statement (kill it from another connection).
// Fetch has the package for Linux on x86-64; elsewhere ORDERLEDGER_LIBCHDB must name the library.
//
// It fails with [ErrNotFetched] without a library, whose text says what to run, and with [*Error] when the engine
// refuses a statement, which carries ClickHouse's own error code. A crash inside the library ends the process.
package engine
