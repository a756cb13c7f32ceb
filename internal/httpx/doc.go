// Package httpx carries an HTTP request through its life: it gives the request a correlation id, runs its handler,
// turns an error or a panic into a problem document, counts it, and writes one log line about it.
//
// # Promises
//
// Every request that reaches a handler has one answer and one log line, whatever the handler does. A handler either
// answers through its Call or returns an error: *Problem is answered as it is, a body over the limit as 413, anything
// else as 500 with the cause in the log only. A panic ends its request and no other.
//
// Bodies take a bounded amount of memory, all together: a request whose body would exceed it is answered with 503, and
// one whose body does not arrive in time with 408.
//
// # What it does not do
//
// It has no routes: its users register handlers on a mux of their own and give each the pattern that labels it. It does
// not interpret errors of the ledger: handlers turn those into problems before they return.
//
// # Problems
//
// A problem document is that of RFC 9457, together with the members that the marketplace's clients look for: errorCode
// and errors. A Kind is a permanent name with its status and title. The kinds that any server needs are here; ingest
// and peer declare their own beside them.
package httpx
