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
// refused here. A byte order mark and the line end (LF or CRLF) are not part of a line, and blank lines do not count.
//
// # How it fails
//
// It retries what may succeed later (no response, 408, 429, 5xx) until the context ends, so that killing and restarting
// the service loses nothing; the ledger recognizes a repeated notification. It counts a refusal that concerns the line
// (a 4xx with one of the ledger's problems) with its line number and the service's reason, and continues. What concerns
// every line ends the import at once with a FaultError: a wrong address, a refused token, a certificate, an answer that
// no ledger gives, a server that speaks another protocol, such as a Kafka broker. So does a file that can't be read: a
// truncated gzip file, UTF-16, an archive.
package importer
