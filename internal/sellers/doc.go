// Package sellers says who a seller is: which sellers the marketplace has, the tokens and secrets that prove a caller
// to be one of them, and the policy under which the ledger judges their shipments.
//
// A Directory is made once from a valid Config and never changes, so it needs no lock and its answers never fail. Live
// holds the directory in force, and a Reloader replaces it when the sellers file changes. Requests in flight keep the
// directory that they began with; a seller or token that is removed is unknown to the next request. A file that can't
// be read or is not valid changes nothing: the last good one stays in force, and the log and a metric say so.
//
// A seller's token proves its calls. A Credential proves notifications, and speaks for every seller that lists it: one
// application of the marketplace may serve many sellers. No text is both, so that no seller can forge the marketplace's
// facts, and no marketplace makes a seller's calls.
//
// # Promises
//
// No verb of fmt, no JSON and no log line shows a token or a secret of a Seller: each formatter prints a masked copy.
// Looking a token up takes the same time whatever part of a guess is right.
//
// # What it does not do
//
// It handles no HTTP: package ingest reads the headers of a request and checks the signature of a notification with the
// secret that it finds here. It does not limit the rate of calls.
package sellers
