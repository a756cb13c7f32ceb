// Package importer sends a file of notifications, one a line, to an ingest service, as fast as it takes them.
//
// It promises that the lines of one shipment (or of one return) arrive in the order of the file: a line is sent when
// the one before it has its 200. It retries what may work later (no answer, 429, 5xx) until the context ends, so that a
// service that is killed and started again loses nothing; the ledger knows a repeat. What is refused for good (any
// other 4xx) is counted with its line number and the service's words, and the import goes on.
//
// It keeps a bounded number of lines in memory, whatever the size of the file, and one short entry for each return. A
// line longer than MaxLineBytes is refused here; anything else is for the service to judge, bytes as they are.
package importer
