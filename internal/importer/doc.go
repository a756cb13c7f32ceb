// Package importer sends a file of notifications, one per line, to an ingest service, as fast as the service accepts
// them.
//
// # Promises
//
// The lines of one shipment (or of one return) arrive in the order of the file: a line is sent when the previous one
// has its 200. The importer keeps a bounded number of lines in memory, whatever the size of the file, and one short
// entry per return.
//
// # What it does not do
//
// It does not validate: the service receives the bytes of a line as they are. Only a line longer than MaxLineBytes is
// refused here.
//
// # How it fails
//
// It retries what may succeed later (no response, 408, 429, 5xx) until the context ends, so that killing and restarting
// the service loses nothing; the ledger recognizes a repeated notification. It counts a permanent refusal (any other
// 4xx) with its line number and the service's reason, and continues.
package importer
